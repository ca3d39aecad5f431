"""The test servers are real: what they claim is seen from outside."""

import os
import socket
import sys
import threading
from collections.abc import Callable

import psycopg
import pytest
import requests
from flask import Flask

from checkout.store.engine import make_engine
from tests.databases import PostgresServer, close_books
from tests.servers import HttpServer, Process, free_port
from tests.stories.auditing import violations_in
from tests.stories.conftest import migrate


def test_databases_are_fresh_copies_of_a_template_prepared_once(postgres: PostgresServer) -> None:
    prepared = []

    def migrate(url: str) -> None:
        prepared.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE orders (id int)")

    first, second = postgres.new_database(migrate), postgres.new_database(migrate)
    with psycopg.connect(first) as connection:
        connection.execute("INSERT INTO orders VALUES (1)")

    assert len(prepared) == 1
    assert _count(first) == 1
    assert _count(second) == 0
    postgres.drop_database(first)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first)


def test_a_borrowed_database_is_empty_and_whoever_changes_its_tables_leaves_it_to_nobody(
    postgres: PostgresServer,
) -> None:
    def migrate(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE orders (id int); CREATE TABLE alembic_version (version_num int)")

    with postgres.borrowed(migrate) as first, psycopg.connect(first) as connection:
        connection.execute("INSERT INTO orders VALUES (1)")
    with postgres.borrowed(migrate) as second, psycopg.connect(second) as connection:
        assert (second, _count(second)) == (first, 0)
        connection.execute("ALTER TABLE orders ADD note text")
    with postgres.borrowed(migrate) as third:
        assert third != first
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(first)


def test_the_audit_looks_at_the_books_it_is_given_also_when_those_before_are_gone(postgres: PostgresServer) -> None:
    for _ in range(2):
        url = postgres.new_database(migrate)
        books = make_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        assert violations_in(books) == []
        books.dispose()
        postgres.drop_database(url)


def test_a_connection_that_is_given_back_late_is_closed_too(postgres: PostgresServer) -> None:
    """Found when one was collected in the midst of another test, which its warning failed."""
    with postgres.borrowed(migrate) as url:
        books = make_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        noting = books.connect()
        held = noting.connection.driver_connection
        assert held
        late = threading.Timer(0.5, noting.close)
        late.start()
        close_books(books)
        late.join()
        assert held.closed


def test_a_durable_server_keeps_what_was_committed_before_a_crash() -> None:
    with PostgresServer(durable=True) as server:
        database = server.new_database()
        with psycopg.connect(database) as connection:
            connection.execute("CREATE TABLE orders AS SELECT 1 AS id")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database)
        server.start()

        assert _count(database) == 1


def test_an_app_answers_on_a_socket_until_the_test_ends(http_server: Callable[[Flask], HttpServer]) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "hello")

    assert requests.get(http_server(app).url, timeout=5).text == "hello"


def test_a_process_is_awaited_and_stopped() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/README-that-is-not-there"
    with Process([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]) as server:
        server.wait_for(url)
        pid = server.pid
        os.kill(pid, 0)
        assert "File not found" in server.output()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_ends_early_says_why() -> None:
    with (
        Process([sys.executable, "-c", "raise SystemExit('no database')"]) as server,
        pytest.raises(RuntimeError, match="no database"),
    ):
        server.wait_for(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_python_reaches_no_other_machine(address: str) -> None:
    with pytest.raises(OSError, match="loopback only"):
        socket.create_connection((address, 80), timeout=1)


def test_python_resolves_no_foreign_name() -> None:
    with pytest.raises(socket.gaierror, match="no DNS"):
        socket.getaddrinfo("shop.example", 443)


def _count(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    assert row
    return int(row[0])
