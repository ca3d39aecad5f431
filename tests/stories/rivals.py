"""Somebody else in the middle of our work: first, in between, or while the answer to our COMMIT is lost."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from checkout.services.enquiries import Lanes
from tests.stories.cast import World

Act = Callable[[], object]


class Overtaken(Lanes):
    """Between our choice of what is due and our taking it up, somebody else acts."""

    def __init__(self, act: Act) -> None:
        super().__init__()
        self._acts = [act]

    @contextmanager
    def entered(self, merchant_id: str) -> Iterator[bool]:
        while self._acts:
            self._acts.pop()()
        with super().entered(merchant_id) as free:
            yield free


@contextmanager
def between(world: World, statement: str, act: Act, *, nth: int = 1, times: int = 1) -> Iterator[None]:
    """Before this thread executes the nth such statement its locks are gone, with what they guarded, and `act` is done.

    SQLite's one write lock lets nobody in between, nor does a locked row of PostgreSQL. But locks keep order and are
    not what makes anything right: that is the business of unique indexes and of the WHERE of each UPDATE.
    """
    here, passed = threading.get_ident(), [0]

    def before(connection: Connection, cursor: Any, text: str, *_: Any) -> None:
        if threading.get_ident() != here or not text.startswith(statement):
            return
        passed[0] += 1
        if not nth <= passed[0] < nth + times:
            return
        cursor.execute("ROLLBACK")
        with ThreadPoolExecutor(1) as other:
            other.submit(act).result()
        cursor.execute("BEGIN IMMEDIATE")

    event.listen(world.parts.engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(world.parts.engine, "before_cursor_execute", before)
    assert passed[0] >= nth, f"nothing executed {statement}"


@contextmanager
def lost_answer(world: World, nth: int) -> Iterator[list[bool]]:
    """The nth COMMIT from here is stored, and its answer is lost with the connection. Empty until that has happened."""
    commits, lost = [0], []

    def loses(connection: Connection) -> None:
        commits[0] += 1
        if commits[0] == nth:
            connection.connection.commit()
            lost.append(True)
            broken = sqlite3.OperationalError("the connection broke")
            raise OperationalError("COMMIT", {}, broken, connection_invalidated=True)

    event.listen(world.parts.engine, "commit", loses)
    try:
        yield lost
    finally:
        event.remove(world.parts.engine, "commit", loses)


@contextmanager
def only_read(world: World) -> Iterator[None]:
    """The books can be read and not written, as on a node that only follows another."""

    def forbids(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    engine = world.parts.engine
    event.listen(engine, "begin", forbids)
    try:
        yield
    finally:
        event.remove(engine, "begin", forbids)
        engine.dispose()  # with every connection that has learnt it
