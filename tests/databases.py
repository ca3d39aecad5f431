"""Real databases for tests: a PostgreSQL server on a loopback port of its own, and an end without open connections."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import Engine, QueuePool

from tests.servers import LOOPBACK, free_port, wait_until


def close_books(engine: Engine) -> None:
    """Close all its connections, also one that a thread still holds which has answered already: it notes a key's use.

    What is given back to a pool that was closed before stays open until it is collected, in the midst of another test.
    """
    pool = engine.pool
    if isinstance(pool, QueuePool):
        with suppress(TimeoutError):  # whoever is killed never gives it back
            wait_until(lambda: pool.checkedout() == 0, 10, lambda: "a connection is still in use")
    engine.dispose()


class PostgresServer:
    """A PostgreSQL of our own, stopped and deleted at the end.

    Without `durable` it does not wait for the disk: fast, and wrong for tests about crashes.
    """

    USER = "sampan"

    def __init__(self, *, durable: bool = False) -> None:
        self.port = free_port()
        self._durable = durable
        self._binaries = _postgres_binaries()
        self._account = _account()
        self._folder = Path(tempfile.mkdtemp(prefix="sampan-postgres-"))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._child: subprocess.Popen[bytes] | None = None
        self._templates: dict[Callable[[str], object], str] = {}
        self._free: dict[Callable[[str], object], list[str]] = {}
        self._names = (f"test_{number}" for number in range(1, sys.maxsize))

    def __enter__(self) -> Self:
        os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
        options = ["-U", self.USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        with self._run([self._binaries / "initdb", "-D", self._data, *options]) as initdb:
            if initdb.wait(60):
                raise RuntimeError(f"initdb failed:\n{self._log.read_text()}")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.crash()  # quicker than leaving in order what is deleted now
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, or start it again after `stop` or `crash`: same port, same data."""
        options = {
            "port": self.port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._child = self._run([self._binaries / "postgres", "-D", self._data, *arguments])
        wait_until(self._is_up, 30, lambda: f"PostgreSQL did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End every connection and leave the data in order."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """End at once, as in a power cut: the next `start` recovers from the write-ahead log."""
        self._signal(signal.SIGQUIT)

    def read_only(self, wanted: bool) -> None:
        """What every connection, also one that lives, may do from its next transaction on, as after a failover."""
        value = "on" if wanted else "off"
        self._execute(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}").format(sql.Literal(value)))
        self._execute(sql.SQL("SELECT pg_reload_conf()").format())
        wait_until(lambda: self._is_read_only() is wanted, 10, lambda: f"default_transaction_read_only is not {value}")

    def url(self, database: str) -> str:
        """An address that both SQLAlchemy and libpq understand."""
        return f"postgresql://{self.USER}@{LOOPBACK}:{self.port}/{database}"

    def new_database(self, prepare: Callable[[str], object] | None = None) -> str:
        """The URL of a fresh database.

        `prepare` gets the URL of a template, once per server, to run migrations in; databases made with it are
        copies. It must leave no connection open (`engine.dispose()`), or PostgreSQL refuses to copy.
        """
        template = "template1"
        if prepare:
            template = self._templates.get(prepare) or self._create("template1")
            if prepare not in self._templates:
                prepare(self.url(template))
                self._templates[prepare] = template
        return self.url(self._create(template))

    @contextmanager
    def borrowed(self, prepare: Callable[[str], object]) -> Iterator[str]:
        """The URL of an empty database that others have used before and will use again: a new one takes far longer.

        Whoever leaves it locked, or with other tables than it had, leaves it to nobody.
        """
        free = self._free.setdefault(prepare, [])
        url = free.pop() if free else self.new_database(prepare)
        shape = _shape(url)
        yield url
        try:
            empty = _shape(url) == shape and _empty(url, shape)
        except psycopg.Error:
            empty = False
        if empty:
            free.append(url)
        else:
            self.drop_database(url)

    def drop_database(self, url: str) -> None:
        """Delete a database that `new_database` made, open connections or not."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(url.rpartition("/")[2])))

    def _create(self, template: str) -> str:
        name = next(self._names)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _is_read_only(self) -> bool:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            return connection.execute("SHOW transaction_read_only").fetchone() == ("on",)

    def _run(self, command: Sequence[str | Path]) -> "subprocess.Popen[bytes]":
        # As the owner of the data, because PostgreSQL refuses root. Popen changes the user itself, so that the
        # child is PostgreSQL and not a `runuser` that would have to pass signals on. `setpriv` becomes the command;
        # PostgreSQL then ends also when these tests are killed.
        is_root = os.getuid() == 0
        dies_with_us = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*dies_with_us, *command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._account.pw_uid if is_root else None,
                group=self._account.pw_gid if is_root else None,
                extra_groups=[] if is_root else None,
            )

    def _is_up(self) -> bool:
        if self._child is None or self._child.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended:\n{self._log.read_text()}")
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self._child is None:
            return
        self._child.send_signal(number)
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None


OTHERS_LEAVE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def _shape(url: str) -> list[tuple[str, ...]]:
    """Each column, and how far the migrations have gone."""
    columns = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    with psycopg.connect(url, autocommit=True) as connection:
        return sorted(connection.execute(columns)) + connection.execute("SELECT * FROM alembic_version").fetchall()


def _empty(url: str, shape: Sequence[tuple[str, ...]]) -> bool:
    """Forget every row. Raises psycopg.Error when somebody has left something locked."""
    tables = sorted({column[0] for column in shape if len(column) > 1} - {"alembic_version"})
    # Deleting takes a tenth of truncating, and the order of foreign keys need not be known to a replica.
    forget = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in tables)
    with psycopg.connect(url, autocommit=True, options="-c session_replication_role=replica") as connection:
        connection.execute("SET lock_timeout = '2s'")
        connection.execute(OTHERS_LEAVE)
        connection.execute(forget)
    return True


def _account() -> pwd.struct_passwd:
    return pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def _postgres_binaries() -> Path:
    for folder in _candidates():
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError("PostgreSQL's server is not installed: `make test` does it, or apt-get install postgresql")


def _candidates() -> Iterator[Path]:
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    if config := shutil.which("pg_config"):
        yield Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
