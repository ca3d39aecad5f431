"""The gateway calls: a notification is a hint, stored before it is acknowledged, and never proof by itself."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from checkout.domain.signing import sign_notification
from checkout.store.models import GatewayWord
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
