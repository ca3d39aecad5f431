"""A stranger's tool reads the document and asks everything that it allows, and much that it does not."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkout.web.openapi.table import OPERATIONS
from tests.contract.fuzzing import run
from tests.servers import HttpServer
from tests.stories.cast import World

# For each chapter how many examples of a call are wanted, and how many cases must have come of it: with both seeds
# 20,000 in all. A share is small enough to end well before pytest takes it for one that hangs.
SEEDS = (1, 2)
CHAPTERS = {
    "Checkout sessions": (350, 2_500),
    "Refunds": (700, 2_000),
    "Events": (450, 2_000),
    "Webhook endpoints": (250, 2_000),
    "API keys": (500, 1_500),
}

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
}


@pytest.fixture
def world(empty_books: Path, tmp_path: Path, hooks: HttpServer) -> Iterator[World]:
    copy = tmp_path / "fuzzed.db"
    shutil.copy(empty_books, copy)
    made = World(f"sqlite:///{copy}", hooks, {}, LOG_LEVEL="ERROR")
    yield made
    assert made.violations() == []
    made.close()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nothing_breaks_and_every_answer_is_as_described(world: World, chapter: str, seed: int) -> None:
    examples, enough = CHAPTERS[chapter]
    generation = {"max-examples": examples, "no-shrink": True}
    outcome = run(
        world.app,
        world.merchant("Bo's Tea").told.api_key,
        SETTINGS | {"seed": seed, "generation": generation},
        tag=chapter,
    )
    assert outcome.errors == []
    assert outcome.failures == {}
    assert not [status for status in outcome.statuses if status >= 500]
    assert outcome.total >= enough, outcome.cases
    assert sum(n for status, n in outcome.statuses.items() if status < 300) > outcome.total / 50, outcome.statuses


def test_the_chapters_are_those_of_the_document() -> None:
    public = {operation.tag for operation in OPERATIONS if operation.public}
    assert set(CHAPTERS) == {operation.tag for operation in OPERATIONS} - public
    assert sum(enough for _, enough in CHAPTERS.values()) * len(SEEDS) >= 20_000
