"""The ledger's SQLite file: one connection per process, short transactions, several processes."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.sql")
BUSY_SECONDS = 30.0


class Store:
    """Hands out transactions. Safe between threads, processes and after a fork (except ":memory:")."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._pid = -1
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One writing unit: all of it or nothing."""
        with self._lock:
            db = self._connect()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Plain reads, without a transaction."""
        with self._lock:
            yield self._connect()

    def _connect(self) -> sqlite3.Connection:
        # A connection must not cross a fork: the child opens its own.
        if self._connection is None or self._pid != os.getpid():
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(SCHEMA.read_text())
            self._connection, self._pid = db, os.getpid()
        return self._connection
