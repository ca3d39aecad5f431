"""A whole unit of work again, when the database gave it up or its answer was lost (safety.md F44, F47)."""

import logging
import random
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 3
PATIENCE = 2.5  # seconds after which nothing is begun again: somebody waits for the answer, and is told within five
IN_HASTE = text("SET LOCAL lock_timeout = '1s'")  # a statement on PostgreSQL may wait twice for one row
PAUSE = (0.01, 0.1)  # at random between these, so that two who were in each other's way do not meet again

GIVEN_UP = {
    "40001": "another transaction came between",
    "40P01": "deadlock",
    "55P03": "somebody else held a lock",
}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def run(db: Session, unit: Callable[[], T], *, finds_itself: bool) -> T:
    """Run a unit that commits at its end; three times at most, while the database gives it up.

    A unit that was given up has changed nothing. One whose connection broke may be stored all the same, for a COMMIT
    that raised is not a COMMIT that failed: it runs again only if it `finds_itself`, which means that it begins by
    reading what it would have stored, or that storing it twice is storing it once.
    """
    began = time.monotonic()
    for left in reversed(range(TRIES)):
        try:
            if left < TRIES - 1 and db.get_bind().dialect.name == "postgresql":
                db.execute(IN_HASTE)
            return unit()
        except DBAPIError as error:
            db.rollback()
            lost = error.connection_invalidated and finds_itself
            reason = "the connection broke" if lost else given_up(error)
            if not reason or not left or time.monotonic() - began > PATIENCE:
                raise
            log.warning("a unit of work runs again: %s", reason)
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 - keeps two apart, guards nothing
    raise AssertionError("the last try returns or raises")


def given_up(error: DBAPIError) -> str | None:
    """Why the database undid all of it and says so; None for every other error."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return "the file is busy" if code & 0xFF in BUSY else None
    return GIVEN_UP.get(getattr(error.orig, "sqlstate", None) or "")
