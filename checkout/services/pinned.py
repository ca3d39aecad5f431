"""Connections to an address that was checked beforehand, ended by one deadline for the whole exchange."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import SplitResult

import urllib3
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from checkout.domain.errors import CheckoutError
from checkout.gateway.wires import Wires

CONNECT_SECONDS = 5.0

Resolve = Callable[[str, int], Sequence[str]]
Forbidden = Callable[[str], str | None]  # why not to connect to an IP address; None: we may


class Blocked(CheckoutError):
    """The endpoint is, or resolves to, a place where no webhook may go."""


class Deadline:
    """Ends one exchange after so many seconds, however slowly the other side drips."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._wires = Wires(seconds)
        self._wires.start()

    @property
    def left(self) -> float:
        return max(0.001, self._end - time.monotonic())  # a timeout of 0 would mean "do not block"

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def watch(self, sock: socket.socket) -> None:
        self._wires.watch(sock)
        if self.passed:
            self._wires.cut()

    def close(self) -> None:
        self._wires.let_go()


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name. socket.gaierror if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def resolve_in_time(ask: Resolve, host: str, port: int, deadline: Deadline) -> Sequence[str]:
    """getaddrinfo knows no time limit, so a thread asks, and is left behind when it takes too long."""
    outcome: list[Sequence[str] | OSError | UnicodeError] = []

    def work() -> None:
        try:
            outcome.append(ask(host, port))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True, name="webhook-dns")
    thread.start()
    thread.join(deadline.left)
    if not outcome:
        raise TimeoutError("the name took too long to resolve")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


class PinnedAdapter(IPFilterAdapter):
    """requests-hardened's adapter, aimed at an address that we have checked already.

    On its own it judges only the first address of a name, by a weaker rule than ours, after a look-up
    without a time limit. Here it is given the address instead of the name: one look-up, its filter as a
    second opinion, and Host, SNI and certificate are those of the name again.
    """

    def __init__(self, target: SplitResult, deadline: Deadline, forbidden: Forbidden) -> None:
        self._target, self._deadline, self._forbidden = target, deadline, forbidden
        secure = target.scheme == "https"
        super().__init__(is_https_proto=secure, allow_loopback=forbidden("127.0.0.1") is None)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        host_params, pool_kwargs = super().build_connection_pool_key_attributes(request, verify, cert)
        request.headers["Host"] = self._target.netloc
        if self._target.scheme == "https":
            pool_kwargs["server_hostname"] = pool_kwargs["assert_hostname"] = self._target.hostname
        return host_params, pool_kwargs

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        connection = _WatchedTLS if self._target.scheme == "https" else _Watched
        pool.ConnectionCls = partial(connection, deadline=self._deadline, forbidden=self._forbidden)
        return pool


class _Watched(urllib3.connection.HTTPConnection):
    """A connection that a deadline can end, and that looks at whom it really reached before it says a word."""

    def __init__(self, *args: Any, deadline: Deadline, forbidden: Forbidden, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline, self._forbidden = deadline, forbidden

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._deadline.watch(sock)
        if reason := self._forbidden(sock.getpeername()[0]):
            sock.close()
            raise Blocked(f"it leads to an address that is {reason}")
        return sock


class _WatchedTLS(_Watched, urllib3.connection.HTTPSConnection):
    pass
