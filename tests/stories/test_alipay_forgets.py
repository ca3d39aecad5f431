"""Who Ada is at Alipay: told to QFPay, and then to nobody; in no log, no page, no row, whatever becomes of the call."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from checkout.store.models import GatewayWord
from checkout.web.context import parts_of
from sandbox import Oddity, Scenario, Trouble
from tests.stories.alipay import TOKEN, Inside, arguments, next_visit, visits, world_with_alipay
from tests.stories.cast import Merchant, World


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return world_with_alipay(make_world, LOG_LEVEL="DEBUG")


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Every log record with all that it carries, from everybody, before anything is redacted."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            lines.append(f"{record.getMessage()} {vars(record)!r} {trace}")

    ear, root = Ear(), logging.getLogger()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(ear)
    root.setLevel(before)


def everything_stored(world: World) -> str:
    """All rows of all tables, and what is sealed there opened."""
    joined = parts_of(world.app)
    found = MetaData()
    with joined.engine.connect() as connection:
        found.reflect(connection)
        rows = [repr(tuple(row)) for table in found.tables.values() for row in connection.execute(select(table))]
    with joined.sessions() as db:
        words = db.scalars(select(GatewayWord)).all()
        opened = [joined.vault.open(word.body_sealed, owner=f"gateway_word/{word.id}") for word in words]
    return " ".join(rows) + " ".join(map(repr, opened))


@pytest.mark.parametrize("becomes", ["paid", "refused", "lost", "false", "twice"])
def test_nothing_of_ours_remembers_who_she_is(
    world: World, bo: Merchant, session: dict[str, Any], heard: list[str], becomes: str
) -> None:
    ada = Inside(world, session["url"])
    if becomes == "refused":
        world.next(Scenario.REFUSED_1104)
    if becomes == "lost":
        world.ledger.inject("/trade/v1/payment", Trouble.DROP)
    if becomes == "false":
        next_visit(world, Oddity.FALSE_SIGNATURE)
    address = ada.is_told_apart()
    ada.arrives(address)
    if becomes == "twice":
        ada.arrives(address)
    told = [call.params.get("openid") for call in world.ledger.calls("/trade/v1/payment")]
    (user_id,) = visits(world).user_ids()
    assert told == ([] if becomes == "false" else [user_id])
    if becomes == "paid":
        world.pays(session)
        world.notifies()
    world.passes(5)

    secrets = [user_id, arguments(address)["auth_code"]]
    logging.getLogger("checkout").debug("the ear hears %s", "even this")
    assert "even this" in heard[-1]
    places = {"logs": " ".join(heard), "books": everything_stored(world), "page": ada.page(),
              "API": str(bo.reads(session)), "webhooks": str(bo.heard())}  # fmt: skip
    assert [(place, secret) for place, text in places.items() for secret in secrets if secret in text] == []
    assert world.ledger.calls(TOKEN)
