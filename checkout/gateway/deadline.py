"""Connections that end when time is up, even while a peer drips one byte a second."""

import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import urllib3.connection
import urllib3.connectionpool
from urllib3.exceptions import NewConnectionError

from checkout.gateway.wires import Wires

_running = threading.local()  # which Deadline this thread is under; urllib3 offers no way to hand it down


class Deadline:
    """Covers one call of this thread. `sent` turns true just before the first byte of the request leaves."""

    def __init__(self, total_seconds: float, connect_seconds: float) -> None:
        self.total_seconds = total_seconds
        self.connect_seconds = connect_seconds
        self._connected_by = time.monotonic() + min(connect_seconds, total_seconds)
        self.sent = False
        self.passed = False
        self._wires = Wires(total_seconds, self._pass)

    def __enter__(self) -> Self:
        _running.deadline = self
        self._wires.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _running.deadline = None
        self._wires.let_go()

    def watch(self, wire: socket.socket) -> None:
        """Shut this socket down when time is up. Raises TimeoutError if it already is."""
        self._wires.watch(wire)
        if self.passed:
            raise TimeoutError("the deadline has passed")

    def left_to_connect(self) -> float:
        """Seconds for the next try to connect. Raises TimeoutError if there are none."""
        left = self._connected_by - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left to connect")
        return left

    def _pass(self) -> None:
        self.passed = True


class _Watched(urllib3.connection.HTTPConnection):
    """Puts its socket under the running Deadline, and tells it when something is about to be sent."""

    _under: Deadline | None = None

    def _new_conn(self) -> socket.socket:
        self._under = _running.deadline
        try:
            return _connect(self._dns_host, self.port or 80, self.socket_options or (), self._under)
        except (ConnectionResetError, BrokenPipeError) as fault:
            # urllib3 would take it for a server that has answered and closed, and read from a socket that is not there.
            raise NewConnectionError(self, type(fault).__name__) from fault

    def send(self, data: Any) -> None:
        deadline: Deadline = _running.deadline
        if self.sock is None:
            self.connect()
        if self._under is not deadline:  # a connection kept from an earlier call
            deadline.watch(self.sock)
            self._under = deadline
        deadline.sent = True
        super().send(data)


class HTTPConnection(_Watched):
    """Plain HTTP, for development."""


class HTTPSConnection(_Watched, urllib3.connection.HTTPSConnection):
    """As urllib3's own; the handshake is under the Deadline too."""


class HTTPConnectionPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = HTTPConnection


class HTTPSConnectionPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = HTTPSConnection


def _connect(host: str, port: int, options: Iterable[tuple[Any, ...]], deadline: Deadline) -> socket.socket:
    """Try a host's addresses in turn, all within one budget; urllib3 would spend the whole time-out on each.

    Only the resolver keeps its own time: nothing in Python can cut `getaddrinfo` short.
    """
    fault = OSError("the name has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        wire = socket.socket(family, kind, protocol)
        try:
            for option in options:
                wire.setsockopt(*option)
            wire.settimeout(deadline.left_to_connect())
            wire.connect(address)
            deadline.watch(wire)
        except OSError as error:
            wire.close()
            fault = error
        else:
            return wire
    raise fault
