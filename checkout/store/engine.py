"""The two databases, made to behave alike where money is concerned (design.md section 5)."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

BUSY_SECONDS = 4  # a request that waits in vain is told so within 5 s
POOL_SECONDS = 2  # a request may need two connections, and wait for each
ANSWER_SECONDS = 5.5  # a server that took the question and is silent longer than its own time-out is lost
READ_ONLY = {"sampan_read_only": True}

LIMITS = {"lock_timeout": "2s", "statement_timeout": "5s", "idle_in_transaction_session_timeout": "15s"}
# Each of our statements reads a few rows of an index. Where PostgreSQL expects more it starts helpers or compiles the
# plan, and on a busy machine that alone takes longer (16 ms) than the answer (0.3 ms).
PLAIN = {"jit": "off", "max_parallel_workers_per_gather": "0"}
# Set for the connection, not the transaction; who is told of it talks to one server and not to a pooler of servers.
MARK = "sampan.direct"
POOLED, PATIENT = "sampan_pooled", "sampan_patient"
SET_LIMITS = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in LIMITS.items())
READ_ONLY_TRANSACTION = "25006"
DISK_FULL = "53100"
SPARE_BYTES = 1024 * 1024  # below this a SQLite file may not grow by one more payment
_ACTIVE = 1  # libpq's PQTRANS_ACTIVE: a question is under way


def is_address(text: str) -> bool:
    """Whether it names a database that this service can work with; a file has a path after three slashes."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number
        return False
    if url.drivername == "sqlite":
        return not url.host and url.database not in (None, "", ":memory:")
    return url.drivername == "postgresql+psycopg"


def make_engine(url: str, *, pool_size: int = 10, max_overflow: int = 10) -> Engine:
    """An engine whose writing transactions take the write lock first (SQLite) and never wait for ever (PostgreSQL)."""
    if make_url(url).get_backend_name() == "sqlite":
        # Never SQLAlchemy's :memory: special case: its one shared connection would hide every race.
        # Connections cost a file handle each, and there are no more of them than threads.
        engine = create_engine(
            url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True, pool_size=pool_size, max_overflow=-1
        )
        _tame_sqlite(engine)
        return engine
    engine = create_engine(
        url,
        hide_parameters=True,  # errors are logged, and rows hold what logs must not
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=POOL_SECONDS,
        connect_args=_connect_args(LIMITS | PLAIN | {MARK: "on"}),
    )
    _tame_postgresql(engine)
    return engine


def _connect_args(settings: dict[str, str]) -> dict[str, Any]:
    options = " ".join(f"-c {name}={value}" for name, value in ({"timezone": "UTC"} | settings).items())
    return {"connect_timeout": 3, "options": options, "target_session_attrs": "read-write"}


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


def _tame_postgresql(engine: Engine) -> None:
    _yield_to_poolers(engine)

    @event.listens_for(engine, "connect")
    def _(connection: Any, record: Any) -> None:
        _never_wait_for_ever(connection, record.info)
        connection.autocommit = True
        direct = connection.execute("SELECT current_setting(%s, true)", [MARK]).fetchone()[0]
        connection.autocommit = False
        if not direct:  # the next transaction may be another server's: nothing may be left behind in this one
            record.info[POOLED] = True
            connection.prepare_threshold = None

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.info[PATIENT] = options.get("postgresql_readonly")  # as the audit reads: all the books at one moment
        if connection.info.get(POOLED) and options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(SET_LIMITS)

    @event.listens_for(engine, "checkin")
    def _(_connection: Any, record: Any) -> None:
        record.info.pop(PATIENT, None)

    @event.listens_for(engine, "handle_error")
    def _(context: ExceptionContext) -> None:
        # After a failover the pool still leads to the old node: leave it, and let connecting find the new one.
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY_TRANSACTION:
            context.is_disconnect = True


def _yield_to_poolers(engine: Engine) -> None:
    """PgBouncer refuses a connection with options of its own: then without them, for good."""
    refused: set[str] = set()

    @event.listens_for(engine, "do_connect")
    def _(dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        wanted = {name: value for name, value in parameters.items() if name not in refused}
        try:
            return dialect.connect(*arguments, **wanted)
        except dialect.dbapi.OperationalError as error:
            if "options" not in wanted or "unsupported startup parameter" not in str(error):
                raise
            refused.add("options")
            del wanted["options"]
            return dialect.connect(*arguments, **wanted)


def _never_wait_for_ever(connection: Any, info: dict[str, Any]) -> None:
    """The server's own time-outs bind only a server that lives; a line may also just fall silent."""
    wait = connection.wait

    def patiently(generator: Any, **options: Any) -> Any:
        try:
            return wait(generator, **({"timeout": None if info.get(PATIENT) else ANSWER_SECONDS} | options))
        except Exception:
            if connection.pgconn.transaction_status == _ACTIVE:
                connection.close()  # its answer may still come, and would be taken for the next one's
            raise

    connection.wait = patiently


def reading_engine(engine: Engine) -> Engine:
    """The same pool for requests that only read: no write lock on SQLite, no transaction round trips on PostgreSQL."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**READ_ONLY)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def unhurried(engine: Engine) -> Engine:
    """For migrations and for commands that read all the books: a statement may take its time, a lock still may not."""
    if engine.dialect.name == "sqlite":
        return engine
    limits = LIMITS | {"statement_timeout": "0"}
    own = create_engine(engine.url, hide_parameters=True, poolclass=NullPool, connect_args=_connect_args(limits))
    _yield_to_poolers(own)
    return own


def cannot_write(connection: Connection) -> str | None:
    """Why nothing can be written, as far as the database shows it before somebody tries; None: no reason is known."""
    if connection.dialect.name == "postgresql":
        reading = connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on"
        return "read-only" if reading else None
    disk = os.statvfs(Path(connection.engine.url.database or ".").parent)
    if disk.f_flag & os.ST_RDONLY:
        return "read-only"
    return "disk full" if disk.f_bavail * disk.f_frsize < SPARE_BYTES else None


def disk_is_full(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == DISK_FULL


def writing_sessions(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine, expire_on_commit=False, autoflush=False)
