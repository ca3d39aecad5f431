"""Bringing the tables to what this code expects."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError

from checkout.store.engine import unhurried

log = logging.getLogger(__name__)

FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


@cache
def newest() -> str | None:
    """The revision that this code was written for."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def fits(found: str | None) -> bool:
    """Whether this code can work on tables at that revision.

    On its own, and on one that it does not know: that is a newer release's, and migrations only add,
    so that old and new processes work side by side while a release rolls out or back (safety.md F37).
    """
    return found == newest() or (found is not None and found not in _known())


class NeedsUpgrade(Exception):
    """This code cannot work on the tables as they are."""


class Unreachable(Exception):
    """No connection to the database can be made; the message names it, without its password, and says why."""


@contextmanager
def reaching(engine: Engine) -> Iterator[None]:
    """Raises Unreachable in place of the database's own error, if that is why."""
    try:
        yield
    except DBAPIError as error:
        try:
            engine.connect().close()
        except DBAPIError as why:
            raise Unreachable(_named(engine.url, str(why.orig).partition("\n")[0])) from error
        raise


def _named(url: URL, said: str) -> str:
    """Without secrets: a query may hold one, and so may what is taken for the host behind an @ that was not quoted."""
    if "@" in (url.host or ""):
        return f"write each @ of the password in the {url.drivername} address as %40"
    return f"{url.set(query={}).render_as_string()} ({said})"


@contextmanager
def needing_tables(engine: Engine) -> Iterator[None]:
    """Raises Unreachable or NeedsUpgrade in place of the database's own error, if that is why."""
    with reaching(engine):
        try:
            yield
        except DBAPIError as error:
            with engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
            if fits(found):
                raise
            raise NeedsUpgrade from error


def upgrade(engine: Engine) -> None:
    """Apply what is missing; nothing when nothing is, nor on a newer release's tables: a release may roll back."""
    config = alembic_config()
    with unhurried(engine).connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        if found not in _known() | {None}:
            log.warning("the tables are a newer release's, which this one works on as they are", extra={"found": found})
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
