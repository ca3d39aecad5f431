"""Endpoints on real sockets that say what a test tells them, and what is sent to them."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
import trustme
import urllib3

from checkout.services.webhooks import Answer, WebhookSender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

BODY = json.dumps({"type": "checkout_session.paid", "data": {"description": "茶"}}, ensure_ascii=False)

PUBLIC_IP = "93.184.216.34"
Say = Callable[[socket.socket], None]


class Listener:
    """A merchant's endpoint on a real socket: keeps what it heard and says what the test wants."""

    def __init__(self, say: Say, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.heard: list[bytes] = []
        self._say, self._tls = say, tls
        self._closing = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            conn, _ = self._socket.accept()
            if self._closing:
                conn.close()
                return
            self.connections += 1
            with contextlib.suppress(OSError), contextlib.closing(conn):
                self._answer(conn)

    def _answer(self, conn: socket.socket) -> None:
        conn.settimeout(3)
        if self._tls is None:
            self.heard.append(read_request(conn))
            self._say(conn)
            return
        with self._tls.wrap_socket(conn, server_side=True) as secure:
            self.heard.append(read_request(secure))
            self._say(secure)

    def close(self) -> None:
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


def read_request(conn: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := conn.recv(65536)):
            return received
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += conn.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(raw: str) -> Say:
    return lambda conn: conn.sendall(raw.replace("\n", "\r\n").encode())


def dripping(first: bytes) -> Say:
    """Never ends: a byte every 20 ms, so no timeout between two bytes ever fires."""

    def say(conn: socket.socket) -> None:
        conn.sendall(first)
        for _ in range(400):
            conn.sendall(b"x")
            time.sleep(0.02)

    return say


def hanging_up(conn: socket.socket) -> None:
    conn.close()


def huge(conn: socket.socket) -> None:
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
    for _ in range(160):
        conn.sendall(b"a" * 65536)


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    listeners: list[Listener] = []

    def start(say: Say, tls: ssl.SSLContext | None = None) -> Listener:
        listeners.append(Listener(say, tls))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def post(url: str, *, seconds: float = 5.0, secrets: Sequence[str] = (SECRET,), now: datetime = NOON) -> Answer:
    sender = WebhookSender(loopback_allowed=True, seconds=seconds)
    return sender.send(url, event_id="evt_1", body=BODY, secrets=secrets, now=now)


def headers_and_body(heard: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = heard.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, value in lines}, body


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that urllib3 was about to connect to. None is: this machine stays off the network."""
    seen: list[str] = []

    def refuse(address: tuple[str, int], *_args: object, **_named: object) -> socket.socket:
        seen.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib3.util.connection, "create_connection", refuse)
    return seen
