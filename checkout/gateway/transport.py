"""The one door over `requests`: a POST that ends in time, and knows whether anything was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from checkout.gateway.deadline import Deadline, HTTPConnectionPool, HTTPSConnectionPool

MAX_BODY = 64 * 1024
_CHUNK = 4096
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "Sampan",
}
# All that requests, urllib3, http.client and ssl raise for what the wire does. Which of them it was proves nothing.
_FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)


class SentNothing(Exception):
    """Not one byte of the request left us: it cannot have been processed."""


class SentUnanswered(Exception):
    """The request left us, or may have, and no whole answer came back."""


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status. `signature` is the X-QF-SIGN header, which QFPay may add."""

    status: int
    body: bytes
    signature: str | None = None


class Transport:
    """Keeps connections; safe to share between threads.

    `session` may be given with an adapter of its own mounted (tests reach a WSGI app so). Such an adapter has no
    deadline, and whatever it raises counts as sent, since only our own connections can prove the opposite.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        pool: int = 32,
        total_seconds: float = 10.0,
        connect_seconds: float = 3.0,
        ca_file: str | None = None,
    ) -> None:
        self._http = session or _session(pool)
        self._total_seconds = total_seconds
        self._connect_seconds = connect_seconds
        self._trusted: str | bool = ca_file or True  # TLS is always verified: another bundle, never none

    def post(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str], *, seconds: float | None = None
    ) -> Answer:
        """POST a form. Raises SentNothing or SentUnanswered, at the latest after `seconds` or else `total_seconds`."""
        total = self._total_seconds if seconds is None else seconds
        with Deadline(total, self._connect_seconds) as deadline:
            try:
                request = requests.Request("POST", url, headers={**_HEADERS, **headers}, data=urlencode(fields))
                answer = self._exchange(request.prepare(), self._http.get_adapter(url), deadline)
            except _FAULTS as fault:
                raise _verdict(deadline, type(fault).__name__) from fault
            if deadline.passed:
                raise _verdict(deadline, "cut off")  # what was read may look whole, and not be
            return answer

    def _exchange(self, request: requests.PreparedRequest, adapter: BaseAdapter, deadline: Deadline) -> Answer:
        deadline.sent = not isinstance(adapter, _Adapter)
        # The adapter, not Session.send: that one reads cookies, netrc, proxies from the environment, and the
        # whole body of a redirect that it was told not to follow.
        timeouts = (deadline.connect_seconds, deadline.total_seconds)
        response = adapter.send(request, stream=True, timeout=timeouts, verify=self._trusted, proxies={})
        try:
            return Answer(response.status_code, _body(response), response.headers.get("X-QF-SIGN"))
        finally:
            response.close()


def _body(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise ValueError("an answer of more than 64 KiB")
    return bytes(body)


def _verdict(deadline: Deadline, what: str) -> SentNothing | SentUnanswered:
    reason = "timeout" if deadline.passed else what
    return SentUnanswered(reason) if deadline.sent else SentNothing(reason)


class _Adapter(HTTPAdapter):
    """An HTTPAdapter whose connections obey the running Deadline."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}


def _session(pool: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_connections=pool, pool_maxsize=pool, max_retries=0))
    return session
