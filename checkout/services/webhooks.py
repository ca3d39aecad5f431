"""Send one webhook safely, and say when to try again (Standard Webhooks; safety.md S24)."""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from requests_hardened.ip_filter import InvalidIPAddress
from standardwebhooks import Webhook

from checkout.domain import addresses
from checkout.domain.webhook_signing import sign_v1a
from checkout.services.pinned import (
    CONNECT_SECONDS,
    Blocked,
    Deadline,
    PinnedAdapter,
    Resolve,
    resolve,
    resolve_in_time,
)

MAX_ANSWER = 4096  # bytes of the answer's body that we read
MAX_EXCERPT = 512  # characters of it that we keep
MAX_RETRY_AFTER = 24 * 60 * 60  # seconds

RETRY_AFTER = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1

# requests.RequestException is an OSError; broken framing and unreadable headers surface as the others.
WIRE_TROUBLE = (OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException)


@dataclass(frozen=True)
class Answer:
    """What came of one try. `error` is for people; `blocked` means that no connection was made, on purpose."""

    status: int | None = None
    error: str | None = None
    blocked: bool = False
    excerpt: str = ""
    retry_after: int | None = None
    milliseconds: int = 0
    sent: Mapping[str, str] = field(default_factory=dict, compare=False)  # the headers; none: it never came to that

    @property
    def ok(self) -> bool:
        return self.error is None and self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The endpoint asks never to be called again."""
        return self.status == 410


def next_try(tries: int, answer: Answer, now: datetime, jitter: float) -> datetime | None:
    """When to try again after `tries` tries; None: never. `jitter` in −1…1 moves the schedule by up to 10 %."""
    if answer.ok or answer.gone or tries >= len(RETRY_AFTER):
        return None
    scheduled = RETRY_AFTER[tries] * (1 + JITTER * jitter)
    asked = timedelta(seconds=min(answer.retry_after or 0, MAX_RETRY_AFTER))
    return now + max(scheduled, asked)


def read_retry_after(value: str | None, now: datetime) -> int | None:
    """Seconds to wait, 0 to one day, from either form of the header (a number or a date); None if it has neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:10]), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(0, min(int(seconds), MAX_RETRY_AFTER))


class WebhookSender:
    """Posts signed events. `seconds` limits one whole try: look-up, connection, TLS, headers and body.

    `loopback_allowed` is for development: it opens this machine and nothing else, with plain http.
    `ca_bundle` names a file of trusted certificates, for a private authority.
    """

    def __init__(
        self,
        *,
        loopback_allowed: bool,
        seconds: float = 15.0,
        resolve: Resolve = resolve,
        ca_bundle: str | None = None,
    ) -> None:
        self.loopback_allowed = loopback_allowed
        self.seconds = seconds
        self._resolve = resolve
        self._verify = ca_bundle or True

    def send(
        self,
        url: str,
        *,
        event_id: str,
        body: str,
        secrets: Sequence[str],
        now: datetime,
        private_keys: Sequence[bytes] = (),
    ) -> Answer:
        """One try. Never raises for what the wire does; a malformed secret raises ValueError.

        Every secret and every Ed25519 key signs, so that a merchant may change over while deliveries are under way.
        """
        headers = _headers(event_id, body, secrets, private_keys, now)
        started = time.monotonic()
        deadline = Deadline(self.seconds)
        status, error, blocked, excerpt, retry_after = None, None, False, "", None
        try:
            with contextlib.closing(self._post(url, body, headers, deadline)) as response:
                status = response.status_code
                retry_after = read_retry_after(response.headers.get("Retry-After"), now)
                excerpt = _read_excerpt(response)
            error = _explain_status(status)
        except Blocked as problem:
            error, blocked = str(problem), True
        except InvalidIPAddress:
            error, blocked = "its name leads to an address that is not public", True
        except WIRE_TROUBLE as problem:
            error = _explain(problem)
        finally:
            late = deadline.passed
            deadline.close()
        if late and not blocked:
            error = f"took longer than {self.seconds:g} s"
        milliseconds = round((time.monotonic() - started) * 1000)
        return Answer(status, error, blocked, excerpt, retry_after, milliseconds, sent=headers)

    def _post(self, url: str, body: str, headers: dict[str, str], deadline: Deadline) -> requests.Response:
        if fault := addresses.check_endpoint(url, loopback_allowed=self.loopback_allowed):
            raise Blocked(f"the URL {fault}")
        target = urlsplit(url)
        *others, last = self._checked_addresses(target, deadline)
        for address in others:
            try:
                return self._post_to(address, target, body, headers, deadline)
            except requests.ConnectionError as problem:
                if not _never_connected(problem):
                    raise
        return self._post_to(last, target, body, headers, deadline)

    def _checked_addresses(self, target: SplitResult, deadline: Deadline) -> Sequence[str]:
        """Where the name leads. One bad address among many blocks: an attacker picks which one answers.

        Neither here nor later is the address named: our own network is not for merchants to map.
        """
        host = target.hostname or ""
        port = target.port or (443 if target.scheme == "https" else 80)
        found = resolve_in_time(self._resolve, host, port, deadline)
        for address in found:
            if reason := self._forbidden(target.scheme, address):
                raise Blocked(f"its name leads to an address that is {reason}")
        if not found:
            raise socket.gaierror("the name has no address")
        return found

    def _post_to(
        self, address: str, target: SplitResult, body: str, headers: dict[str, str], deadline: Deadline
    ) -> requests.Response:
        literal = f"[{address}]" if ":" in address else address
        netloc = literal if target.port is None else f"{literal}:{target.port}"
        request = requests.Request("POST", target._replace(netloc=netloc).geturl(), headers, data=body.encode())
        # An adapter alone, without a requests.Session: no redirects, proxies, .netrc or cookies to switch off.
        adapter = PinnedAdapter(target, deadline, partial(self._forbidden, target.scheme))
        timeout = (min(CONNECT_SECONDS, deadline.left), deadline.left)
        response: requests.Response = adapter.send(
            request.prepare(), stream=True, timeout=timeout, verify=self._verify, proxies={}
        )
        return response

    def _forbidden(self, scheme: str, address: str) -> str | None:
        if self.loopback_allowed and addresses.is_loopback(address):
            return None
        if scheme != "https":
            return "not this machine, and http is for this machine only"
        return addresses.forbidden_reason(address)


def _headers(
    event_id: str, body: str, secrets: Sequence[str], private_keys: Sequence[bytes], now: datetime
) -> dict[str, str]:
    moment = now.astimezone(UTC)  # the library reads any datetime as UTC
    signatures = [Webhook(secret).sign(event_id, moment, body) for secret in secrets]
    signatures += [sign_v1a(key, event_id, int(moment.timestamp()), body) for key in private_keys]
    return {
        "content-type": "application/json",
        "user-agent": "Sampan-Webhooks/1",
        "accept-encoding": "identity",  # nothing to inflate
        "connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _never_connected(problem: requests.ConnectionError) -> bool:
    """Whether another address of the same name may be tried without the event being posted twice."""
    reason = getattr(problem.args[0], "reason", None) if problem.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _read_excerpt(response: requests.Response) -> str:
    """The start of the body, as text that any log or database can hold. The rest is never read."""
    received = bytearray()
    # The status has been given; a body that breaks off takes nothing back.
    with contextlib.suppress(*WIRE_TROUBLE):
        for chunk in response.raw.stream(MAX_EXCERPT, decode_content=False):
            received += chunk
            if len(received) >= MAX_ANSWER:
                break
    text = received[:MAX_ANSWER].decode("utf-8", "replace")[:MAX_EXCERPT]
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _explain_status(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _explain(problem: Exception) -> str:
    """One plain sentence; the names of classes and internal addresses are nobody's business."""
    causes: list[BaseException] = [problem]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 8:
        causes.append(cause)
    # fmt: off
    table: tuple[tuple[type[BaseException], str], ...] = (
        (ssl.SSLCertVerificationError,  "its TLS certificate is not valid"),
        (ssl.SSLError,                  "TLS could not be agreed on"),
        (requests.exceptions.SSLError,  "its TLS certificate is not valid"),  # what is left: it has another name
        (socket.gaierror,               "its name could not be resolved"),
        (ConnectionRefusedError,        "refused the connection"),
        (TimeoutError,                  "took too long"),
        (ConnectionError,               "closed the connection"),
        (http.client.HTTPException,     "did not answer in HTTP"),
        (OSError,                       "could not be reached"),
    )
    # fmt: on
    for kind, words in table:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return "could not be reached"
