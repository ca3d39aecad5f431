"""Somebody else at the same piece of work, at the worst moment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checkout.services.deliveries import Crew
from checkout.services.enquiries import Lanes
from checkout.services.returning import move_next_refund
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import pay

PAYMENT, ENQUIRY = "/trade/v1/payment", "/trade/v1/query"


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


class AtOnce(Crew):
    """Does the work in the thread that sends it off."""

    def send_off(self, work: Callable[[], None]) -> None:
        work()


def first_at(point: str, act: Callable[[], object]) -> Callable[[str], None]:
    """For crash_points.watched: whoever passes there first is overtaken."""
    acts = [act]

    def passed(name: str) -> None:
        if name == point and acts:
            acts.pop()()

    return passed


def kinds(bo: Merchant) -> list[str]:
    return [news["type"] for news in bo.heard()]


def sent_back(world: World) -> list[int]:
    """What the gateway has sent back, refund by refund."""
    return [refund.amount for order in world.ledger.orders() for refund in order.refunds]


def rival(world: World) -> Callable[[], object]:
    """Another worker does all that is due about refunds."""
    other = replace(world.refunding, lanes=Lanes())

    def works() -> None:
        while move_next_refund(other):
            pass

    return works
