"""A stranger's tool reads the document and asks everything that it allows, and much that it does not."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout.web.openapi.table import OPERATIONS
from tests.contract.fuzzing import Outcome, run
from tests.servers import HttpServer
from tests.stories.cast import World

# For each chapter how many examples of a call one round has, and how many cases must have come of all rounds: with both
# shares 20,000 in all. A share is small enough to end well before pytest takes it for one that hangs.
SHARES = (1, 2)
CHAPTERS = {
    "Checkout sessions": (180, 2_500),
    "Refunds": (350, 2_000),
    "Events": (230, 2_000),
    "Webhook endpoints": (200, 2_000),
    "API keys": (300, 1_500),
}
MOST_ROUNDS = 10  # how many cases one has depends on its seed

# What no schema can say, so that a call which fits it may be refused all the same: a moment after another one, a cursor
# that we gave, a host that exists, 1.0 where a 1 is meant.
REFUSED_ALL_THE_SAME = ["2xx", "400", "401", "403", "404", "409", "412", "422", "429"]
# GET /v1/events/redeliver reads the event of that name, which there never is; it is no method of the neighbour's.
NEIGHBOURS = [
    {"include-operation-id": name, "checks": {"allow_header_conformance": {"enabled": False}}}
    for name in ("redeliverEvents", "readEvent")
]
SETTINGS: dict[str, Any] = {
    "headers": {"Accept-Encoding": "identity"},
    "checks": {"positive_data_acceptance": {"expected-statuses": REFUSED_ALL_THE_SAME}},
    "operations": NEIGHBOURS,
    "suppress-health-check": ["too_slow"],  # of the machine, not of the document
}


@pytest.fixture
def world(empty_books: Path, tmp_path: Path, hooks: HttpServer) -> Iterator[World]:
    copy = tmp_path / "fuzzed.db"
    shutil.copy(empty_books, copy)
    made = World(f"sqlite:///{copy}", hooks, {}, LOG_LEVEL="ERROR")
    yield made
    assert made.violations() == []
    made.close()


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_breaks_and_every_answer_is_as_described(world: World, chapter: str, share: int) -> None:
    examples, enough = CHAPTERS[chapter]
    # Without made-up keys, which would end half the calls at the door: the check `ignored_auth` tries it without one.
    generation = {"max-examples": examples, "no-shrink": True, "with-security-parameters": False}
    outcome = Outcome()
    for number in range(MOST_ROUNDS):
        shop = world.merchant(f"Bo's Tea {number}")  # a new one: the last may have revoked its own key
        settings = SETTINGS | {"seed": share * 1000 + number, "generation": generation}
        run(world.app, shop.told.api_key, settings, tag=chapter, seen=outcome)
        if outcome.total >= enough:
            break
    assert outcome.errors == []
    assert outcome.failures == {}
    assert not [status for status in outcome.statuses if status >= 500]
    assert outcome.total >= enough, outcome.cases
    assert sum(n for status, n in outcome.statuses.items() if status < 300) > outcome.total / 50, outcome.statuses


def test_the_chapters_are_those_of_the_document() -> None:
    public = {operation.tag for operation in OPERATIONS if operation.public}
    assert set(CHAPTERS) == {operation.tag for operation in OPERATIONS} - public
    assert sum(enough for _, enough in CHAPTERS.values()) * len(SHARES) >= 20_000
