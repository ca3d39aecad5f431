"""A TCP fault proxy of our own: it stands between two programs on loopback and does to their bytes what networks do."""

import contextlib
import random
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import trustme

LOOPBACK = "127.0.0.1"
PIECE = 65536
TICK = 0.05  # seconds: how soon a connection that waits sees that its fault was changed
PATIENCE = 10.0  # seconds for a handshake, and for the answer that will be cut


@dataclass(frozen=True)
class Way:
    """What befalls the bytes of one direction."""

    delay: float = 0.0  # seconds before each piece
    rate: int = 0  # bytes a second; 0: as fast as they come
    cut_after: int | None = None  # so many bytes pass, then the line is cut
    corrupt_from: int | None = None  # so many bytes pass, of all later ones every bit is turned


@dataclass(frozen=True)
class Fault:
    """What befalls one connection; by default nothing. `up` leads to the target, `down` back to the client."""

    name: str = "passes"
    up: Way = Way()
    down: Way = Way()
    black_hole: bool = False  # accepted, and nothing is read from then on
    reset: bool = False  # ended by RST as soon as it is there
    tls: ssl.SSLContext | None = None  # the proxy speaks TLS with the client itself, and plainly with the target


PASSES = Fault()
BLACK_HOLE = Fault("black hole", black_hole=True)
RESET = Fault("reset", reset=True)


def delayed(seconds: float) -> Fault:
    return Fault("delayed", up=Way(delay=seconds), down=Way(delay=seconds))


def dripping(rate: int) -> Fault:
    return Fault("dripping", down=Way(rate=rate))


def cut_up(after: int) -> Fault:
    return Fault("request cut", up=Way(cut_after=after))


def cut_down(after: int) -> Fault:
    return Fault("answer cut", down=Way(cut_after=after))


def corrupted(after: int = 0) -> Fault:
    return Fault("corrupted", down=Way(corrupt_from=after))


def certified(name: str, authority: trustme.CA, host: str = "localhost", *, days_left: int = 1) -> Fault:
    """TLS under this host's name: bad when the client does not know the authority, asks for another host, or
    `days_left` is negative."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = datetime.now(UTC) + timedelta(days=days_left)
    authority.issue_cert(host, not_before=until - timedelta(days=2), not_after=until).configure_cert(context)
    return Fault(name, tls=context)


@dataclass
class Trap:
    """Springs when clients have sent these bytes once more than `skip` times; `sprung` is set when it has."""

    pattern: bytes
    skip: int = 0
    sprung: threading.Event = field(default_factory=threading.Event)


class FaultProxy:
    """Passes everything until it is told otherwise. `connections` counts; `befell` names each fault that was dealt out.

    Every connection has a fault of its own, chosen when it is accepted; `use` changes those of living ones too.
    """

    def __init__(self, target_port: int) -> None:
        self.target = (LOOPBACK, target_port)
        self.trap: Trap | None = None
        self.connections = 0
        self.befell: list[str] = []
        self._choose: Callable[[], Fault] = lambda: PASSES
        self._lock = threading.Lock()
        self._alive: set[_Connection] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._run(lambda: self._accept(self._listener))
        return self

    def __exit__(self, *_: object) -> None:
        self.close_port()
        self.drop()
        for thread in self._threads:
            thread.join()

    def use(self, fault: Fault) -> None:
        """From now on, for living connections too; but TLS begins with new ones."""
        with self._lock:
            self._choose = lambda: fault
            for connection in self._alive:
                connection.fault = fault

    def sometimes(self, share: float, faults: Sequence[Fault], chance: random.Random) -> None:
        """From now on one of these befalls this share of new connections; the same seed deals out the same again."""
        with self._lock:
            self._choose = lambda: chance.choice(faults) if chance.random() < share else PASSES

    def drop(self) -> None:
        """Reset every living connection."""
        with self._lock:
            for connection in self._alive:
                connection.over.set()

    def close_port(self) -> None:
        """New connections are refused; living ones go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def open_port(self) -> None:
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._run(lambda: self._accept(self._listener))

    def cut_answer_after(self, pattern: bytes, *, skip: int = 0) -> Trap:
        """Once, when a client has sent `pattern`: pass it on, wait until the target has answered, and reset instead.

        `skip` lets so many go before. What has not sprung is disarmed by `trap = None`.
        """
        self.trap = Trap(pattern, skip)
        return self.trap

    def springs(self, pattern: bytes) -> bool:
        """Whether this sight of the pattern is the one that the trap waits for; true for one connection only."""
        with self._lock:
            if self.trap is None or self.trap.pattern != pattern:
                return False
            if self.trap.skip > 0:
                self.trap.skip -= 1
                return False
            self.trap.sprung.set()
            self.trap = None
            return True

    def _run(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._lock:
                    connection = _Connection(self, client, self._choose())
                    self._alive.add(connection)
                    self.connections += 1
                    if connection.fault is not PASSES:
                        self.befell.append(connection.fault.name)
                self._run(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: "_Connection") -> None:
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.pump()
        with self._lock:
            self._alive.discard(connection)


class _Connection:
    """One client and its line to the target, in one thread."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, fault: Fault) -> None:
        self.fault, self.over = fault, threading.Event()
        self._proxy, self._client, self._server = proxy, client, socket.socket()
        self._passed = {True: 0, False: 0}  # bytes, by whether they went up
        self._heard = b""  # the client's last words, in which the trap's pattern may have begun

    def pump(self) -> None:
        """Pass bytes both ways, as the fault of the moment lets them, until an end closes or the line is cut."""
        self._wait_out_the_black_hole()
        if self.fault.tls:
            self._client.settimeout(PATIENCE)
            self._client = self.fault.tls.wrap_socket(self._client, server_side=True)
        if not self.fault.reset:
            self._server.connect(self._proxy.target)
        while not self.over.is_set() and not self.fault.reset:
            unread = isinstance(self._client, ssl.SSLSocket) and self._client.pending()
            ends = [self._client] if unread else select.select([self._client, self._server], [], [], TICK)[0]
            self._wait_out_the_black_hole()
            for source in ends:
                piece = source.recv(PIECE)
                if not piece or not self._pass(piece, up=source is self._client):
                    return
        self.over.set()

    def _wait_out_the_black_hole(self) -> None:
        while self.fault.black_hole and not self.over.wait(TICK):
            pass

    def _pass(self, piece: bytes, *, up: bool) -> bool:
        """False: the line is cut here."""
        way, to = (self.fault.up, self._server) if up else (self.fault.down, self._client)
        whole = len(piece)
        if way.corrupt_from is not None:
            start = max(way.corrupt_from - self._passed[up], 0)
            piece = piece[:start] + bytes(byte ^ 0xFF for byte in piece[start:])
        if way.cut_after is not None:
            piece = piece[: max(way.cut_after - self._passed[up], 0)]
        self._passed[up] += len(piece)
        self.over.wait(way.delay)
        step = max(way.rate // 20, 1) if way.rate else PIECE
        for start in range(0, len(piece), step):
            if way.rate and self.over.wait(step / way.rate):
                return False
            to.sendall(piece[start : start + step])
        return len(piece) == whole and not (up and self._trapped(piece))

    def _trapped(self, piece: bytes) -> bool:
        trap = self._proxy.trap
        if trap is None:
            return False
        heard = self._heard + piece
        self._heard = heard[-len(trap.pattern) + 1 :] if len(trap.pattern) > 1 else b""
        if trap.pattern not in heard or not self._proxy.springs(trap.pattern):
            return False
        self._server.settimeout(PATIENCE)
        self._server.recv(1)  # it has answered, so it has done what was asked
        self.over.set()
        return True

    def close(self) -> None:
        """FIN, unless the fault is a reset: then RST."""
        for end in (self._client, self._server):
            if self.over.is_set() or self.fault.reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
