"""F15 and F28: the gateway is down for hours, or refuses enquiries because there are too many."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request

from checkout.store.models import Event, Payment
from sandbox import Scenario, Trouble
from tests.faults.wires import HOUR, QUERY, count
from tests.hostile.tricks import mount
from tests.proofs.scale import scale
from tests.stories.cast import PHONE, Merchant, Shopper, World

A_MINUTE = timedelta(seconds=60)
BEFORE_IT_OPENS = 5  # calls in a row without an answer
BETWEEN_PROBES = 30  # seconds
FAILED = "The payment did not go through"


@dataclass
class Switch:
    """Turns the gateway of one app code off and on. `met`: when calls met nobody."""

    world: World
    met: list[datetime]
    app_code: str = "APP1"
    on: bool = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self.on or Request(environ).headers["X-QF-APPCODE"] != self.app_code:
            return self.world.sandbox(environ, start_response)
        self.met.append(self.world.clock())
        raise requests.ConnectionError


def off(world: World) -> Switch:
    switch = Switch(world, [])
    mount(world, switch)
    return switch


def with_codes(world: World, bo: Merchant, how_many: int) -> list[dict[str, Any]]:
    """Sessions of shoppers on phones, each with a wallet that was just opened."""
    opened = []
    for number in range(how_many):
        opened.append(bo.opens(reference=f"A-{number}"))
        assert world.shopper(opened[-1], PHONE).picks("alipay_hk").status_code == 303
        world.clock.now += timedelta(seconds=0.3)
    return opened


# --- F15: down for hours


def test_f15_after_five_faults_nobody_waits_for_a_dead_gateway(world: World, bo: Merchant) -> None:
    gateway = off(world)
    for number in range(BEFORE_IT_OPENS):
        ada = world.shopper(bo.opens(reference=f"A-{number}"))
        ada.picks("alipay_hk")
        assert ada.stage() == "unknown"
    assert len(gateway.met) == BEFORE_IT_OPENS

    next_one = world.shopper(bo.opens(reference="B"))
    assert next_one.picks("alipay_hk").status_code == 303
    assert len(gateway.met) == BEFORE_IT_OPENS, "an immediate page, and no call"
    assert next_one.sees() == FAILED
    assert "is not available at the moment" in next_one.page()
    assert next_one.may_pick()


def test_f15_one_call_each_half_minute_tries_again(world: World, bo: Merchant) -> None:
    sessions = with_codes(world, bo, 10)
    gateway = off(world)
    world.passes(5 * 60)
    opened_at = gateway.met[BEFORE_IT_OPENS - 1]
    probes = [moment for moment in gateway.met if moment > opened_at]
    pauses = [(after - before).total_seconds() for before, after in zip([opened_at, *probes], probes, strict=False)]
    assert probes, "somebody tries again"
    assert min(pauses) >= BETWEEN_PROBES
    assert max(pauses) <= 2 * BETWEEN_PROBES
    assert {bo.reads(session)["status"] for session in sessions} == {"open"}


def test_f15_the_first_answer_whatever_it_says_lets_everybody_call_again(
    world: World, bo: Merchant, ada: Shopper
) -> None:
    gateway = off(world)
    for number in range(BEFORE_IT_OPENS):
        world.shopper(bo.opens(reference=f"A-{number}")).picks("alipay_hk")
    gateway.on = True
    ada.picks("alipay_hk")
    assert ada.sees() == FAILED, "it is not known yet that the gateway is back"
    world.clock.now += timedelta(seconds=BETWEEN_PROBES + 1)
    world.next(Scenario.REFUSED_1104)
    world.shopper(bo.opens(reference="probe")).picks("alipay_hk")
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"


def test_f15_anothers_gateway_is_not_held_back(world: World, bo: Merchant) -> None:
    gateway = off(world)
    for number in range(BEFORE_IT_OPENS + 2):
        world.shopper(bo.opens(reference=f"A-{number}")).picks("alipay_hk")
    assert len(gateway.met) == BEFORE_IT_OPENS
    session = world.merchant("Cy's Shop").opens()
    cleo = world.shopper(session)
    cleo.picks("alipay_hk")
    assert cleo.stage() == "scan"
    world.pays(session)
    world.passes(5)
    assert cleo.sees() == "Paid"


def test_f15_after_six_hours_everything_settles_once(world: World) -> None:
    """Many open codes; every other one is paid while nobody can be asked, and nobody is notified."""
    bo = world.merchant(webhooks=False)
    sessions = with_codes(world, bo, 500 if scale().release else 16)
    gateway = off(world)
    paid, unpaid = sessions[::2], sessions[1::2]
    for session in paid:
        world.pays(session)
    world.passes(20 * 60, step=60)
    assert world.shopper(unpaid[0], PHONE).stage() == "wallet", "an open page shows what we know"
    world.passes(6 * HOUR - 20 * 60, step=900)
    assert world.shopper(paid[0]).stage() == "closing", "nothing ends while the gateway cannot be asked"
    assert {bo.reads(session)["status"] for session in sessions[:20]} == {"open"}
    assert len(gateway.met) <= BEFORE_IT_OPENS + 6 * HOUR / BETWEEN_PROBES

    gateway.on = True
    world.passes(45 * 60, step=15)
    assert {bo.reads(session)["status"] for session in paid} == {"paid"}
    assert {bo.reads(session)["status"] for session in unpaid} == {"expired"}
    assert count(world, Payment) == len(paid)
    assert count(world, Event, Event.type == "checkout_session.paid") == len(paid)
    assert len(world.ledger.orders()) == len(sessions), "no order was made twice"


@pytest.mark.parametrize("hours", [1, 6])
def test_f15_who_pays_during_the_outage_and_is_announced_is_told_so(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], hours: int
) -> None:
    """A genuine, matching notification is enough when nobody can be asked; later the enquiry confirms it."""
    ada.picks("alipay_hk")
    gateway = off(world)
    world.passes(120, step=5)
    world.pays(session)
    assert world.notifies() == [200]
    world.passes(180, step=5)
    assert ada.sees() == "Paid"
    world.passes(hours * HOUR, step=300)
    gateway.on = True
    world.passes(2 * HOUR, step=120)
    told = bo.reads(session)
    assert (told["status"], told["review"], len(told["payments"])) == ("paid", False, 1)
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]


# --- F28: too many enquiries


def test_f28_after_too_many_enquiries_we_make_do_with_half_and_creating_is_served(
    make_world: Callable[..., World],
) -> None:
    world = make_world(GATEWAY_RATE_PER_MINUTE="60")
    bo = world.merchant(webhooks=False)
    waiting = with_codes(world, bo, 6)
    world.passes(20)
    world.ledger.inject(QUERY, Trouble.HTTP_429, 1)
    world.passes(20)
    refused = next(call.at for call in world.ledger.calls(QUERY) if call.answer == Trouble.HTTP_429)
    for number in range(20):  # shoppers come, and those who wait ask as often as they may
        ada = world.shopper(bo.opens(reference=f"B-{number}"), PHONE)
        ada.picks("alipay_hk")
        assert ada.stage() == "wallet", "who wants to pay is served all the same"
        for other in waiting:
            world.shopper(other).says_paid()
        world.passes(3, step=3)
    calls = [call for call in world.ledger.calls() if refused < call.at <= refused + A_MINUTE]
    assert 10 < len(calls) <= 30


def test_f28_enquiries_that_are_refused_are_asked_again_more_slowly(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.ledger.inject(QUERY, Trouble.HTTP_429, 4)
    world.passes(29)
    assert len(world.ledger.calls(QUERY)) <= 4
    assert ada.stage() == "scan"
    world.passes(60)
    assert ada.sees() == "Paid"


def test_f28_a_limit_that_is_ours_alone_is_never_met(make_world: Callable[..., World]) -> None:
    """A gateway that refuses all above the very number that we are set to has nothing to refuse."""
    world = make_world(GATEWAY_RATE_PER_MINUTE="40")
    world.sandbox.extensions["sandbox"] = replace(world.sandbox.extensions["sandbox"], calls_per_minute=40)
    bo = world.merchant(webhooks=False)
    for number in range(75):
        world.shopper(bo.opens(reference=f"A-{number}"), PHONE).picks("alipay_hk")
        world.passes(1)
    answers = [call.answer for call in world.ledger.calls()]
    assert len(answers) > 40
    assert Trouble.HTTP_429 not in answers
