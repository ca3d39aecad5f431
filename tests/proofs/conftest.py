"""Fixtures of the proofs: how much to do, a seed that can be given again, and where to count."""

import secrets
import time
from collections.abc import Iterator

import pytest

from tests.proofs.scale import SEED, Scale, Tally, scale
from tests.stories.conftest import database_url, empty_books, hooks, inboxes, make_world, world

__all__ = ["database_url", "empty_books", "hooks", "inboxes", "make_world", "world"]


@pytest.fixture(name="scale")
def the_scale() -> Scale:
    return scale()


@pytest.fixture
def seed() -> int:
    """For `random.Random`; SAMPAN_PROVE_SEED repeats a run."""
    return int(SEED) if SEED else secrets.randbelow(2**32)


@pytest.fixture
def tally(request: pytest.FixtureRequest, seed: int) -> Iterator[Tally]:
    """Counted in the table of `make prove` under the test's own name, once the test has passed or failed."""
    callspec = getattr(request.node, "callspec", None)
    database = callspec.params.get("database_url", "") if callspec else ""
    kept = Tally(request.node.originalname.removeprefix("test_").replace("_", " "), database=database, seed=str(seed))
    began = time.monotonic()
    yield kept
    kept.seconds = round(time.monotonic() - began, 1)
    kept.write()
