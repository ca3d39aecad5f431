"""The fault proxy does what it is told to, seen by a plain socket at either end."""

import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import trustme

from tests.databases import PostgresServer
from tests.proxy import (
    BLACK_HOLE,
    LOOPBACK,
    PASSES,
    RESET,
    Fault,
    FaultProxy,
    certified,
    corrupted,
    cut_down,
    cut_up,
    delayed,
    dripping,
)
from tests.servers import wait_until

RESETS = (ConnectionResetError, BrokenPipeError)  # which one, depends on who was quicker
SHORT = 0.3  # seconds in which nothing must come


class Echo:
    """Says back, in capitals, what it hears; `heard` is all of it."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65536):
                    self.heard += piece
                    connection.sendall(piece.upper())
            except OSError:
                pass


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(echo.port) as between:
        yield between


@contextmanager
def dialled(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as line:
        yield line


def told(line: socket.socket, words: bytes = b"hello") -> bytes:
    """What comes back until as much has come as was sent, or the line ends."""
    line.sendall(words)
    answer = b""
    while len(answer) < len(words) and (piece := line.recv(65536)):
        answer += piece
    return answer


def test_bytes_pass_both_ways_and_many_lines_at_once(proxy: FaultProxy) -> None:
    with ExitStack() as lines:
        for line in [lines.enter_context(dialled(proxy)) for _ in range(20)]:
            assert told(line) == b"HELLO"
    with dialled(proxy) as line:
        assert told(line, b"x" * 1_000_000) == b"X" * 1_000_000
    assert proxy.connections == 21
    assert proxy.befell == []


def test_a_closed_port_refuses_and_opens_again(proxy: FaultProxy) -> None:
    with dialled(proxy) as old:
        assert told(old) == b"HELLO"
        proxy.close_port()
        with pytest.raises(ConnectionRefusedError), dialled(proxy):
            pass
        assert told(old) == b"HELLO"
    proxy.open_port()
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"


def test_a_black_hole_takes_and_never_answers_until_it_is_lifted(proxy: FaultProxy, echo: Echo) -> None:
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"
        proxy.use(BLACK_HOLE)  # a living line too
        line.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            told(line)
        assert echo.heard == b"hello"
        proxy.use(PASSES)
        line.settimeout(5)
        assert line.recv(100) == b"HELLO"


def test_a_delay_holds_back_each_piece(proxy: FaultProxy) -> None:
    proxy.use(delayed(0.15))
    with dialled(proxy) as line:
        began = time.monotonic()
        assert told(line) == b"HELLO"
        assert time.monotonic() - began >= 0.3


def test_a_drip_takes_its_time(proxy: FaultProxy) -> None:
    proxy.use(dripping(100))
    with dialled(proxy) as line:
        began = time.monotonic()
        assert told(line, b"x" * 50) == b"X" * 50
        assert 0.4 <= time.monotonic() - began < 5


def test_an_answer_is_cut_after_so_many_bytes(proxy: FaultProxy, echo: Echo) -> None:
    proxy.use(cut_down(3))
    with dialled(proxy) as line:
        assert told(line) == b"HEL"
    assert echo.heard == b"hello"


def test_a_request_is_cut_after_so_many_bytes(proxy: FaultProxy, echo: Echo) -> None:
    proxy.use(cut_up(7))
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"
        line.sendall(b"world")
        assert told(line, b"") == b""
        line.recv(100)
    wait_until(lambda: echo.heard == b"hellowo", 5, lambda: repr(echo.heard))


def test_a_reset_ends_new_lines_and_living_ones(proxy: FaultProxy) -> None:
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"
        proxy.use(RESET)
        with pytest.raises(RESETS):
            told(line)
    with pytest.raises(RESETS), dialled(proxy) as line:
        told(line)


def test_dropping_ends_living_lines_only(proxy: FaultProxy) -> None:
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"
        proxy.drop()
        with pytest.raises(RESETS):
            told(line)
    with dialled(proxy) as line:
        assert told(line) == b"HELLO"


def test_corrupted_bytes_are_as_many_and_others(proxy: FaultProxy) -> None:
    proxy.use(corrupted(2))
    with dialled(proxy) as line:
        assert told(line) == b"HE" + bytes(byte ^ 0xFF for byte in b"LLO")


@pytest.mark.parametrize(
    ("asked_for", "known", "days_left", "problem"),
    [
        ("localhost", True, 1, None),
        ("localhost", False, 1, "unable to get local issuer"),
        ("localhost", True, -1, "certificate has expired"),
        ("gateway.example", True, 1, "Hostname mismatch"),
    ],
)
def test_a_certificate_is_as_bad_as_was_asked_for(
    proxy: FaultProxy, tmp_path: Path, asked_for: str, known: bool, days_left: int, problem: str | None
) -> None:
    authority = trustme.CA()
    proxy.use(certified("tls", authority, days_left=days_left))
    client = ssl.create_default_context()
    if known:
        authority.configure_trust(client)
    with dialled(proxy) as line:
        if problem is None:
            with client.wrap_socket(line, server_hostname=asked_for) as inside:
                assert told(inside, b"x" * 40_000) == b"X" * 40_000
            return
        with pytest.raises(ssl.SSLCertVerificationError, match=problem):
            client.wrap_socket(line, server_hostname=asked_for)


def test_the_same_seed_deals_out_the_same_faults(echo: Echo) -> None:
    dealt = []
    for _ in range(2):
        with FaultProxy(echo.port) as proxy:
            proxy.sometimes(0.5, [RESET, Fault("odd"), cut_down(0)], random.Random(7))
            for _ in range(40):
                with suppress(*RESETS), dialled(proxy):
                    pass
            wait_until(lambda proxy=proxy: proxy.connections == 40, 5, lambda: "lines are missing")  # type: ignore[misc]
            dealt.append(proxy.befell)
    assert dealt[0] == dealt[1]
    assert 10 <= len(dealt[0]) <= 30
    assert set(dealt[0]) == {"reset", "odd", "answer cut"}


def test_an_answer_is_cut_off_behind_a_pattern_however_it_is_split(proxy: FaultProxy, echo: Echo) -> None:
    trap = proxy.cut_answer_after(b"COMMIT", skip=1)
    with dialled(proxy) as line:
        assert told(line, b"COMMIT;") == b"COMMIT;"
        assert told(line, b"begin;COM") == b"BEGIN;COM"
        assert not trap.sprung.is_set()
        line.sendall(b"MIT;")
        with pytest.raises(ConnectionResetError):
            line.recv(100)
    assert trap.sprung.is_set()
    assert echo.heard.endswith(b"COMMIT;")
    with dialled(proxy) as line:
        assert told(line, b"COMMIT") == b"COMMIT"  # it springs once


def test_a_commit_whose_answer_is_cut_off_is_stored(postgres: PostgresServer) -> None:
    database = postgres.new_database()
    with psycopg.connect(database, autocommit=True) as direct, FaultProxy(postgres.port) as proxy:
        direct.execute("CREATE TABLE orders (id int)")
        between = database.replace(str(postgres.port), str(proxy.port))
        lost = psycopg.connect(between)
        lost.execute("INSERT INTO orders VALUES (1)")
        trap = proxy.cut_answer_after(b"COMMIT\0")
        with pytest.raises(psycopg.OperationalError):
            lost.commit()
        assert trap.sprung.is_set()
        assert direct.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    postgres.drop_database(database)
