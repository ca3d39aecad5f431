"""Migrated databases of both kinds: one each for all tests that leave nothing behind, and fresh ones on wish."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(params=DATABASES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database in which nothing was made yet."""
    engine = make_engine(_url(request, tmp_path))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=DATABASES)
def books(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A migrated database that the tests of one module share."""
    engine = make_engine(_url(request, tmp_path_factory.mktemp("books")))
    upgrade(engine)
    yield engine
    engine.dispose()


def _url(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'books.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("postgres").new_database
    return new_database().replace("postgresql://", "postgresql+psycopg://")
