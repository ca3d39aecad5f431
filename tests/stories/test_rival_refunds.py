"""Two at one refund, in orders that no lock would let happen: one does it, and the other does no harm."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Response

from checkout.services.returning import move_next_refund
from sandbox import Scenario
from tests.hostile.tricks import gateway_answers, mount
from tests.stories.cast import Merchant, World
from tests.stories.overtaking import ENQUIRY, kinds, paid, rival, sent_back
from tests.stories.rivals import Overtaken, between
from tests.stories.test_refunds import REFUND, asks, pay, read

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

__all__ = ["paid"]


def test_a_refund_that_another_worker_has_finished_is_left_alone(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    answer = asks(bo, paid, amount=3000)
    assert not move_next_refund(replace(world.refunding, lanes=Overtaken(rival(world))))
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_of_two_workers_one_sends_a_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answer = asks(bo, paid, amount=3000)
    with between(world, "UPDATE refund SET status", rival(world)):
        assert not move_next_refund(world.refunding)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert len(world.ledger.calls(REFUND)) == 1
    assert world.violations() == []


def test_of_two_workers_one_asks_about_a_refund(world: World, bo: Merchant) -> None:
    answer = asks(bo, pay(world, bo, Scenario.REFUND_PROCESSING), amount=3000)
    world.works()
    world.clock.now += timedelta(seconds=6)
    asked = world.enquiries()
    with between(world, "UPDATE refund SET next_at", rival(world)):
        assert not move_next_refund(world.refunding)
    assert world.enquiries() == asked + 1
    world.passes(60)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def while_we_send(world: World, act: Callable[[], object], answer: Response | None = None) -> None:
    """The next refund call is done, or with another answer not; before it is answered something happens."""

    def stands_still(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != REFUND:
            return world.sandbox(environ, start_response)
        mount(world, world.sandbox)
        late = answer or Response.from_app(world.sandbox, environ)
        act()
        return late(environ, start_response)

    mount(world, stands_still)


def test_a_refund_that_was_found_before_its_own_answer_came_is_told_once(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    def finds() -> None:
        world.clock.now += timedelta(seconds=61)
        rival(world)()

    answer = asks(bo, paid, amount=3000)
    while_we_send(world, finds)
    assert move_next_refund(world.refunding)
    world.works()
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert kinds(bo) == ["checkout_session.paid", "refund.succeeded"]
    assert world.violations() == []


def test_an_old_answer_says_nothing_about_the_same_refund_sent_again(world: World, bo: Merchant) -> None:
    def sends_again() -> None:
        for seconds in (61, 301, 1):  # missed once, missed twice, sent again
            world.clock.now += timedelta(seconds=seconds)
            rival(world)()

    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session, amount=3000)
    while_we_send(world, sends_again, Response('{"respcd": "1294", "resperr": "barred"}', mimetype="application/json"))
    assert move_next_refund(world.refunding)
    assert read(bo, answer)["status"] == "pending"
    world.passes(1200, step=30)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert bo.reads(session)["amount_refunded"] == 3000
    assert world.violations() == []


def test_a_refund_that_failed_for_two_at_once_gives_its_money_back_once(world: World, bo: Merchant) -> None:
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session, amount=3000)
    world.works()
    world.clock.now += timedelta(seconds=6)

    def fails(said: dict[str, Any]) -> dict[str, Any]:
        return said | {"data": [item | {"respcd": "1205"} for item in said["data"]]}

    gateway_answers(world, ENQUIRY, fails)

    def hears_it_too() -> None:
        world.clock.now += timedelta(seconds=61)  # our lease is over
        rival(world)()

    with between(world, "UPDATE refund SET status", hears_it_too):
        assert move_next_refund(world.refunding)
    told = read(bo, answer)
    assert (told["status"], told["failure"]) == ("failed", {"code": "1205"})
    assert bo.reads(session)["amount_refunded"] == 0
    world.works()
    assert kinds(bo) == ["checkout_session.paid", "refund.failed"]
    mount(world, world.sandbox)
    assert world.violations() == []
