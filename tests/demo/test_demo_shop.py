"""The demo shop against a scripted checkout: it believes webhooks and the API, and no browser."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from standardwebhooks import Webhook
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from demo_shop import create_demo_shop
from tests.wsgi import session_to

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
API = "https://pay.example"
NOW = 1_772_366_400.0


class Checkout:
    """The part of the public API that the shop uses; says what a test tells it to."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.says: ResponseReturnValue | None = None
        self.reads = 0
        self.app = Flask("checkout")
        self.app.add_url_rule("/v1/checkout-sessions", view_func=self.create, methods=["POST"])
        self.app.add_url_rule("/v1/checkout-sessions/<session_id>", view_func=self.read)

    def create(self) -> ResponseReturnValue:
        assert request.headers["Authorization"] == "Bearer sk_bo"
        key, order = request.headers["Idempotency-Key"], request.get_json()
        self.heard.append((key, order))
        if self.says is not None:
            return self.says
        session_id = f"cs_{len(self.sessions)}"
        same = [session for session in self.sessions.values() if session["reference"] == key]
        session = same[0] if same else order | {"id": session_id, "status": "open", "review": False}
        session["url"] = f"{API}/pay/{session['id']}"
        self.sessions[session["id"]] = session
        return jsonify(session), 201

    def read(self, session_id: str) -> ResponseReturnValue:
        self.reads += 1
        return jsonify(self.sessions[session_id])


class Bo:
    """A merchant's engineer with a browser, and with the secret when a test lends it."""

    def __init__(self, checkout: Checkout, state: Path) -> None:
        self.checkout = checkout
        self.shop = create_demo_shop(
            api_url=API,
            api_key="sk_bo",
            webhook_secret=SECRET,
            public_url="https://shop.example/demo",
            state=str(state),
            http=session_to(checkout.app),
            clock=lambda: NOW,
        )
        self.browser = Client(DispatcherMiddleware(Flask("root"), {"/demo": self.shop}))

    def orders(self, **form: str) -> TestResponse:
        return self.browser.post("/demo/orders", data=form)

    def order(self) -> dict[str, Any]:
        """Place one and give its session as the checkout has it."""
        assert self.orders(jasmine="1").status_code == 303
        return list(self.checkout.sessions.values())[-1]

    def hears(
        self, session: dict[str, Any], version: int, webhook_id: str, kind: str = "checkout_session.paid"
    ) -> TestResponse:
        body = json.dumps({"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": session | {"version": version}})
        return self.browser.post("/demo/webhook", data=body, headers=signed(webhook_id, body))

    def thanks(self, number: str, **query: str) -> TestResponse:
        return self.browser.get(f"/demo/orders/{number}/thanks?{urlencode(query)}")

    def status(self, number: str) -> str:
        page = self.browser.get("/demo/orders").text
        found = re.search(rf'data-order="{number}" data-order-status="(\w+)"', page)
        assert found
        return found[1]


def signed(webhook_id: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(webhook_id, now, body),
    }


def returned(session: dict[str, Any], status: str, *, secret: str = SECRET, at: float = NOW) -> dict[str, str]:
    text = f"{session['id']}.{session['reference']}.{status}.{int(at)}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return {
        "session_id": session["id"],
        "reference": session["reference"],
        "status": status,
        "timestamp": str(int(at)),
        "signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
    }


@pytest.fixture
def checkout() -> Checkout:
    return Checkout()


@pytest.fixture
def bo(checkout: Checkout, tmp_path: Path) -> Bo:
    return Bo(checkout, tmp_path / "shop.db")


# Ordering -------------------------------------------------------------------------------------------------------------


def test_the_first_form_orders(bo: Bo, checkout: Checkout) -> None:
    form = bo.browser.get("/demo/").text.partition("<form")[2].partition("</form>")[0]
    action = re.search(r'method="post" action="([^"]+)"', form)
    fields = re.findall(r'name="(\w+)"\s+value="([^"]*)"', form)
    assert action

    answer = bo.browser.post(action[1], data=dict(fields))

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{API}/pay/cs_0"
    key, order = checkout.heard[0]
    assert key == order["reference"]
    assert order["currency"] == "HKD"
    assert order["amount"] == sum(item["amount"] for item in order["items"]) > 0
    assert order["return_url"] == f"https://shop.example/demo/orders/{key}/thanks"
    assert order["locale"] == "en"


def test_an_order_adds_up(bo: Bo, checkout: Checkout) -> None:
    bo.orders(jasmine="2", cup="1", lang="zh-HK")

    order = checkout.heard[0][1]
    assert order["amount"] == 2 * 12800 + 9850
    assert order["items"] == [
        {"name": "茉莉龍珠", "quantity": 2, "amount": 25600},
        {"name": "青瓷茶杯", "quantity": 1, "amount": 9850},
    ]
    assert order["locale"] == "zh-HK"


@pytest.mark.parametrize(
    "form",
    [
        {"jasmine": "0"},
        {"jasmine": "-1"},
        {"jasmine": "10"},
        {"jasmine": "a"},
        {"jasmine": "１"},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "0.00"},
        {"amount": "1.234"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": "NaN"},
        {"amount": "1000000"},
    ],
)
def test_an_order_of_nothing_or_nonsense_is_refused(bo: Bo, checkout: Checkout, form: dict[str, str]) -> None:
    answer = bo.orders(**form)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert checkout.heard == []


@pytest.mark.parametrize(
    ("text", "amount"), [("555.13", 55513), ("0.01", 1), (" 12.5 ", 1250), ("999999.99", 99999999)]
)
def test_an_engineer_may_choose_the_amount(bo: Bo, checkout: Checkout, text: str, amount: int) -> None:
    assert bo.orders(amount=text).status_code == 303
    assert checkout.heard[0][1]["amount"] == amount


PROBLEM = {"title": "Bad request", "detail": "Look.", "errors": [{"field": "return_url", "message": "<b>is off</b>"}]}


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ((PROBLEM, 400), "return_url: &lt;b&gt;is off&lt;/b&gt;"),
        (("<h1>Bad gateway</h1>", 502), "&lt;h1&gt;Bad gateway"),
        (("[]", 201), "201"),
        (({"id": "cs_1"}, 201), "201"),
        (({"errors": ["x", 1]}, 500), "500"),
        (("", 301, {"Location": "https://evil.example/"}), "301"),
    ],
)
def test_a_refused_order_is_kept_and_tried_again_under_the_same_key(
    bo: Bo, checkout: Checkout, says: ResponseReturnValue, shown: str
) -> None:
    checkout.says = says
    refused = bo.orders(jasmine="1")
    assert refused.status_code == 502
    assert shown in refused.text

    checkout.says = None
    again = re.search(r'method="post" action="(/demo/orders/[^"]+/pay)"', refused.text)
    assert again
    assert bo.browser.post(again[1]).headers["Location"] == f"{API}/pay/cs_0"
    assert checkout.heard[0] == checkout.heard[1]


def test_an_order_whose_session_is_open_goes_back_to_it(bo: Bo, checkout: Checkout) -> None:
    session = bo.order()

    answer = bo.browser.post(f"/demo/orders/{session['reference']}/pay")

    assert answer.headers["Location"] == session["url"]
    assert len(checkout.heard) == 1


def test_a_checkout_that_is_down_is_explained(tmp_path: Path) -> None:
    shop = create_demo_shop(
        api_url="http://127.0.0.1:9",
        api_key="sk_bo",
        webhook_secret=SECRET,
        public_url="http://127.0.0.1:8001",
        state=str(tmp_path / "new" / "shop.db"),
    )

    answer = shop.test_client().post("/orders")

    assert answer.status_code == 502
    assert "could not be reached" in answer.text


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


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("zh-HK", "zh-HK"),
        ("zh-TW,en;q=0.5", "zh-HK"),
        ("zh-Hant-MO", "zh-HK"),
        ("zh", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("fr, en;q=0.4, zh-HK;q=0.8", "zh-HK"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_shop_speaks_the_shoppers_language(bo: Bo, header: str, lang: str) -> None:
    assert f'<html lang="{lang}">' in bo.browser.get("/demo/", headers={"Accept-Language": header}).text
    assert '<html lang="en">' in bo.browser.get("/demo/?lang=en", headers={"Accept-Language": header}).text


def test_every_language_has_the_same_words() -> None:
    words = json.loads((Path(__file__).parents[2] / "demo" / "words.json").read_text("utf-8"))

    assert words["en"].keys() == words["zh-HK"].keys() == words["zh-CN"].keys()
    assert all(all(text.values()) for text in words.values())


@pytest.mark.parametrize("path", ["/", "/orders", "/orders/TEA-NONE/thanks", "/nothing", "/static/shop.css"])
def test_no_page_may_load_from_elsewhere(bo: Bo, path: str) -> None:
    answer = bo.browser.get(f"/demo{path}", buffered=True)

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert policy.endswith("form-action 'self' https://pay.example https://shop.example")
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)="(https?:)?//""", answer.text)
    assert " style=" not in answer.text


def test_every_link_stays_under_the_mount_point(bo: Bo) -> None:
    number = bo.order()["reference"]
    for path in ("/", "/orders", f"/orders/{number}/thanks"):
        links = re.findall(r'(?:href|src|action)="([^"]+)"', bo.browser.get(f"/demo{path}").text)
        assert links
        assert all(link.startswith(("/demo/", f"{API}/pay/")) for link in links)


def test_an_unknown_order_is_nobodys(bo: Bo) -> None:
    assert bo.thanks("TEA-NONE").status_code == 404
    assert bo.browser.post("/demo/orders/TEA-NONE/pay").status_code == 404


def test_the_shop_imports_nothing_of_ours() -> None:
    source = (Path(__file__).parents[2] / "demo_shop.py").read_text("utf-8")

    assert not re.search(r"^\s*(from|import) (app|checkout|config|sandbox|worker|tests)\b", source, re.MULTILINE)
