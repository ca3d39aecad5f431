"""A hundred open pages of one merchant: each payment is followed closely, and the gateway's limit is kept."""

import itertools
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.servers import HttpServer
from tests.stories.cast import Inbox, Shopper, World

OPEN_PAGES = 100
ARRIVING_SECONDS = 34  # three a second: more than the minute's budget lasts for, were each asked about alone
WATCHED_SECONDS = 30
FIRST_POLL, POLLS_EVERY = 2, 10  # seconds; the page's own script asks more often, which must not matter
A_MINUTE = timedelta(seconds=60)
MOST_CALLS_A_MINUTE = 300
CLOSELY = timedelta(seconds=6)


@pytest.fixture
def world(empty_books: Path, tmp_path: Path) -> Iterator[World]:
    books = shutil.copy(empty_books, tmp_path / "books.db")
    with HttpServer(Inbox()) as hooks:
        world = World(f"sqlite:///{books}", hooks, {})
        yield world
        world.close()


def test_a_hundred_open_pages_fit_the_budget_of_a_minute(world: World) -> None:
    bo = world.merchant(webhooks=False)
    pages: list[Shopper] = []
    for second in range(ARRIVING_SECONDS + WATCHED_SECONDS):
        while len(pages) < min(3 * second, OPEN_PAGES):
            pages.append(world.shopper(bo.opens(reference=f"A-{len(pages)}")))
            assert pages[-1].picks("alipay_hk").status_code == 303
        for number, page in enumerate(pages):
            if (second - number // 3) % POLLS_EVERY == FIRST_POLL:
                page.polls()
        world.passes(1)

    calls = [call.at for call in world.ledger.calls()]
    assert most_within_a_minute(calls) <= MOST_CALLS_A_MINUTE
    asked = times_asked(world)
    assert len(asked) == OPEN_PAGES
    assert max(longest_silence(times, world.clock()) for times in asked.values()) <= CLOSELY
    assert world.violations() == []


def most_within_a_minute(calls: list[datetime]) -> int:
    return max(sum(start <= call < start + A_MINUTE for call in calls) for start in calls)


def times_asked(world: World) -> dict[str, list[datetime]]:
    """For each number, when its order was made and when the gateway was asked about it."""
    asked: dict[str, list[datetime]] = defaultdict(list)
    for call in world.ledger.calls():
        for number in call.params["out_trade_no"].split(","):
            asked[number].append(call.at)
    return asked


def longest_silence(times: list[datetime], end: datetime) -> timedelta:
    return max(after - before for before, after in itertools.pairwise([*times, end]))
