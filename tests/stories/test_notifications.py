"""The gateway calls: a notification is a hint, stored before it is acknowledged, and never proof by itself."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from checkout.domain.signing import sign_notification
from checkout.services import reviews
from checkout.store.models import GatewayWord, Refund
from sandbox import Scenario
from tests.stories.cast import PUBLIC, Merchant, Shopper, World

KEY = "key-of-APP1"


def body_for(number: str, **changes: Any) -> bytes:
    fields = {
        "status": "1", "pay_type": "801514", "sysdtm": "2026-03-10 12:00:01", "paydtm": "2026-03-10 12:00:30",
        "txcurrcd": "HKD", "txdtm": "2026-03-10 12:00:00", "txamt": "8800", "out_trade_no": number,
        "syssn": "20260310000200020000000001", "cancel": "0", "respcd": "0000", "notify_type": "payment",
    }  # fmt: skip
    return json.dumps(fields | changes).encode()


def post(world: World, bo: Merchant, body: bytes, signature: str | None) -> TestResponse:
    headers = {"X-QF-SIGN": signature} if signature is not None else {}
    return Client(world.app).post(
        f"/notify/{bo.told.merchant_id}", data=body, base_url=PUBLIC, headers=headers, content_type="application/json"
    )


def words(world: World) -> list[tuple[str, bool]]:
    with world.parts.sessions() as db:
        query = select(GatewayWord).where(GatewayWord.source == "notification").order_by(GatewayWord.heard_at)
        return [(word.out_trade_no, word.known) for word in db.scalars(query)]


def test_a_genuine_notice_is_acknowledged_and_asked_about(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.passes(20)
    world.pays(session)
    assert world.notifies() == [200]
    asked = world.enquiries()
    world.passes(2)
    assert world.enquiries() > asked
    assert ada.sees() == "Paid"


def test_the_gateway_is_asked_at_once_but_never_twice_within_two_seconds(world: World, bo: Merchant) -> None:
    mine, other = two_who_scan(world, bo)
    world.passes(60)
    body = body_for(world.attempt(mine).out_trade_no)
    asked_at = world.attempt(mine).asked_at
    assert asked_at is not None
    world.clock.now = asked_at + timedelta(seconds=1)
    waits = world.attempt(other).next_at
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert world.attempt(mine).next_at == world.clock.now + timedelta(seconds=1)
    assert world.attempt(other).next_at == waits
    world.clock.now += timedelta(seconds=1.5)
    body = body_for(world.attempt(other).out_trade_no)
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert world.attempt(other).next_at == min(waits, world.clock.now)  # type: ignore[type-var]


def test_a_refund_that_the_gateway_speaks_of_is_asked_about_at_once(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.REFUND_PROCESSING)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="1")
    world.works()

    def refund() -> Refund:
        with world.parts.sessions() as db:
            return db.scalars(select(Refund)).one()

    waits = refund().next_at
    assert waits
    assert waits > world.clock.now
    body = body_for(refund().out_trade_no, notify_type="refund")
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert refund().next_at == world.clock.now


def test_the_answer_is_exactly_success(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    body = body_for(world.attempt(session).out_trade_no)
    for signature in (sign_notification(body, KEY), sign_notification(body, KEY).lower()):
        answer = post(world, bo, body, signature)
        assert (answer.status_code, answer.data) == (200, b"SUCCESS")
    assert words(world) == [(world.attempt(session).out_trade_no, True)]


def test_a_genuine_signature_alone_pays_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    body = body_for(world.attempt(session).out_trade_no)
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    world.passes(30)
    assert ada.stage() == "scan"
    assert bo.reads(session)["status"] == "open"


FORGERIES = [None, "", "0" * 32, "x", "é" * 16, "A" * 5000]


@pytest.mark.parametrize("signature", FORGERIES, ids=["none", "empty", "zeros", "short", "non-ascii", "long"])
def test_a_forgery_changes_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], signature: str | None
) -> None:
    ada.picks("alipay_hk")
    due = world.attempt(session).next_at
    answer = post(world, bo, body_for(world.attempt(session).out_trade_no), signature)
    assert answer.status_code == 401
    assert (words(world), world.attempt(session).next_at) == ([], due)


def test_another_merchants_key_opens_nothing(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    world.merchant("Cy's Shop")
    ada.picks("alipay_hk")
    body = body_for(world.attempt(session).out_trade_no)
    assert post(world, bo, body, sign_notification(body, "key-of-APP2")).status_code == 401


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"null", b"\xff", b'{"a": NaN}', b"{}", body_for("a\0b"), body_for("x" * 129)]
)
def test_signed_rubbish_is_refused(world: World, bo: Merchant, body: bytes) -> None:
    assert post(world, bo, body, sign_notification(body, KEY)).status_code == 400


def test_a_body_too_large_is_not_read(world: World, bo: Merchant) -> None:
    body = b"{" + b" " * 16_400 + b"}"
    assert post(world, bo, body, sign_notification(body, KEY)).status_code == 413


def test_a_notice_for_an_unknown_number_is_kept(world: World, bo: Merchant) -> None:
    body = body_for("SNOSUCHNUMBER")
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert words(world) == [("SNOSUCHNUMBER", False)]


@pytest.mark.parametrize("number", ["S", "S" * 128])
def test_a_number_of_any_length_that_fits_the_books_is_kept(world: World, bo: Merchant, number: str) -> None:
    body = body_for(number)
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert words(world) == [(number, False)]


def flagged(world: World) -> dict[str, str]:
    """Why a person must look at which session."""
    with world.parts.sessions() as db:
        return {review["session"]: review["because"] for review in reviews.open_reviews(db)}


def two_who_scan(world: World, bo: Merchant) -> list[dict[str, Any]]:
    sessions = [bo.opens(reference=name) for name in ("ada", "cy")]
    for session in sessions:
        world.shopper(session).picks("alipay_hk")
    return sessions


@pytest.mark.parametrize(("field", "value"), [("txamt", "8801"), ("txcurrcd", "CNY"), ("pay_type", "801101")])
def test_a_genuine_notice_of_money_on_other_terms_calls_a_person_at_once(
    world: World, bo: Merchant, field: str, value: str
) -> None:
    mine, _ = two_who_scan(world, bo)
    body = body_for(world.attempt(mine).out_trade_no, **{field: value})
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert flagged(world) == {mine["id"]: "notice_mismatch"}
    assert world.violations() == []


@pytest.mark.parametrize("change", [{"notify_type": "refund"}, {"respcd": "1142"}, {"cancel": "3"}])
def test_a_notice_on_other_terms_that_brings_no_money_calls_nobody(
    world: World, bo: Merchant, change: dict[str, str]
) -> None:
    mine, _ = two_who_scan(world, bo)
    body = body_for(world.attempt(mine).out_trade_no, txamt="8801", **change)
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert flagged(world) == {}


@pytest.mark.parametrize("field", ["txamt", "txcurrcd", "pay_type"])
def test_what_a_notice_leaves_out_it_does_not_deny(world: World, bo: Merchant, field: str) -> None:
    mine, _ = two_who_scan(world, bo)
    said = json.loads(body_for(world.attempt(mine).out_trade_no))
    body = json.dumps({name: value for name, value in said.items() if name != field}).encode()
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert flagged(world) == {}


def test_an_unknown_address_is_nobodys(world: World, bo: Merchant) -> None:
    answer = Client(world.app).post("/notify/m_nobody", data=b"{}", base_url=PUBLIC)
    assert answer.status_code == 404


def test_an_early_notice_finds_its_row(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    world.next(Scenario.NOTIFICATION_EARLY)
    ada.picks("alipay_hk")
    world.notifies()
    world.passes(5)
    assert ada.sees() == "Paid"


def test_three_notices_are_one_payment(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    world.next(Scenario.DUPLICATE_NOTIFICATION)
    ada.picks("alipay_hk")
    world.pays(session)
    assert world.notifies() == [200, 200, 200]
    world.passes(5)
    assert len(bo.reads(session)["payments"]) == 1
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]


def test_without_any_notice_the_payment_is_found(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.NOTIFICATION_LOST)
    ada.picks("alipay_hk")
    world.pays(session)
    assert world.notifies() == []
    world.passes(5)
    assert ada.sees() == "Paid"


def test_what_the_gateway_said_is_stored_sealed(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.notifies()
    world.passes(4)
    with world.parts.sessions() as db:
        kept = list(db.scalars(select(GatewayWord)))
        assert {word.source for word in kept} == {"payment", "notification", "enquiry"}
        assert db.scalar(select(func.count()).select_from(GatewayWord)) == 3
    for word in kept:
        assert b"syssn" not in word.body_sealed
        assert b"syssn" in world.parts.vault.open(word.body_sealed, owner=f"gateway_word/{word.id}")
