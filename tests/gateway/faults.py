"""A server on a real socket that goes wrong in one chosen way."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

LONGEST = 15.0  # seconds: where a deadline does not hold, a test fails instead of lasting for ever

Script = Callable[[socket.socket, threading.Event], None]


class FaultServer:
    """Runs `script(connection, over)` for each request. `connections` counts, `heard` keeps what was requested."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self.connections = 0
        self.heard: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(2)
            if self._tls:
                with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._converse(wrapped)
            else:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)  # so that the end of a test is seen
        if getattr(self._script, "at_once", False):
            self._script(connection, self._over)
            return
        while request := self._request(connection):
            self.heard.append(request)
            self._script(connection, self._over)

    def _request(self, connection: socket.socket) -> bytes:
        heard = b""
        while not self._over.is_set() and not _whole(heard):
            with contextlib.suppress(TimeoutError):
                if not (some := connection.recv(65536)):
                    return b""
                heard += some
        return heard if _whole(heard) else b""


def _whole(heard: bytes) -> bool:
    head, blank, body = heard.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(blank) and len(body) >= int(lengths[0] if lengths else 0)


def at_once(script: Script) -> Script:
    """Mark a script that does not wait for a request."""
    script.at_once = True  # type: ignore[attr-defined]
    return script


def after_hello(script: Script) -> Script:
    """Let the client's first words arrive. Reset before them, Python's own ssl leaks a socket, with a warning."""

    def waits(connection: socket.socket, over: threading.Event) -> None:
        connection.settimeout(2)
        connection.recv(65536)
        script(connection, over)

    return waits


def says(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Script:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    answer = "\r\n".join(head).encode() + body

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.settimeout(2)
        connection.sendall(answer)
        connection.settimeout(0.05)
        if length is not None:
            connection.close()  # it promised more

    return script


def in_turn(*scripts: Script) -> Script:
    """Another script for each request."""
    left = iter(scripts)

    def script(connection: socket.socket, over: threading.Event) -> None:
        next(left)(connection, over)

    return script


def drips(start: bytes, drop: bytes = b"x") -> Script:
    """Send `start`, then `drop` again and again, so that no pause between bytes is ever long."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        for _ in range(int(LONGEST / 0.02)):
            if over.wait(0.02):
                return
            connection.sendall(drop)

    return script


def hangs(connection: socket.socket, over: threading.Event) -> None:
    """A black hole: it takes the request and says nothing."""
    over.wait(LONGEST)


def resets(connection: socket.socket, over: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is ours, so that nobody else listens there, and that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: Linux drops what knocks, so that connecting takes for ever."""
    with contextlib.ExitStack() as kept:
        listener = kept.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            knocking = kept.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
