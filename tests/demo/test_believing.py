"""The demo shop believes webhooks and the API, and no browser."""

import json
from typing import Any

import pytest

from tests.demo.scripted import NOW, Bo, Checkout, bo, checkout, returned, signed

__all__ = ["bo", "checkout"]


# Webhooks -------------------------------------------------------------------------------------------------------------


def test_a_verified_webhook_makes_an_order_paid(bo: Bo) -> None:
    session = bo.order()
    assert bo.status(session["reference"]) == "waiting"

    assert bo.hears(session | {"status": "paid"}, 3, "evt_1").status_code == 204
    assert bo.status(session["reference"]) == "paid"


def test_an_event_that_comes_again_is_stored_once(bo: Bo) -> None:
    session = bo.order()
    for _ in range(3):
        assert bo.hears(session | {"status": "paid"}, 3, "evt_1").status_code == 204

    assert bo.browser.get("/demo/orders").text.count("data-webhook=") == 1


def test_an_older_version_after_a_newer_one_changes_nothing(bo: Bo) -> None:
    session = bo.order()
    bo.hears(session | {"status": "expired"}, 5, "evt_2", "checkout_session.expired")
    assert bo.hears(session, 2, "evt_1", "attempt.failed").status_code == 204

    assert bo.status(session["reference"]) == "expired"
    assert "version 5" in bo.browser.get("/demo/orders").text
    assert "older than what we know" in bo.browser.get("/demo/orders").text


def test_paid_stays_paid(bo: Bo) -> None:
    session = bo.order()
    bo.hears(session | {"status": "paid"}, 3, "evt_1")
    bo.hears(session | {"status": "expired"}, 4, "evt_2", "checkout_session.expired")

    assert bo.status(session["reference"]) == "paid"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"tampered"},
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,!"},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1a,AAAA v2,x"},
        {"body": b"\xff\xfe"},
    ],
)
def test_a_webhook_with_a_bad_signature_is_refused(bo: Bo, change: dict[str, Any]) -> None:
    session = bo.order()
    body = json.dumps({"type": "checkout_session.paid", "data": session | {"status": "paid", "version": 9}})
    headers = signed("evt_1", body) | change
    sent = headers.pop("body", body)

    assert bo.browser.post("/demo/webhook", data=sent, headers=headers).status_code == 401
    assert bo.status(session["reference"]) == "waiting"
    assert "data-webhook=" not in bo.browser.get("/demo/orders").text


@pytest.mark.parametrize(
    "lie", [{"amount": 1}, {"currency": "CNY"}, {"id": "cs_other"}, {"reference": "TEA-OTHER"}, {"status": "happy"}]
)
def test_a_webhook_about_something_else_pays_nothing(bo: Bo, lie: dict[str, Any]) -> None:
    session = bo.order()

    assert bo.hears(session | {"status": "paid"} | lie, 3, "evt_1").status_code == 204
    assert bo.status(session["reference"]) == "waiting"


def test_a_signed_body_that_is_no_event_is_refused_calmly(bo: Bo) -> None:
    for body in ("[]", "{}", '{"type": "x", "data": []}', "nonsense"):
        assert bo.browser.post("/demo/webhook", data=body, headers=signed("evt_1", body)).status_code == 400


# Returns --------------------------------------------------------------------------------------------------------------


def test_a_paid_shopper_is_thanked(bo: Bo, checkout: Checkout) -> None:
    session = bo.order()
    bo.hears(session | {"status": "paid"}, 3, "evt_1")

    page = bo.thanks(session["reference"], **returned(session, "paid"))

    assert page.status_code == 200
    assert "Thank you, paid" in page.text
    assert 'data-return="verified"' in bo.browser.get("/demo/orders").text
    assert checkout.reads == 0


def test_a_return_before_the_webhook_asks_the_api(bo: Bo, checkout: Checkout) -> None:
    session = bo.order()
    session["status"] = "paid"

    assert "Thank you, paid" in bo.thanks(session["reference"], **returned(session, "paid")).text
    assert checkout.reads == 1
    assert bo.status(session["reference"]) == "paid"


def test_a_verified_return_alone_is_no_payment(bo: Bo) -> None:
    session = bo.order()

    page = bo.thanks(session["reference"], **returned(session, "paid"))

    assert "Thank you" not in page.text
    assert 'data-order-status="waiting"' in page.text
    assert 'http-equiv="refresh"' in page.text


@pytest.mark.parametrize(
    "forgery",
    [
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "ü"},
        {"status": "expired"},
        {"timestamp": "1"},
        {"timestamp": ""},
        {"reference": "TEA-OTHER"},
        {"session_id": "cs_other"},
    ],
)
@pytest.mark.parametrize("paid", [True, False])
def test_a_forged_return_thanks_nobody(bo: Bo, checkout: Checkout, forgery: dict[str, str], paid: bool) -> None:
    session = bo.order()
    if paid:
        bo.hears(session | {"status": "paid"}, 3, "evt_1")

    page = bo.thanks(session["reference"], **returned(session, "paid") | forgery)

    assert page.status_code == 403
    assert "Thank you" not in page.text
    assert bo.status(session["reference"]) == ("paid" if paid else "waiting")
    assert checkout.reads == 0


def test_a_return_signed_for_one_order_does_not_fit_another(bo: Bo) -> None:
    first, second = bo.order(), bo.order()
    bo.hears(first | {"status": "paid"}, 3, "evt_1")

    assert bo.thanks(second["reference"], **returned(first, "paid")).status_code == 403


def test_an_old_link_shows_how_things_stand(bo: Bo) -> None:
    session = bo.order()
    bo.hears(session | {"status": "expired"}, 3, "evt_1", "checkout_session.expired")
    session["status"] = "expired"

    page = bo.thanks(session["reference"], **returned(session, "open", at=NOW - 601))

    assert "This is an old link" in page.text
    assert "The time to pay has ended" in page.text


def test_made_up_returns_do_not_fill_the_books(bo: Bo) -> None:
    session = bo.order()
    for n in range(40):
        bo.thanks(session["reference"], status="paid", signature=str(n))

    assert bo.browser.get("/demo/orders").text.count("data-return=") == 20
