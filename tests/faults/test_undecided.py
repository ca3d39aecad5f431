"""F11 and F12: the gateway says neither yes nor no, or that the number was used before."""

import json
from typing import Any

import pytest
from werkzeug.wrappers import Response

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
