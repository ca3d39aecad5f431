"""F46 to F50: books that only read, locks that stay, pools and disks that are full."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from checkout.store import retrying
from checkout.store.models import Attempt, CheckoutSession
from config import BadSetting, Config
from tests.databases import PostgresServer
from tests.faults.fragile import (
    IN_TIME,
    all_goes_well,
    count_of,
    far,
    fragile,
    in_vain,
    is_ready,
    nobody_is_served,
    proxy,
    server,
    world_on,
)
from tests.servers import HttpServer, Process, free_port, wait_until
from tests.stories.cast import Inbox, Merchant, Shopper, World
from tests.stories.conftest import migrate

__all__ = ["far", "fragile", "proxy", "server"]


# --- F46: it only reads


def test_f46_a_node_that_only_reads_is_left_and_notices_come_again(fragile: World, server: PostgresServer) -> None:
    world, bo = fragile, fragile.merchant()
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.pays(session)
    server.read_only(True)
    try:
        assert is_ready(world) == (503, "read-only")
        assert world.notifies() == [503]
        nobody_is_served(world, bo, ada)
        with pytest.raises(Exception, match="session is read-only"):
            world.parts.engine.connect()
    finally:
        server.read_only(False)
    world.clock.now += timedelta(minutes=2)
    assert world.notifies() == [200]
    world.works()
    assert bo.reads(session)["status"] == "paid"
    assert is_ready(world) == (200, None)


# --- F47: locks


@contextmanager
def locked_books(world: World, session: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Somebody else writes this session, or the file, until told to let go."""
    with world.parts.engine.connect() as other:
        other.execute(text("UPDATE session SET version = version WHERE id = :id"), {"id": session["id"]})
        yield other.rollback


def test_f47_who_meets_a_lock_that_is_let_go_notices_nothing(
    world: World,
    ada: Shopper,
    session: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrying, "PATIENCE", 30.0)  # or a busy machine uses it up
    with locked_books(world, session) as let_go, ThreadPoolExecutor(1) as another:
        picking = another.submit(ada.picks, "alipay_hk")
        on_sqlite, began = world.parts.engine.dialect.name == "sqlite", time.monotonic()  # which waits within itself

        def waited() -> bool:
            return time.monotonic() - began > 0.5 if on_sqlite else "runs again: " in caplog.text

        wait_until(waited, 20, lambda: "the lock took no longer than it may")
        let_go()
        assert picking.result().status_code == 303
    assert ada.stage() == "scan"
    assert len(world.attempts(session)) == 1


def test_f47_a_lock_that_stays_is_told_in_time_and_changes_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    with locked_books(world, session), ThreadPoolExecutor(3) as others:
        asked = [
            ada.cancels,
            lambda: ada.asks("POST", ada.path, data={"wallet": "alipay_hk"}),
        ]
        for answer in others.map(in_vain, asked):
            assert "Retry-After" in answer.headers
    assert world.attempts(session) == []
    assert bo.reads(session)["status"] == "open"
    assert ada.picks("alipay_hk").status_code == 303


def test_f47_two_in_a_deadlock_are_both_served(far: World, caplog: pytest.LogCaptureFixture) -> None:
    """A stranger locks the attempt and wants the session; Ada has locked the session and wants the attempt."""
    bo = far.merchant()
    session = bo.opens()
    ada = far.shopper(session)
    ada.picks("alipay_hk")
    far.passes(10)
    attempt = far.attempt(session)
    assert attempt.asked_at
    far.clock.now = attempt.asked_at + timedelta(seconds=2.5)  # giving up makes an enquiry due: it writes the attempt
    with far.parts.engine.connect() as other, ThreadPoolExecutor(1) as another:
        other.execute(text("SET LOCAL deadlock_timeout = '10s'"))  # so that it is Ada who is given up
        other.execute(text("UPDATE attempt SET version = version WHERE id = :id"), {"id": attempt.id})
        cancelling = another.submit(ada.cancels)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with far.parts.reading.connect() as looking:
            wait_until(lambda: looking.execute(waiting).scalar_one() > 0, 5, lambda: "nobody waits")
        other.execute(text("SET LOCAL lock_timeout = '10s'"))
        other.execute(text("UPDATE session SET version = version WHERE id = :id"), {"id": session["id"]})
        other.commit()
        assert cancelling.result().status_code == 303
    assert "a unit of work runs again: " in caplog.text  # a deadlock, or a lock that took long on a busy machine
    assert far.row(session).status == "closing"


# --- F48: no connection is free


def test_f48_an_empty_pool_is_told_in_time(world: World, bo: Merchant, ada: Shopper) -> None:
    pool = world.parts.engine.pool
    with ExitStack() as held:
        if world.parts.engine.dialect.name == "sqlite":
            for _ in range(40):  # there, connections cost nothing: there are as many as are wanted
                held.enter_context(world.parts.reading.connect())
            assert ada.stage() == "choose"
            return
        for _ in range(20):
            held.enter_context(world.parts.reading.connect())
        in_vain(lambda: bo.api("POST", "/v1/checkout-sessions", bo.order()))
        in_vain(lambda: ada.asks("GET", ada.path))
        assert is_ready(world) == (503, "unreachable")
    assert pool.checkedout() == 0  # type: ignore[attr-defined]
    assert ada.picks("alipay_hk").status_code == 303


def test_f48_a_crowd_on_a_small_pool_is_served_or_refused_in_time(
    fragile: World,
) -> None:
    bo = fragile.merchant()
    session = bo.opens()
    with ExitStack() as held, ThreadPoolExecutor(50) as crowd:
        for _ in range(15):  # five are left
            held.enter_context(fragile.parts.reading.connect())

        def looks(_: int) -> tuple[int, float]:
            began = time.monotonic()
            answer = fragile.shopper(session).asks("GET", f"/pay/{session['id']}")
            return answer.status_code, time.monotonic() - began

        answers = list(crowd.map(looks, range(500)))
    assert {status for status, _ in answers} <= {200, 503}
    assert sum(status == 200 for status, _ in answers) > 250
    assert max(seconds for _, seconds in answers) < IN_TIME


@pytest.fixture(params=["", "ignore_startup_parameters = options"], ids=["as it comes", "made to ignore options"])
def pooler(request: pytest.FixtureRequest, server: PostgresServer, tmp_path: Path) -> Iterator[tuple[int, Process]]:
    """PgBouncer in transaction mode, two connections for everybody; its port, and itself."""
    port = free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port} user={PostgresServer.USER}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = 2\nquery_wait_timeout = 5\n{request.param}\n"
    )
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(0o755)
    command = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not command:
        raise RuntimeError("PgBouncer is not installed: `make test` does it, or apt-get install pgbouncer")
    not_as_root = ["-u", "nobody"] if os.getuid() == 0 else []
    with Process([command, *not_as_root, str(settings)]) as process:
        wait_until(lambda: "process up" in process.output(), 10, process.output)
        yield port, process


def test_f48_behind_pgbouncer_all_goes_well_and_nothing_waits_for_ever(
    server: PostgresServer, pooler: tuple[int, Process], hooks: HttpServer, inboxes: dict[str, Inbox]
) -> None:
    url = server.new_database(migrate)
    port, process = pooler
    behind = url.replace(f":{server.port}/", f":{port}/")
    with world_on(behind, hooks, inboxes) as world, ThreadPoolExecutor(8) as many:
        bo = world.merchant()
        for _ in range(7):  # more often than the driver would prepare a statement
            all_goes_well(world, bo)
        sessions = list(many.map(lambda _: bo.opens(), range(24)))
        picked = many.map(lambda session: world.shopper(session).picks("alipay_hk"), sessions[:5])
        assert {answer.status_code for answer in picked} == {303}
        with world.parts.sessions() as db:
            assert db.scalar(text("SHOW lock_timeout")) == "2s"
            assert db.scalar(text("SHOW statement_timeout")) == "5s"
        with world.parts.reading.connect() as connection:  # and nothing of it is left for others
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "0"
        refused = process.output().count("closing because: unsupported startup parameter")
        assert refused <= 2, "the first connection is, and perhaps another that was begun meanwhile"
    server.drop_database(url)


# --- F49, F50: disks


def test_f49_when_the_file_cannot_grow_nothing_is_half_done_and_reads_go_on(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    if world.parts.engine.dialect.name != "sqlite":
        pytest.skip("a full disk under PostgreSQL is the business of tests/proofs/test_full_disk.py")
    full = [True]

    @event.listens_for(world.parts.engine, "begin")
    def _(connection: Any) -> None:
        raw: sqlite3.Connection = connection.connection.dbapi_connection
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}")

    order = bo.order(description="x" * 100)
    asked = (bo.api("POST", "/v1/checkout-sessions", order).status_code for _number in range(200))
    assert next(status for status in asked if status != 201) == 503  # the pages that there are have no room left
    assert is_ready(world) == (503, "disk full")
    assert ada.stage() == "choose"
    assert bo.reads(session)["status"] == "open"
    before = count_of(world, CheckoutSession)
    full.clear()
    all_goes_well(world, bo)
    assert count_of(world, CheckoutSession) == before + 1
    assert count_of(world, Attempt) == 1


def test_f50_production_refuses_a_file_that_a_restart_may_delete(tmp_path: Path) -> None:
    env = {
        "ENV": "production", "DATABASE_URL": f"sqlite:///{tmp_path / 'books.db'}", "PUBLIC_URL": "https://pay.example",
        "SECRET_KEY": "s" * 40,
    }  # fmt: skip
    with pytest.raises(BadSetting, match="SQLITE_IS_PERSISTENT"):
        Config.from_env(env)
    assert Config.from_env(env | {"SQLITE_IS_PERSISTENT": "1"}).on_sqlite


def test_f50_a_file_is_written_ahead_and_to_the_disk(world: World) -> None:
    if world.parts.engine.dialect.name != "sqlite":
        pytest.skip("about SQLite")
    with world.parts.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
