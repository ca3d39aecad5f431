"""How payments are followed: many in one call, never too often, within the budget, each merchant in its own lane."""

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkout.services.enquiries import BATCH, enquire_next
from checkout.store.models import Attempt
from sandbox import Trouble
from tests.stories.cast import NOON, Merchant, Shopper, World


def times_asked(world: World, number: str) -> list[float]:
    calls = [call for call in world.ledger.calls("/trade/v1/query") if number in call.params["out_trade_no"].split(",")]
    return [(call.at - NOON).total_seconds() for call in calls]


def test_the_cadence_is_the_tables(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    for _ in range(60):
        ada.polls()
        world.passes(1)
    at = times_asked(world, world.attempt(session).out_trade_no)
    gaps = [after - before for before, after in itertools.pairwise(at)]
    assert at[0] == 2
    assert set(gaps) == {3.0}


def test_a_page_without_scripts_is_a_page_too(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    for _ in range(20):
        ada.page()  # what the meta refresh does
        world.passes(3)
    at = times_asked(world, world.attempt(session).out_trade_no)
    assert max(after - before for before, after in itertools.pairwise(at)) <= 5


def test_without_a_page_it_is_asked_more_seldom(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    world.passes(120)
    assert len(times_asked(world, world.attempt(session).out_trade_no)) <= 10


def test_many_payments_are_one_call(world: World, bo: Merchant) -> None:
    sessions = [bo.opens(reference=f"R-{n}") for n in range(30)]
    for session in sessions:
        world.shopper(session).picks("alipay_hk")
    world.passes(3)
    calls = world.ledger.calls("/trade/v1/query")
    assert sum(len(call.params["out_trade_no"].split(",")) for call in calls) == 30
    assert len(calls) == 1


def test_a_full_batch_is_one_call_too(world: World, bo: Merchant) -> None:
    """Found when as many as a page holds were asked about twice at once, which the budget knew nothing of."""
    for number in range(BATCH + 1):
        session = bo.opens(reference=f"R-{number}")
        world.shopper(session).picks("alipay_hk")
        world.ledger.scan(world.ledger.order(world.attempt(session).out_trade_no).token)  # from now on it has a record
        world.clock.now += timedelta(milliseconds=50)
    with world.parts.sessions() as db:
        db.execute(update(Attempt).values(next_at=world.clock(), asked_at=None))
        db.commit()
    before = len(world.ledger.calls("/trade/v1/query"))
    assert enquire_next(world.asking)
    [call] = world.ledger.calls("/trade/v1/query")[before:]
    assert len(call.params["out_trade_no"].split(",")) == BATCH


def test_a_payment_is_never_asked_about_twice_in_two_seconds(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    for _ in range(40):
        ada.says_paid()
        ada.comes_back()
        world.passes(0.5, step=0.5)
    at = times_asked(world, world.attempt(session).out_trade_no)
    assert min(after - before for before, after in itertools.pairwise(at)) >= 2


def test_twenty_tabs_cost_no_more_than_one(make_world: Callable[..., World]) -> None:
    world = make_world()
    bo = world.merchant()
    asked = {}
    for tabs in (1, 20):
        session = bo.opens(reference=f"{tabs} tabs")
        ada = world.shopper(session)
        ada.picks("alipay_hk")
        for _ in range(60):
            for _tab in range(tabs):
                ada.polls()
            world.passes(1)
        asked[tabs] = len(times_asked(world, world.attempt(session).out_trade_no))
        world.pays(session)
        world.passes(5)
    assert asked[20] <= asked[1]


def test_the_budget_holds_and_creating_comes_first(make_world: Callable[..., World]) -> None:
    world = make_world(GATEWAY_RATE_PER_MINUTE="30")
    bo = world.merchant()
    for number in range(4):
        world.shopper(bo.opens(reference=f"R-{number}")).picks("alipay_hk")
    for _ in range(120):
        for session in bo.api("GET", "/v1/checkout-sessions").json["data"]:  # type: ignore[index]
            world.shopper(session).says_paid()
        world.passes(1)
    minutes = Counter(int((call.at - NOON).total_seconds() // 60) for call in world.ledger.calls())
    assert max(minutes.values()) <= 30
    late = bo.opens(reference="late")
    ada = world.shopper(late)
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"


def test_one_dead_gateway_delays_no_other_merchant(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    stuck, fine = bo.opens(), cy.opens()
    for session in (stuck, fine):
        world.shopper(session).picks("alipay_hk")
        world.pays(session)
    with world.asking.lanes.entered(bo.told.merchant_id):  # a thread is waiting for Bo's gateway
        world.passes(3)
        assert cy.reads(fine)["status"] == "paid"
        assert bo.reads(stuck)["status"] == "open"
    world.passes(3)
    assert bo.reads(stuck)["status"] == "paid"


def test_questions_without_an_answer_are_repeated_more_slowly(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.inject("/trade/v1/query", Trouble.HTTP_500, 1000)
    world.passes(300)
    at = times_asked(world, world.attempt(session).out_trade_no)
    gaps = [round(after - before) for before, after in itertools.pairwise(at)]
    assert gaps[:4] == [2, 4, 8, 16]
    assert set(gaps[4:]) == {30}  # five in a row: from now on it is asked as a probe


def test_a_hint_that_comes_during_an_enquiry_is_not_lost(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    world.passes(20)
    gateway = world.sandbox.wsgi_app

    def pays_while_we_ask(environ: Any, start_response: Any) -> Any:
        answer = list(gateway(environ, start_response))  # "not paid yet", on its way to us
        if environ["PATH_INFO"].endswith("/query"):
            world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
            world.pays(session)
            assert world.notifies() == [200]
        return answer

    world.sandbox.wsgi_app = pays_while_we_ask  # type: ignore[method-assign]
    world.passes(15)
    assert world.sandbox.wsgi_app is gateway
    world.passes(3)
    assert ada.sees() == "Paid"


def test_an_order_that_died_with_its_process_is_found(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    from checkout.domain.lifecycle import AttemptStatus
    from checkout.store.models import Attempt

    ada.picks("alipay_hk")
    with world.parts.sessions() as db:  # as if we had been killed between the gateway's answer and our commit
        attempt = db.get_one(Attempt, world.attempt(session).id)
        attempt.status, attempt.target, attempt.qr_svg, attempt.syssn = AttemptStatus.CREATED, None, None, None
        attempt.next_at = world.clock() + timedelta(seconds=30)
        db.commit()
    assert ada.sees() == "One moment…"
    world.passes(40)
    assert ada.sees() == "We have no answer yet"
    world.pays(session)
    world.passes(40)
    assert ada.sees() == "Paid"


@pytest.mark.parametrize("days", [2, 7])
def test_an_old_code_is_not_asked_about_for_ever(
    world: World, ada: Shopper, session: dict[str, Any], days: int
) -> None:
    ada.picks("alipay")
    world.passes(40 * 60, step=20)
    world.passes(days * 86400, step=1800)
    assert world.attempt(session).next_at is None
    asked = world.enquiries()
    world.passes(86400, step=3600)
    assert world.enquiries() == asked
