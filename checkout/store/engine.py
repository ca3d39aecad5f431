"""The two databases, made to behave alike where money is concerned (design.md section 5)."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

BUSY_SECONDS = 5
READ_ONLY = {"sampan_read_only": True}


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """An engine whose writing transactions take the write lock first (SQLite) and never wait for ever (PostgreSQL)."""
    if make_url(url).get_backend_name() == "sqlite":
        # Never SQLAlchemy's :memory: special case: its one shared connection would hide every race.
        engine = create_engine(
            url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True, pool_size=pool_size, max_overflow=10
        )
        _tame_sqlite(engine)
        return engine
    options = (
        "-c lock_timeout=2000 -c statement_timeout=5000 -c idle_in_transaction_session_timeout=15000 -c timezone=UTC"
    )
    return create_engine(
        url,
        hide_parameters=True,  # errors are logged, and rows hold what logs must not
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=10,
        pool_timeout=5,
        connect_args={"connect_timeout": 3, "options": options, "target_session_attrs": "read-write"},
    )


def _tame_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not open transactions by itself: with its default, 514 of 800 concurrent
        # updates were lost without an error (measured, design.md section 5).
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        reading = connection.get_execution_options().get("sampan_read_only")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def reading_engine(engine: Engine) -> Engine:
    """The same pool for requests that only read: no write lock on SQLite, no transaction round trips on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**READ_ONLY)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def writing_sessions(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine, expire_on_commit=False, autoflush=False)
