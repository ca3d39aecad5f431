"""Load from one thread or a few: how long each answer took, measured at the client."""

import http.client
import math
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answers:
    """What one run brought; times in seconds."""

    times: Sequence[float]
    statuses: Mapping[int, int]
    took: float

    @property
    def per_second(self) -> float:
        return len(self.times) / self.took

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.times)
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] * 1000


class _Connection:
    """Asks the same thing again as soon as it is answered, without a thread of its own."""

    def __init__(self, port: int, request: bytes) -> None:
        self.wire = socket.create_connection((HOST, port))
        self._request = request
        self._received = b""
        self._asked = 0.0

    def ask(self) -> None:
        self._received = b""
        self._asked = time.perf_counter()
        self.wire.sendall(self._request)

    def hear(self) -> tuple[float, int] | None:
        """The time and status of a whole answer; None while more must come."""
        part = self.wire.recv(65536)
        if not part:
            raise ConnectionError("the server hung up")
        self._received += part
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return None
        return time.perf_counter() - self._asked, int(head[9:12])


def _content_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0] or 0)


def request_bytes(path: str, port: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{port}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def as_fast_as_it_goes(port: int, request: bytes, *, connections: int, seconds: float) -> Answers:
    """Each connection asks, waits for the whole answer, and asks again."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    with selectors.DefaultSelector() as ready:
        for connection in (_Connection(port, request) for _ in range(connections)):
            ready.register(connection.wire, selectors.EVENT_READ, connection)
            connection.ask()
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            for key, _ in ready.select(timeout=1):
                if answer := key.data.hear():
                    times.append(answer[0])
                    statuses[answer[1]] += 1
                    key.data.ask()
        took = time.perf_counter() - started
        for key in list(ready.get_map().values()):
            key.data.wire.close()
    return Answers(times, statuses, took)


def at_a_rate(send: Callable[[int], int], count: int, per_second: float, threads: int = 32) -> Answers:
    """`send(number)` returns a status. Timed from when it was due, so that a queue counts as waiting."""
    started = time.perf_counter() + 0.05

    def one(number: int) -> tuple[float, int]:
        due = started + number / per_second
        time.sleep(max(due - time.perf_counter(), 0))
        status = send(number)
        return time.perf_counter() - due, status

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(one, range(count)))
    took = time.perf_counter() - started
    return Answers([taken for taken, _ in answers], Counter(status for _, status in answers), took)


def send(
    method: str, port: int, path: str, body: str | None = None, headers: Iterable[tuple[str, str]] = ()
) -> tuple[int, Mapping[str, str], bytes]:
    """One request on a connection of its own; the headers' names are in lower case."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()
