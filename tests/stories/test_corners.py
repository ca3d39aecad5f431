"""Corners that no ordinary day leads to."""

from datetime import timedelta
from typing import Any

from checkout.services.enquiries import Asking, Lanes
from checkout.services.returning import move_next_refund
from checkout.store.models import Refund
from sandbox import Scenario
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import asks, pay, read

ENQUIRY = "/trade/v1/query"


def test_who_wakes_up_late_does_not_stir_a_refund_that_is_over(world: World, bo: Merchant) -> None:
    """An enquiry stands still for longer than its lease; meanwhile another process asks, and hears that it is done."""
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session)
    world.passes(6)
    assert read(bo, answer)["status"] == "pending"
    gateway, joined = world.sandbox.wsgi_app, world.parts
    another = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, world.clock, Lanes())

    def stands_still(environ: Any, start_response: Any) -> Any:
        stale = gateway(environ, start_response)
        if environ["PATH_INFO"] == ENQUIRY:
            world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
            world.clock.now += timedelta(seconds=90)
            assert move_next_refund(another)
        return stale

    with joined.sessions() as db:
        due = db.get_one(Refund, answer.json["id"]).next_at  # type: ignore[index]
    assert due is not None
    world.clock.now = max(world.clock.now, due)
    world.sandbox.wsgi_app = stands_still  # type: ignore[method-assign]
    assert move_next_refund(world.refunding)
    assert read(bo, answer)["status"] == "succeeded"
    assert world.violations() == []
