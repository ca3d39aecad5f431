"""F41: a refund in the gateway's portal leaves nothing for ours, which the gateway then refuses."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from checkout.store.models import Refund
from checkout.store.oversight import Difference
from sandbox import portal_refund
from tests.faults.money_back import goes_back, paid
from tests.faults.test_refusals import by_hand, night_passes, paid_twice
from tests.faults.wires import DAY
from tests.hostile.tricks import gateway_refuses
from tests.stories.cast import Merchant, World
from tests.stories.nights import rows
from tests.stories.test_refunds import REFUND, asks, read

__all__ = ["paid"]

NOTHING_LEFT = {"code": "1262"}


def causes(bo: Merchant, session: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {one["cause"]: (one["status"], one["amount"]) for one in bo.reads(session)["refunds"]}


@pytest.mark.parametrize("amount", [8800, 3000])
def test_f41_ours_ends_by_itself_when_the_night_finds_that_all_went_back_by_hand(
    world: World, bo: Merchant, paid: dict[str, Any], amount: int
) -> None:
    by_hand(world, paid, 8800)
    asked = asks(bo, paid, amount=amount)
    world.passes(3600, step=60)
    told = read(bo, asked)
    assert (told["status"], told["failure"], told["waits_until"]) == ("pending", None, None), "nothing is proven yet"
    night_passes(world, bo)
    world.works()
    told = read(bo, asked)
    assert (told["status"], told["failure"]) == ("failed", NOTHING_LEFT)
    assert causes(bo, paid) == {"merchant": ("failed", amount), "portal": ("succeeded", 8800)}
    assert (bo.reads(paid)["amount_refunded"], bo.reads(paid)["review"]) == (8800, False)
    assert [one.resolution for one in rows(world, Difference, kind="refund_exceeds")] == ["booked since"]
    world.works()
    news = [one["type"] for one in bo.heard() if one["type"].startswith("refund")]
    assert news == ["refund.failed", "refund.succeeded"]
    night_passes(world, bo)
    assert len(bo.reads(paid)["refunds"]) == 2
    assert world.violations() == []


def test_f41_found_while_ours_still_waits_for_the_day_it_ends_when_it_is_refused(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.clock.now = datetime.fromisoformat("2026-03-10T23:40:00+08:00")
    asked = asks(bo, paid)
    for part in (3000, 5800):
        by_hand(world, paid, part)
    world.clock.now += timedelta(minutes=30)
    world.works()
    night_passes(world, bo)
    assert (read(bo, asked)["status"], bo.reads(paid)["review_reason"]) == ("pending", "refund_exceeds")
    world.passes(60)
    assert (read(bo, asked)["status"], read(bo, asked)["failure"]) == ("failed", NOTHING_LEFT)
    assert sorted(one["amount"] for one in bo.reads(paid)["refunds"] if one["cause"] == "portal") == [3000, 5800]
    assert bo.reads(paid)["review"] is False
    night_passes(world, bo)
    assert [one.resolution for one in rows(world, Difference, kind="refund_exceeds")] == ["booked since"] * 2
    assert world.violations() == []


def test_f41_the_way_back_of_a_surplus_that_somebody_sent_back_by_hand_ends_too(world: World, bo: Merchant) -> None:
    world.clock.now = datetime.fromisoformat("2026-03-10T23:26:00+08:00")
    session = paid_twice(world, bo)
    [surplus] = [one for one in bo.reads(session)["payments"] if one["role"] == "surplus"]
    portal_refund(world.ledger, surplus["out_trade_no"], 8800)
    world.passes(75 * 60, step=30)
    assert bo.reads(session)["refunds"][0]["status"] == "pending"
    night_passes(world, bo)
    world.works()
    assert causes(bo, session) == {"surplus": ("failed", 8800), "portal": ("succeeded", 8800)}
    assert bo.reads(session)["review"] is False
    assert sorted(goes_back(world).values()) == [(8800, 0), (8800, 8800)]
    assert world.violations() == []


@pytest.mark.parametrize("gone", [0, 3000, 8799])
def test_f41_ours_stays_open_while_the_records_do_not_prove_it_void(
    world: World, bo: Merchant, paid: dict[str, Any], gone: int
) -> None:
    gateway_refuses(world, REFUND, "1262")
    if gone:
        by_hand(world, paid, gone)
    asked = asks(bo, paid)
    night_passes(world, bo)
    world.passes(2 * DAY, step=600)
    assert (read(bo, asked)["status"], bo.reads(paid)["review"]) == ("pending", True)
    assert causes(bo, paid) == {"merchant": ("pending", 8800)}
    assert world.violations() == []


def test_f41_records_without_the_word_that_nothing_is_left_prove_nothing(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    """Only an answer of the gateway about ours ends it: a lost one is asked for."""
    gateway_refuses(world, REFUND, "2999", times=3)
    by_hand(world, paid, 8800)
    asked = asks(bo, paid)
    night_passes(world, bo)
    world.passes(14 * 60, step=30)
    assert ([one.tries for one in rows(world, Refund)], causes(bo, paid)) == ([3], {"merchant": ("pending", 8800)})
    world.passes(3600, step=30)
    assert read(bo, asked)["failure"] == NOTHING_LEFT
    assert causes(bo, paid)["portal"] == ("succeeded", 8800)
    assert world.violations() == []
