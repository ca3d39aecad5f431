"""A unit that the database gave up runs again, one that may be stored does not, and nobody waits for ever."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from checkout.store import retrying
from checkout.store.clock import DatabaseClock
from checkout.store.engine import (
    ANSWER_SECONDS,
    BUSY_SECONDS,
    LIMITS,
    POOL_SECONDS,
    cannot_write,
    make_engine,
    reading_engine,
    unhurried,
    writing_sessions,
)
from tests.databases import PostgresServer
from tests.proxy import BLACK_HOLE, PASSES, FaultProxy

COMMIT = b"COMMIT\0"
SLACK = 5.0  # a loaded machine


@pytest.fixture
def counters(empty: Engine) -> Engine:
    """Two counters, on SQLite and on PostgreSQL."""
    make_counters(empty)
    return empty


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[FaultProxy]:
    with FaultProxy(postgres.port) as between:
        yield between


@pytest.fixture
def far(postgres: PostgresServer, proxy: FaultProxy) -> Iterator[Engine]:
    """Two counters on PostgreSQL, behind the proxy."""
    url = postgres.new_database()
    engine = make_engine(
        url.replace("postgresql://", "postgresql+psycopg://").replace(str(postgres.port), str(proxy.port))
    )
    make_counters(engine)
    yield engine
    engine.dispose()


def make_counters(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))


def add(db: Session, number: int, more: int = 1) -> None:
    db.execute(text("UPDATE counter SET n = n + :more WHERE id = :id"), {"id": number, "more": more})


def counted(engine: Engine) -> list[int]:
    with reading_engine(engine).connect() as connection:
        return list(connection.scalars(text("SELECT n FROM counter ORDER BY id")))


def of_one_mind(engine: Engine, statement: str) -> None:
    """Run it on the one connection that lies in the pool, so that whoever comes next finds it so."""
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw
        raw.execute(statement)
        raw.commit()


def impatient(engine: Engine) -> None:
    """The next connection gives up on a lock sooner than a request would."""
    on_sqlite = engine.dialect.name == "sqlite"
    of_one_mind(engine, "PRAGMA busy_timeout = 50" if on_sqlite else "SET lock_timeout = '50ms'")


def test_a_unit_that_found_a_lock_runs_again(counters: Engine) -> None:
    runs: list[int] = []
    with writing_sessions(counters)() as other, writing_sessions(counters)() as db:
        add(other, 1, 10)
        impatient(counters)

        def unit() -> None:
            runs.append(1)
            if len(runs) == 2:
                other.commit()
            add(db, 2)
            add(db, 1)
            db.commit()

        retrying.run(db, unit, finds_itself=False)
    assert len(runs) == 2
    assert counted(counters) == [11, 1]


def test_three_times_and_no_more(counters: Engine) -> None:
    runs: list[int] = []
    with writing_sessions(counters)() as other, writing_sessions(counters)() as db:
        add(other, 1)
        impatient(counters)

        def unit() -> None:
            runs.append(1)
            add(db, 1)
            db.commit()

        with pytest.raises(DBAPIError) as raised:
            retrying.run(db, unit, finds_itself=True)
        assert retrying.given_up(raised.value)
    assert len(runs) == 3
    assert counted(counters) == [0, 0]


def test_whoever_waits_in_vain_is_told_within_five_seconds() -> None:
    """By the limits themselves: how long this machine takes besides is not theirs to say."""
    for_a_lock = float(LIMITS["lock_timeout"].removesuffix("s"))
    assert for_a_lock < retrying.PATIENCE < 3, "a lock is waited for twice, the second time for a second"
    assert "1s" in str(retrying.IN_HASTE)
    assert retrying.PATIENCE + 1 < 5
    assert BUSY_SECONDS < 5
    assert 2 * POOL_SECONDS < 5


def test_what_waited_long_is_not_begun_again(counters: Engine) -> None:
    """Two seconds for the lock, or four for the file: a second try may fit, a third would take too long."""
    runs: list[int] = []
    with writing_sessions(counters)() as other, writing_sessions(counters)() as db:
        add(other, 1)

        def unit() -> None:
            runs.append(1)
            add(db, 1)

        with pytest.raises(DBAPIError):
            retrying.run(db, unit, finds_itself=True)
    assert len(runs) in {1, 2}


def test_other_errors_are_nobodys_business(counters: Engine) -> None:
    runs: list[int] = []
    with writing_sessions(counters)() as db:

        def unit() -> None:
            runs.append(1)
            db.execute(text("INSERT INTO counter VALUES (1, 0)"))

        with pytest.raises(IntegrityError):
            retrying.run(db, unit, finds_itself=True)
    assert len(runs) == 1


def test_two_in_a_deadlock_both_get_through(far: Engine) -> None:
    meeting, runs = threading.Barrier(2), []

    def cross(first: int) -> None:
        with writing_sessions(far)() as db:

            def unit() -> None:
                runs.append(first)
                add(db, first)
                if runs.count(first) == 1:
                    meeting.wait(5)
                add(db, 3 - first)
                db.commit()

            retrying.run(db, unit, finds_itself=False)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(cross, (1, 2)))
    assert len(runs) == 3
    assert counted(far) == [2, 2]


def test_what_another_transaction_came_between_runs_again(far: Engine) -> None:
    runs: list[int] = []
    with writing_sessions(far)() as db:

        def unit() -> None:
            runs.append(1)
            db.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            db.execute(text("SELECT n FROM counter"))
            if len(runs) == 1:
                with far.begin() as other:
                    other.execute(text("UPDATE counter SET n = 10 WHERE id = 1"))
            add(db, 1)
            db.commit()

        retrying.run(db, unit, finds_itself=False)
    assert counted(far) == [11, 0]


def test_a_commit_whose_answer_is_lost_is_not_repeated_blindly(far: Engine, proxy: FaultProxy) -> None:
    runs: list[int] = []
    with writing_sessions(far)() as db:

        def unit() -> None:
            runs.append(1)
            add(db, 1)
            db.commit()

        trap = proxy.cut_answer_after(COMMIT)
        with pytest.raises(DBAPIError) as raised:
            retrying.run(db, unit, finds_itself=False)
        assert raised.value.connection_invalidated
    assert trap.sprung.is_set()
    assert len(runs) == 1
    assert counted(far) == [1, 0]  # a COMMIT that raised is not a COMMIT that failed


def test_a_unit_that_finds_itself_runs_again_after_a_lost_commit(far: Engine, proxy: FaultProxy) -> None:
    with writing_sessions(far)() as db:

        def unit() -> str:
            if db.scalar(text("SELECT n FROM counter WHERE id = 1")):
                return "found"
            add(db, 1)
            db.commit()
            return "stored"

        proxy.cut_answer_after(COMMIT)
        assert retrying.run(db, unit, finds_itself=True) == "found"
    assert counted(far) == [1, 0]


def test_a_connection_to_a_node_that_only_reads_leaves_the_pool(far: Engine) -> None:
    of_one_mind(far, "SET default_transaction_read_only = on")
    with writing_sessions(far)() as db:
        with pytest.raises(DBAPIError, match="read-only transaction") as raised:
            add(db, 1)
        assert raised.value.connection_invalidated
    with writing_sessions(far)() as db:
        add(db, 1)
        db.commit()
    assert counted(far) == [1, 0]


def test_of_several_nodes_the_one_that_writes_is_found(postgres: PostgresServer) -> None:
    with PostgresServer() as stand_by:
        stand_by.read_only(True)
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in (stand_by, postgres))
        engine = make_engine(f"postgresql+psycopg://{PostgresServer.USER}@/postgres?{hosts}")
        with engine.connect() as connection:
            assert connection.execute(text("SELECT inet_server_port()")).scalar_one() == postgres.port
        engine.dispose()


def test_a_database_that_only_reads_says_so(far: Engine) -> None:
    with reading_engine(far).connect() as connection:
        assert cannot_write(connection) is None
        connection.execute(text("SET default_transaction_read_only = on"))
        assert cannot_write(connection) == "read-only"


def test_statements_are_bound_but_for_commands_that_read_all_the_books(far: Engine) -> None:
    for engine, limit in (
        (far, "5s"),
        (reading_engine(far), "5s"),
        (unhurried(far), "0"),
        (reading_engine(unhurried(far)), "0"),
    ):
        with engine.connect() as connection:
            assert connection.execute(text("SHOW statement_timeout")).scalar_one() == limit
            assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"


def test_who_reads_all_the_books_at_one_moment_may_take_longer(far: Engine) -> None:
    at_one_moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with far.connect().execution_options(**at_one_moment) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": ANSWER_SECONDS + 0.5})


def test_a_server_that_falls_silent_is_given_up(far: Engine, proxy: FaultProxy) -> None:
    with writing_sessions(far)() as db:
        add(db, 1)
        proxy.use(BLACK_HOLE)
        began = time.monotonic()
        with pytest.raises(DBAPIError) as raised:
            db.commit()
        assert raised.value.connection_invalidated
        assert time.monotonic() - began < ANSWER_SECONDS + SLACK
    proxy.use(PASSES)
    assert counted(far)[1] == 0  # on a new connection


def test_nobody_waits_for_the_time_behind_others_who_wait_in_vain(far: Engine, proxy: FaultProxy) -> None:
    far.dispose()
    proxy.use(BLACK_HOLE)
    clock, began = DatabaseClock(far), time.monotonic()

    def ask(_: int) -> bool:
        with pytest.raises(DBAPIError):
            clock()
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))
    assert time.monotonic() - began < 3 + SLACK  # all together, and not one after the other
