"""kill -9 at every crash point, alone and in pairs: what the dead leave behind, the ordinary worker finishes."""

import ast
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Engine, MetaData, Table, insert, inspect, text

from checkout.store import links, oversight  # noqa: F401 - its tables too
from checkout.store.engine import make_engine
from checkout.store.migrating import alembic_config, newest, upgrade
from checkout.store.models import Base
from tests.proofs.killing import Books, Combination, Prove
from tests.proofs.nursery import KILLED, Errand, Nursery
from tests.proofs.roads import ALL_POINTS, MIGRATION_POINTS, RECONCILIATION_POINTS, RECONCILING, ROADS
from tests.proofs.scale import Scale, Tally
from tests.proofs.stage import Place, differences, settled_in
from tests.servers import REPOSITORY, HttpServer
from tests.stories.cast import NOON, Inbox

COMBINATIONS = [(point, road) for point, roads in ALL_POINTS.items() for road in roads.split()]
# The worker's own points: a second process may be sent to its death there while it finishes what the first one left.
AT_WORK = [(point, road) for point, road in COMBINATIONS if ROADS[road].steps.endswith("works")]

VICTIMS = 8  # in one round, on one set of books
MOST_STATEMENTS = 60  # of one upgrade from nothing


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def new_books(request: pytest.FixtureRequest) -> Books:
    return Books(request.param, request)


def laps(dice: random.Random) -> Iterator[Combination]:
    """Every combination once, then every one again in another order, and so on."""
    while True:
        yield from dice.sample(COMBINATIONS, len(COMBINATIONS))


def test_whoever_is_killed_wherever_nothing_is_lost_or_doubled(
    new_books: Books,
    nursery: Nursery,
    hooks: HttpServer,
    inboxes: dict[str, Inbox],
    scale: Scale,
    tally: Tally,
    seed: int,
) -> None:
    dice = random.Random(seed)
    tally.database = new_books.kind
    proof = Prove(new_books, nursery, hooks, inboxes, dice, tally)
    lap, number = laps(dice), 0
    while tally.counts.get("kills", 0) < scale.kills or proof.walked != set(ALL_POINTS):
        number += 1
        proof.round(number, list(islice(lap, VICTIMS)), dice.sample(AT_WORK, 2))
    tally.counts |= {"crash points": len(proof.walked), "pairs": len(proof.pairs), "rounds": number}


@pytest.mark.parametrize("point", RECONCILIATION_POINTS)
def test_a_reconciliation_that_is_killed_is_made_by_the_next(
    new_books: Books, nursery: Nursery, hooks: HttpServer, inboxes: dict[str, Inbox], tally: Tally, point: str
) -> None:
    """Nobody enquired about this payment, and no notification came: only the night's comparison finds it."""
    tally.database = new_books.kind
    inbox = inboxes["/nights"] = Inbox()
    with (
        new_books.opened() as (url, folder),
        settled_in(url, folder / "ledger.db", hooks, inbox, "/nights") as stage,
    ):
        nursery.must_end(Errand(stage.place, NOON.isoformat(), steps=RECONCILING, key="one", trap=point), KILLED)
        tally.add("kills")
        later = (NOON + timedelta(days=1, hours=1)).isoformat()
        nursery.must_end(Errand(stage.place, later, steps="opens reconciles works", key="one"), 0)
        assert list(differences(stage, inbox)) == []
        [session] = stage.shop().api("GET", "/v1/checkout-sessions").json["data"]  # type: ignore[index]
        assert session["status"] == "paid"


def points_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point":
            [name] = node.args
            assert isinstance(name, ast.Constant), f"{path.name}:{node.lineno} must name its point in plain words"
            yield str(name.value)


def test_every_crash_point_in_the_sources_stands_in_the_tables() -> None:
    sources = [*(REPOSITORY / "checkout").rglob("*.py"), REPOSITORY / "migrations" / "env.py"]
    found = [point for path in sources for point in points_in(path)]
    assert sorted(found) == sorted([*ALL_POINTS, *MIGRATION_POINTS, *RECONCILIATION_POINTS])
    assert len(ALL_POINTS) >= 30


@pytest.mark.parametrize("began_at", ["base", "0001", "0002", "0003", "0008"])
def test_an_upgrade_that_is_killed_after_any_statement_is_finished_by_the_next(
    new_books: Books, nursery: Nursery, scale: Scale, tally: Tally, seed: int, began_at: str
) -> None:
    """DDL is part of the transaction on both databases: it is there as a whole, rows too, or not at all."""
    tally.database = new_books.kind
    statements = [f"statement:{n}" for n in range(1, MOST_STATEMENTS)]
    passed = [f"migration.applied:{n}" for n in range(1, len(revisions_after(began_at)) + 1)]
    traps = [*passed, *MIGRATION_POINTS[1:], *statements]
    if not scale.release:
        traps = [*passed[:1], *MIGRATION_POINTS[1:], random.Random(seed).choice(statements[:20])]
    for trap in traps:
        with new_books.emptied() as (url, _):
            engine = make_engine(url.replace("postgresql://", "postgresql+psycopg://"))
            upgrade_to(engine, began_at)
            place = Place(engine.url.render_as_string(hide_password=False), "", "")
            ended = nursery.sends(Errand(place, "", upgrades=True, trap=trap))
            assert ended == KILLED or (trap in statements and ended == 0), nursery.output()
            tally.add("kills", ended == KILLED)
            assert has_shop(engine) == (began_at != "base")
            upgrade(engine)
            assert has_shop(engine) == (began_at != "base")
            with engine.connect() as connection:
                context = MigrationContext.configure(connection, opts={"compare_type": True})
                assert context.get_current_revision() == newest()
                assert compare_metadata(context, Base.metadata) == []
            engine.dispose()


def revisions_after(revision: str) -> list[str]:
    script = ScriptDirectory.from_config(alembic_config())
    return [one.revision for one in script.iterate_revisions("head", revision)]


def upgrade_to(engine: Engine, revision: str) -> None:
    """The tables of an earlier release, with a shop in them."""
    if revision == "base":
        return
    with engine.connect() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with engine.begin() as connection:
        merchant = Table("merchant", MetaData(), autoload_with=connection)
        empty: dict[type, object] = {str: "-", bytes: b"-", datetime: NOON.replace(tzinfo=None), bool: False}
        row = {
            column.name: [] if isinstance(column.type, JSON) else empty[column.type.python_type]
            for column in merchant.columns
            if not column.nullable
        }
        connection.execute(insert(merchant).values(row))


def has_shop(engine: Engine) -> bool:
    with engine.connect() as connection:
        there = inspect(connection).has_table("merchant")
        return there and bool(connection.scalar(text("SELECT count(*) FROM merchant")))
