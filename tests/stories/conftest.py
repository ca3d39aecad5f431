"""A world for each story, on SQLite and on PostgreSQL; every story ends with the audit."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant, Shopper, World


def migrate(url: str) -> None:
    engine = make_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def empty_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for each story."""
    path = tmp_path_factory.mktemp("books") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def inboxes() -> dict[str, Inbox]:
    return {}


@pytest.fixture(scope="session")
def hooks(inboxes: dict[str, Inbox]) -> Iterator[HttpServer]:
    """One real server on loopback, where every merchant of every story hears its webhooks."""

    def router(environ: Any, start_response: Any) -> Any:
        inbox = inboxes.get(Request(environ).path)
        return (inbox or Response(status=404))(environ, start_response)

    with HttpServer(router) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        copy = tmp_path / "books.db"
        shutil.copy(request.getfixturevalue("empty_books"), copy)
        yield f"sqlite:///{copy}"
        return
    with request.getfixturevalue("postgres").borrowed(migrate) as url:
        yield url


@pytest.fixture
def make_world(database_url: str, hooks: HttpServer, inboxes: dict[str, Inbox]) -> Iterator[Callable[..., World]]:
    """For stories that need settings of their own."""
    worlds: list[World] = []

    def make(**settings: str) -> World:
        worlds.append(World(database_url, hooks, inboxes, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        try:
            assert world.violations() == []
        finally:
            world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea")


@pytest.fixture
def session(bo: Merchant) -> dict[str, Any]:
    return bo.opens()


@pytest.fixture
def ada(world: World, session: dict[str, Any]) -> Shopper:
    return world.shopper(session)
