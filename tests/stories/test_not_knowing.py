"""What we do while we do not know: unknown is a state with words, and only the gateway ends it."""

from typing import Any

import pytest

from sandbox import Scenario, Trouble
from tests.stories.cast import Merchant, Shopper, World

SILENT = [
    Scenario.NEVER_ANSWERS,
    Scenario.LOST_ANSWER,
    Scenario.HTTP_500,
    Scenario.HTML_ANSWER,
    Scenario.GARBAGE_JSON,
    Scenario.BUSY_1298,
]


@pytest.mark.parametrize("scenario", SILENT)
def test_an_order_without_an_answer_is_unknown_and_then_found(
    world: World, ada: Shopper, session: dict[str, Any], scenario: Scenario
) -> None:
    world.next(scenario)
    ada.picks("alipay_hk")
    assert ada.sees() == "We have no answer yet"
    assert world.attempt(session).status == "unknown"
    assert "data-qr" not in ada.page()

    world.ledger.pay(world.attempt(session).out_trade_no)  # nobody saw its code; the gateway says paid all the same
    world.passes(20)
    assert ada.sees() == "Paid"
    assert len(world.ledger.orders()) == 1


def test_an_order_whose_answer_was_lost_can_be_paid_after_a_try_that_failed(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    """Nobody was shown its code, but the gateway has it: one declined scan does not end what we watch."""
    world.next(Scenario.LOST_ANSWER)
    ada.picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    world.ledger.decline(number)
    world.passes(20)
    assert ada.sees() == "The payment did not go through"
    ada.cancels()
    assert ada.stage() == "closing"
    world.ledger.pay(number)
    world.passes(20)
    assert ada.sees() == "Paid"
    assert world.violations() == []


def test_while_nobody_has_answered_an_impatient_shopper_gets_no_second_number(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.NEVER_ANSWERS)
    world.ledger.inject("/trade/v1/query", Trouble.DROP, 3)
    ada.picks("alipay_hk")
    world.passes(4)
    ada.picks("alipay_hk")
    assert [(one.status, one.answered_at) for one in world.attempts(session)] == [("unknown", None)]
    world.passes(60)  # now an enquiry has been answered: that number was never an order
    ada.picks("alipay_hk")
    first, second = world.attempts(session)
    assert first.answered_at
    assert first.out_trade_no != second.out_trade_no
    assert ada.stage() == "scan"
    assert world.violations() == []


def test_a_code_that_can_be_paid_is_kept_however_often_it_is_asked_for(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.passes(60)
    ada.picks("alipay_hk")
    assert len(world.attempts(session)) == 1


@pytest.mark.parametrize("scenario", [Scenario.NO_PAY_URL, Scenario.EVIL_PAY_URL, Scenario.WRONG_ECHO])
def test_a_suspicious_answer_shows_no_code_and_calls_for_a_person(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant, scenario: Scenario
) -> None:
    world.next(scenario)
    ada.picks("alipay_hk")
    assert ada.stage() == "review"
    assert "data-qr" not in ada.page()
    assert world.attempt(session).target is None
    world.works()
    told = bo.reads(session)
    assert (told["review"], told["review_reason"]) == (True, "answer_mismatch")
    assert "checkout_session.review_opened" in [news["type"] for news in bo.heard()]


@pytest.mark.parametrize(
    ("scenario", "failure"),
    [
        (Scenario.REFUSED_1104, {"code": "1104", "reason": "unavailable"}),
        (Scenario.NOT_ENOUGH_BALANCE, {"code": "1201", "reason": "balance"}),
    ],
)
def test_a_refusal_is_a_failure_with_a_way_on(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant, scenario: Scenario, failure: dict[str, str]
) -> None:
    world.next(scenario)
    ada.picks("alipay_hk")
    assert ada.sees() == "The payment did not go through"
    assert set(ada.may_pick()) == {"alipay", "alipay_hk"}
    ada.picks("alipay_hk")
    assert ada.sees() == "Scan with AlipayHK"
    first, second = world.attempts(session)
    assert first.out_trade_no != second.out_trade_no
    world.pays(session)
    world.passes(4)
    assert ada.sees() == "Paid"
    assert bo.reads(session)["attempts"][0]["failure"] == failure


def test_a_gateway_that_cannot_be_reached_is_told_and_tried_again(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    world.ledger.inject("/trade/v1/payment", Trouble.HTTP_429, 1)
    ada.picks("alipay_hk")
    assert ada.sees() == "The payment did not go through"
    assert "is not available at the moment" in ada.page()
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"


@pytest.mark.parametrize("trouble", [Trouble.HTTP_500, Trouble.HTTP_429, Trouble.DROP, Trouble.GARBAGE, Trouble.HTML])
def test_enquiries_without_an_answer_change_nothing(
    world: World, ada: Shopper, session: dict[str, Any], trouble: Trouble
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.ledger.inject("/trade/v1/query", trouble, 3)
    world.passes(3)
    assert ada.sees() == "Scan with AlipayHK"
    world.passes(60)
    assert ada.sees() == "Paid"


@pytest.mark.parametrize("scenario", [Scenario.PENDING_1143, Scenario.PROCESSING_1145])
def test_a_payment_under_way_is_waited_for(
    world: World, ada: Shopper, session: dict[str, Any], scenario: Scenario
) -> None:
    world.next(scenario)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(10)
    assert ada.sees() == "Scan with AlipayHK"
    world.passes(30)
    assert ada.sees() == "Paid"


@pytest.mark.parametrize("scenario", [Scenario.WRONG_AMOUNT, Scenario.WRONG_CURRENCY, Scenario.WRONG_PAY_TYPE])
def test_money_that_is_not_what_was_asked_for_is_never_paid(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant, scenario: Scenario
) -> None:
    world.next(scenario)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "review"
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("open", True)
    assert [payment["role"] for payment in told["payments"]] == ["mismatch"]
    assert [news["type"] for news in bo.heard()] == ["checkout_session.review_opened"]


def test_money_that_went_back_is_not_paid(world: World, ada: Shopper, session: dict[str, Any], bo: Merchant) -> None:
    world.next(Scenario.RETURNED)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert bo.reads(session)["status"] == "open"
    assert ada.stage() == "review"


def test_two_scans_of_one_code_are_both_counted(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    world.next(Scenario.PAID_TWICE)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(70)
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("paid", False)
    assert [payment["role"] for payment in told["payments"]] == ["accepted", "surplus"]
    assert [(refund["cause"], refund["status"]) for refund in told["refunds"]] == [("surplus", "succeeded")]


def test_a_decline_in_the_wallet_is_told_and_its_code_stays_watched(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    world.ledger.decline(number)
    world.passes(5)
    assert ada.sees() == "The payment did not go through"
    assert "attempt.failed" in [news["type"] for news in bo.heard()]
    world.ledger.pay(number)  # the code is still on another screen, and is scanned again
    world.passes(40)
    assert ada.sees() == "Paid"
