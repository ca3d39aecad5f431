"""F11 and F12: the gateway says neither yes nor no, or that the number was used before."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.wrappers import Response

from checkout.store.models import GatewayWord
from sandbox import Scenario
from tests.faults.wires import DAY, PAYMENT, QUERY, UNANSWERED, asked_about, instead
from tests.hostile.tricks import gateway_answers, mount
from tests.stories.cast import Merchant, Shopper, World

# --- F11: processing, for ever


@pytest.mark.parametrize("code", ["1145", "1298", "2999"])
def test_f11_what_is_processed_for_ever_is_never_failed_by_time(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], code: str
) -> None:
    gateway_answers_for_ever(world, code)
    ada.picks("alipay_hk")
    assert ada.sees() == UNANSWERED
    number = world.attempt(session).out_trade_no
    world.ledger.scan(world.ledger.order(number).token)
    ends_at = world.attempt(session).ends_at
    world.passes((ends_at - world.clock()).total_seconds() + DAY - 1800, step=1800)
    assert bo.reads(session)["review"] is False
    world.passes(2 * 3600, step=1800)
    assert bo.reads(session)["review"] is True, "a day after its end a person must look"
    asked = asked_about(world, number)
    world.passes(30 * DAY, step=6 * 3600)
    told = bo.reads(session)
    assert told["status"] == "open"
    assert world.attempt(session).status in {"pending", "unknown"}
    assert asked_about(world, number) > asked + 20, "asking goes on"
    assert not {"attempt.failed", "checkout_session.expired"} & {news["type"] for news in bo.heard()}


def gateway_answers_for_ever(world: World, code: str) -> None:
    """Payment calls and records alike say this code; the order is taken."""

    def between(environ: Any, start_response: Any) -> Any:
        answer = Response.from_app(world.sandbox, environ)
        said = json.loads(answer.get_data())
        if environ["PATH_INFO"] == QUERY:
            said["data"] = [item | {"respcd": code} for item in said["data"]]
        else:
            said |= {"respcd": code, "pay_url": ""}
        answer.set_data(json.dumps(said))
        return answer(environ, start_response)

    mount(world, between)


def test_f11_a_code_that_is_never_paid_ends_and_a_late_payment_is_found(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """1143 says “not paid yet” for ever of an abandoned order: minutes after its end that means unpaid."""
    ada.picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    world.ledger.scan(world.ledger.order(number).token)
    still_open = {"respcd": "1143"}
    gateway_answers(
        world, QUERY, lambda a: a | {"data": [i | still_open if i["respcd"] == "1181" else i for i in a["data"]]}
    )
    world.passes(3600, step=30)
    assert bo.reads(session)["status"] == "expired"
    assert world.attempt(session).status == "closed"
    assert "attempt.failed" not in [news["type"] for news in bo.heard()]
    world.ledger.set_scenario(number, Scenario.LATE_PAYMENT)
    world.ledger.pay(number)
    world.passes(DAY, step=3600)
    assert [payment["role"] for payment in bo.reads(session)["payments"]] == ["late"]


# --- F12: the number was used before


@pytest.mark.parametrize("code", ["1251", "2011", "1102"])
def test_f12_a_used_number_is_asked_about_and_adopted_when_it_is_ours(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], code: str
) -> None:
    gateway_answers(world, PAYMENT, lambda _: {"respcd": code, "resperr": "", "respmsg": ""})
    ada.picks("alipay_hk")
    attempt = world.attempt(session)
    assert (attempt.status, ada.sees()) == ("unknown", UNANSWERED)
    world.ledger.pay(attempt.out_trade_no)
    world.passes(3)
    assert asked_about(world, attempt.out_trade_no) == 1
    assert ada.sees() == "Paid"
    assert len(world.attempts(session)) == 1


@pytest.mark.parametrize("code", ["1251", "2011", "1102"])
def test_f12_a_used_number_that_stands_for_another_order_calls_for_a_person(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], code: str
) -> None:
    gateway_answers(world, PAYMENT, lambda _: {"respcd": code, "resperr": "", "respmsg": ""})
    ada.picks("alipay_hk")
    world.ledger.pay(world.attempt(session).out_trade_no)
    gateway_answers(world, QUERY, lambda answer: answer | {"data": [i | {"txamt": "100"} for i in answer["data"]]})
    world.passes(10)
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("open", True)


def used(world: World, code: str = "1251", times: int = 1) -> None:
    """The gateway refuses the next orders because of their numbers, and does nothing."""
    left = [times]

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != PAYMENT or not left[0]:
            return world.sandbox(environ, start_response)
        left[0] -= 1
        said = json.dumps({"respcd": code, "resperr": "used"})
        return Response(said, content_type="application/json")(environ, start_response)

    mount(world, between)


def ends(world: World, session: dict[str, Any], seconds: float = 60) -> None:
    """Time goes by until the first code's life is over, and a little more."""
    world.passes((world.attempts(session)[0].ends_at - world.clock()).total_seconds() + seconds, step=20)


@pytest.mark.parametrize("code", ["1251", "2011", "1102"])
def test_f12_a_used_number_that_is_never_found_calls_for_a_person_and_nobody_is_told_paid(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], code: str
) -> None:
    used(world, code)
    ada.picks("alipay_hk")
    ends(world, session, -10)
    assert (bo.reads(session)["review"], ada.stage()) == (False, "closing"), "it may only not have been scanned"
    ends(world, session)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"], told["payments"]) == ("expired", "number_used", [])
    assert (world.attempt(session).status, ada.stage()) == ("closed", "review")
    assert "checkout_session.paid" not in [news["type"] for news in bo.heard()]
    assert world.app.test_cli_runner().invoke(args=["review", "close", session["id"], "--reason", "asked"]).output
    world.passes(2 * DAY, step=3600)
    assert bo.reads(session)["review"] is False, "who has looked is not called again"
    assert world.violations() == []


def test_f12_meanwhile_a_fresh_number_is_paid_and_the_person_is_called_all_the_same(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    used(world)
    ada.picks("alipay_hk")
    world.passes(4)
    assert set(ada.may_pick()) == {"alipay", "alipay_hk"}
    ada.picks("alipay_hk")
    first, second = world.attempts(session)
    assert (ada.stage(), first.out_trade_no != second.out_trade_no) == ("scan", True)
    world.pays(session)
    world.passes(4)
    assert (ada.sees(), bo.reads(session)["review"]) == ("Paid", False)
    ends(world, session)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"], len(told["payments"])) == ("paid", "number_used", 1)
    assert world.violations() == []


def test_f12_a_used_number_whose_record_comes_late_explains_itself(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """The order was ours, lost on its way back; the gateway lists it only when somebody has scanned it."""
    gateway_answers(world, PAYMENT, lambda _: {"respcd": "1251", "resperr": "used"})
    ada.picks("alipay_hk")
    gateway_answers(world, QUERY, lambda answer: answer | {"data": []})
    ends(world, session)
    assert bo.reads(session)["review_reason"] == "number_used"
    number = world.attempt(session).out_trade_no
    world.ledger.set_scenario(number, Scenario.LATE_PAYMENT)
    world.ledger.pay(number)
    mount(world, world.sandbox)
    world.passes(3600, step=60)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"]) == ("expired", "late")
    assert [payment["role"] for payment in told["payments"]] == ["late"]
    assert world.violations() == []


def test_f12_the_answer_that_explains_a_used_number_is_kept(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """Scanned and never paid, and listed late: nobody need look any more, and what says so can be read again."""
    gateway_answers(world, PAYMENT, lambda _: {"respcd": "1251", "resperr": "used"})
    ada.picks("alipay_hk")
    world.ledger.scan(world.ledger.order(world.attempt(session).out_trade_no).token)
    gateway_answers(world, QUERY, lambda answer: answer | {"data": []})
    ends(world, session)
    assert bo.reads(session)["review_reason"] == "number_used"
    mount(world, world.sandbox)
    world.passes(3600, step=60)
    assert bo.reads(session)["review"] is False
    with world.parts.sessions() as db:
        assert db.scalars(select(GatewayWord.source)).all().count("enquiry") == 1
    assert world.violations() == []


def test_f12_a_used_number_that_is_ours_and_never_paid_calls_for_nobody(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    gateway_answers(world, PAYMENT, lambda _: {"respcd": "1251", "resperr": "used"})
    ada.picks("alipay_hk")
    world.ledger.scan(world.ledger.order(world.attempt(session).out_trade_no).token)
    ends(world, session)
    assert bo.reads(session)["status"] == "expired"
    assert "checkout_session.review_opened" not in [news["type"] for news in bo.heard()]
    assert world.violations() == []


def test_f12_an_unanswered_order_that_nobody_used_calls_for_nobody(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    instead(world, PAYMENT, lambda: Response(json.dumps({"respcd": "1145", "resperr": "wait"})))
    ada.picks("alipay_hk")
    ends(world, session)
    assert (bo.reads(session)["status"], bo.reads(session)["review"]) == ("expired", False)
    assert world.violations() == []


def test_f12_used_numbers_lead_to_no_loop_of_new_ones(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    instead(world, PAYMENT, lambda: Response(json.dumps({"respcd": "1251", "resperr": "used"})))
    for _ in range(30):
        ada.picks("alipay_hk")
        ada.picks("alipay")
        world.passes(2)
        minute = [one for one in world.attempts(session) if (world.clock() - one.created_at).total_seconds() < 60]
        assert len(minute) <= 3
    world.passes(600, step=10)
    seen = len(world.attempts(session))
    world.passes(600, step=10)
    assert len(world.attempts(session)) == seen, "nothing tries a new number by itself"
