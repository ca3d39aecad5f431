"""Attempts and sessions that would be forgotten, or hang for ever."""

import json
from typing import Any

from werkzeug.test import Client

from checkout.domain.signing import sign_notification
from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_answers, gateway_hooks
from tests.stories.cast import PUBLIC, Merchant, Shopper, World

DAY = 24 * 3600
QUERY = "/trade/v1/query"


def notified(world: World, bo: Merchant, number: str, **changes: Any) -> None:
    """A genuine notice of a success."""
    fields = {
        "status": "1", "pay_type": "801514", "sysdtm": "2026-03-10 12:00:01", "paydtm": "2026-03-10 12:00:30",
        "txcurrcd": "HKD", "txdtm": "2026-03-10 12:00:00", "txamt": "8800", "out_trade_no": number,
        "syssn": "20260310000200020000000001", "cancel": "0", "respcd": "0000", "notify_type": "payment",
    } | changes  # fmt: skip
    body = json.dumps(fields).encode()
    sign = {"X-QF-SIGN": sign_notification(body, "key-of-APP1")}
    answer = Client(world.app).post(f"/notify/{bo.told.merchant_id}", data=body, base_url=PUBLIC, headers=sign)
    assert answer.data == b"SUCCESS"


def test_a_gateway_that_is_silent_for_two_days_calls_for_a_person(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)
    world.passes(2 * DAY, step=3600)
    told = bo.reads(session)
    assert told["review"] is True, "closing for two days, and nobody was told to look"


def test_a_failed_code_that_the_gateway_calls_processing_afterwards_calls_for_a_person(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.decline(world.attempt(session).out_trade_no)
    world.passes(5)
    assert world.attempt(session).status == "failed"

    def processing(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"data": [item | {"respcd": "1145"} for item in answer["data"]]}

    gateway_answers(world, QUERY, processing)
    world.passes(3 * DAY, step=3600)
    told, attempt = bo.reads(session), world.attempt(session)
    assert told["status"] != "open" or attempt.next_at is not None, "closing for ever, and never asked about again"
    assert told["status"] != "open" or told["review"] is True


def test_a_genuine_notice_about_a_refused_order_is_asked_about(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    """The gateway answered "no", and announces a success: its two words clash, so the books must be asked."""
    world.next(Scenario.NOT_ENOUGH_BALANCE)
    ada.picks("alipay_hk")
    assert world.attempt(session).status == "failed"
    asked = world.enquiries()
    notified(world, bo, world.attempt(session).out_trade_no)
    world.passes(10)
    assert world.enquiries() > asked


def test_a_second_success_is_asked_about_when_it_is_announced_days_later(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    world.next(Scenario.DOUBLE)
    ada.picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    world.ledger.pay(number)
    world.passes(3 * DAY, step=3600)
    assert bo.reads(session)["status"] == "paid"
    second = world.ledger.pay(number)  # another scan of the code, kept on paper
    notified(world, bo, number, syssn=second.syssn)
    world.passes(120)
    assert [payment["role"] for payment in bo.reads(session)["payments"]] == ["accepted", "surplus"]


def test_a_session_under_review_takes_no_second_payment(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    """Its page says "Please do not pay again"; another tab, opened before, still has its buttons."""
    world.next(Scenario.WRONG_AMOUNT)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "review"
    ada.picks("alipay")
    assert len(world.attempts(session)) == 1, "a second order was made for what may be paid already"


def test_an_event_never_shares_its_version_with_another_content(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    """While the gateway is asked, anybody may read the new attempt; what is told afterwards is newer."""
    world.next(Scenario.REFUSED_1104)
    read: list[dict[str, Any]] = []
    gateway_hooks(world, "/trade/v1/payment", lambda _: read.append(bo.reads(session)))
    ada.picks("alipay_hk")
    world.works()
    news = bo.heard()[-1]
    assert news["type"] == "attempt.failed"
    assert news["data"]["version"] > read[0]["version"]


def test_the_one_wallet_can_be_tried_again_after_a_call_without_an_answer(world: World, bo: Merchant) -> None:
    """safety.md F2: a new attempt with a new number is allowed, the old one is watched to its end."""
    session = bo.opens(wallets=["alipay_hk"])
    ada = world.shopper(session)
    world.ledger.inject("/trade/v1/payment", Trouble.HTTP_500, 1)
    ada.picks("alipay_hk")
    assert ada.stage() == "unknown"
    world.passes(60)
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
