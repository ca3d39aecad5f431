"""Worlds whose books can be taken away, and what is seen when they are."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.databases import PostgresServer
from tests.proxy import FaultProxy
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant, Shopper, World
from tests.stories.conftest import migrate

COMMIT = b"COMMIT\0"
IN_TIME = 10.0  # seconds until whoever asks in vain is told so: five, and as many for a busy machine
MakeWorld = Callable[..., World]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own to be ill-treated; others' tests have another."""
    with PostgresServer(durable=True) as made:
        yield made


@contextmanager
def world_on(url: str, hooks: HttpServer, inboxes: dict[str, Inbox], **settings: str) -> Iterator[World]:
    world = World(url, hooks, inboxes, **settings)
    try:
        yield world
        assert world.violations() == []
    finally:
        world.close()


@pytest.fixture
def fragile(server: PostgresServer, hooks: HttpServer, inboxes: dict[str, Inbox]) -> Iterator[World]:
    """A world whose PostgreSQL may be stopped under it."""
    url = server.new_database(migrate)
    with world_on(url, hooks, inboxes) as world:
        yield world
    server.drop_database(url)


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as between:
        yield between


@pytest.fixture
def far(server: PostgresServer, proxy: FaultProxy, hooks: HttpServer, inboxes: dict[str, Inbox]) -> Iterator[World]:
    """A world whose line to PostgreSQL may be cut."""
    url = server.new_database(migrate)
    with world_on(url.replace(f":{server.port}/", f":{proxy.port}/"), hooks, inboxes) as world:
        yield world
    server.drop_database(url)


def in_vain(ask: Callable[[], TestResponse]) -> TestResponse:
    """Refused in time, and told when to come again."""
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < IN_TIME
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "5"
    return answer


def is_ready(world: World) -> tuple[int, str | None]:
    answer = world.app.test_client().get("/readyz")
    return answer.status_code, (answer.json or {}).get("database")


def count_of(world: World, model: type[Any]) -> int:
    with world.parts.sessions() as db:
        return db.scalar(select(func.count()).select_from(model)) or 0


def nobody_is_served(world: World, bo: Merchant, ada: Shopper) -> None:
    in_vain(lambda: bo.api("POST", "/v1/checkout-sessions", bo.order()))
    in_vain(lambda: ada.asks("POST", ada.path, data={"wallet": "alipay_hk"}))
    in_vain(ada.cancels)
    in_vain(ada.says_paid)


def all_goes_well(world: World, bo: Merchant) -> None:
    """From the order to the money, with whatever connections the pool has."""
    session = bo.opens()
    ada = world.shopper(session)
    assert ada.picks("alipay_hk").status_code == 303
    world.pays(session)
    world.passes(5)
    assert bo.reads(session)["status"] == "paid"
    assert ada.stage() == "paid"
