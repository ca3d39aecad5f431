"""Sampan's API for a shop's server in Python: copy this one file.

It needs Python 3.9 and the standard library only, so there is nothing to install and nothing that can clash.

    sampan = Sampan("https://pay.example", "sk_…")
    session = sampan.create_session(
        amount=8800, currency="HKD", reference="A-1001", return_url="https://shop.example/thanks"
    )
    # Redirect the shopper to session["url"]. Deliver when a webhook that verify_webhook() accepts says `paid`.

Amounts are whole minor units: 8800 is HK$88.00. Nothing here prints, logs or keeps the API key in an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import IO, Any, TypedDict
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import uuid4

TOLERANCE = 300  # seconds that a webhook may be old, or our clock wrong
RETURN_SECONDS = 600  # a signed return is news for so long; afterwards it is an old link
TRIES = 3
LONGEST_WAIT = 30  # seconds: who is told to wait longer hears it as an error
MAY_PASS = {429, 500, 502, 503, 504}
STILL_RUNNING = 409  # with Retry-After the first request with this Idempotency-Key; without it, it is a refusal
RETURN_FIELDS = ("session_id", "reference", "status", "timestamp")


class SampanError(Exception):
    """What can go wrong between a shop and Sampan."""


class Unreachable(SampanError):
    """No answer, however often it was tried. It may have been done: repeat it with the same Idempotency-Key."""


class NotAuthentic(SampanError):
    """A webhook or a return that Sampan did not sign with this secret, or not lately."""


class ApiError(SampanError):
    """Sampan refused. `errors` is a list of {"field", "message"}; `request_id` helps whoever reads Sampan's log."""

    def __init__(self, status: int, problem: Mapping[str, Any], headers: Message) -> None:
        self.status = status
        self.detail = str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
        errors = problem.get("errors")
        self.errors: list[dict[str, str]] = errors if isinstance(errors, list) else []
        self.retry_after = _seconds(headers.get("Retry-After"))
        self.request_id = headers.get("X-Request-Id")
        super().__init__(f"{status}: {self.detail}")


class Refund(TypedDict):
    """`status` is pending, succeeded or failed."""

    id: str
    session: str
    payment: str
    amount: int
    currency: str
    reason: str
    status: str
    failure: dict[str, str] | None
    waits_until: str | None
    created_at: str


class Payment(TypedDict):
    """Money that moved; `role` is accepted, surplus, late or mismatch."""

    id: str
    attempt: str
    role: str
    out_trade_no: str
    syssn: str
    amount: int
    currency: str
    paid_at: str | None


class Session(TypedDict):
    """`status` is open, paid, expired or cancelled; with `review` a person must look before anything is delivered."""

    id: str
    url: str
    status: str
    review: bool
    review_reason: str | None
    amount: int
    currency: str
    amount_refunded: int
    reference: str
    description: str
    items: list[dict[str, Any]]
    metadata: dict[str, str]
    wallets: list[str]
    locale: str | None
    support_code: str
    created_at: str
    expires_at: str
    paid_at: str | None
    attempts: list[dict[str, Any]]
    payments: list[Payment]
    refunds: list[Refund]
    version: int


class Event(TypedDict):
    """A webhook: `data` is the whole session, and of two events the one with the higher `version` is newer."""

    type: str
    timestamp: str
    data: Session


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API never redirects; following one would carry the key to a stranger."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Sampan:
    """The merchant's API. Raises ApiError and Unreachable; what is safe to repeat was repeated before."""

    def __init__(self, url: str, api_key: str, *, timeout: float = 15) -> None:
        if not re.match(r"https?://", url):
            raise ValueError("the address of Sampan starts with https://")
        self._url, self._key, self._timeout = url.rstrip("/"), api_key, timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def create_session(self, *, idempotency_key: str | None = None, **order: Any) -> Session:
        """Open a session. With a key of your own, such as the order's number, a crashed order can be repeated too."""
        key = idempotency_key or str(uuid4())
        return self._call("POST", "/v1/checkout-sessions", order, key=key)  # type: ignore[no-any-return]

    def get_session(self, session_id: str) -> Session:
        return self._call("GET", _path(session_id))  # type: ignore[no-any-return]

    def list_sessions(self, **filters: Any) -> Iterator[Session]:
        """All that fit, newest first: `reference`, `status`, `created_after`; further pages are fetched as you go."""
        return self._pages("/v1/checkout-sessions", filters)

    def cancel_session(self, session_id: str) -> Session:
        """Look at `status` of what comes back: `paid` if the shopper was quicker, `open` while a code may be paid."""
        return self._call("POST", _path(session_id, "/cancel"), repeatable=True)  # type: ignore[no-any-return]

    def refund(
        self,
        session_id: str, *, idempotency_key: str, amount: int | None = None, amount_left: int | None = None,
        reason: str = "",
    ) -> Refund:  # fmt: skip
        """Send money back, by default all that is left; `pending` until an event tells the end.

        The key is yours and stands for this one refund: a second press with it pays nothing twice. With `amount_left`
        (see the function of that name) a refund that somebody else has made meanwhile is noticed: ApiError 412.
        """
        wish = {"amount": amount, "amount_left": amount_left, "reason": reason or None}
        body = {name: value for name, value in wish.items() if value is not None}
        return self._call("POST", _path(session_id, "/refunds"), body, key=idempotency_key)  # type: ignore[no-any-return]

    def get_refund(self, refund_id: str) -> Refund:
        return self._call("GET", f"/v1/refunds/{quote(refund_id, safe='')}")  # type: ignore[no-any-return]

    def list_events(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """What your server was told, each with its `deliveries`; filters `session` and `type`."""
        return self._pages("/v1/events", filters)

    def redeliver(self, event_id: str) -> dict[str, Any]:
        return self._call("POST", f"/v1/events/{quote(event_id, safe='')}/redeliver")  # type: ignore[no-any-return]

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Any]:
        asked = {name: value for name, value in filters.items() if value is not None}
        while True:
            page = self._call("GET", f"{path}?{urlencode(asked)}")
            yield from page["data"]
            if not page["next_cursor"]:
                return
            asked["cursor"] = page["next_cursor"]

    def _call(self, method: str, path: str, body: object = None, *, key: str = "", repeatable: bool = False) -> Any:
        """Every try sends the same bytes under the same key, so that it is done once."""
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(self._url + path, sent, headers, method=method)  # noqa: S310 - http(s), see above
        tries = TRIES if method == "GET" or key or repeatable else 1
        for number in range(1, tries + 1):
            try:
                return self._send(request)
            except (ApiError, Unreachable) as error:
                wait = _wait(error, number)
                if number == tries or wait is None:
                    raise
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _send(self, request: urllib.request.Request) -> Any:
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ApiError(refusal.code, _problem(refusal), refusal.headers) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"no answer from {self._url}: {error}") from error


def _path(session_id: str, rest: str = "") -> str:
    return f"/v1/checkout-sessions/{quote(session_id, safe='')}{rest}"


def _problem(refusal: IO[bytes]) -> dict[str, Any]:
    """The problem details, or nothing where a proxy answered in words of its own."""
    try:
        found = json.load(refusal)
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _wait(error: ApiError | Unreachable, number: int) -> float | None:
    """Seconds until the next try; None: trying again does not help, or not so soon."""
    if isinstance(error, ApiError):
        if error.retry_after is not None and error.status in {*MAY_PASS, STILL_RUNNING}:
            return error.retry_after if error.retry_after <= LONGEST_WAIT else None
        if error.status not in MAY_PASS:
            return None
    return 0.5 * 2.0 ** (number - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads callers, guards nothing


def _seconds(header: str | None) -> int | None:
    return int(header) if header and re.fullmatch(r"[0-9]{1,9}", header) else None


def amount_left(session: Session) -> int:
    """What may still be refunded: the accepted payment without what went back or is on its way back."""
    accepted = {payment["id"]: payment["amount"] for payment in session["payments"] if payment["role"] == "accepted"}
    back = (refund for refund in session["refunds"] if refund["payment"] in accepted and refund["status"] != "failed")
    return sum(accepted.values()) - sum(refund["amount"] for refund in back)


def verify_webhook(body: bytes, headers: Mapping[str, str], secret: str, *, now: float | None = None) -> Event:
    """The event in a webhook (Standard Webhooks). Raises NotAuthentic.

    `body` is what came, byte by byte: parsed and written again, it has another signature. An event may come twice and
    late: remember its `webhook-id` header, and keep what has the highest `version`.
    """
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    expected = hmac.new(_key(secret), f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    wanted = ("v1," + base64.b64encode(expected).decode()).encode()
    signatures = given.get("webhook-signature", "").split(" ")  # two while a secret is being changed
    fits = [hmac.compare_digest(wanted, signature.encode("utf-8", "replace")) for signature in signatures]
    if not webhook_id or not any(fits):
        raise NotAuthentic("no signature of this webhook fits")
    _check_age(timestamp, TOLERANCE, now)
    event: Event = json.loads(body)
    return event


def verify_return(url: str, secret: str, *, now: float | None = None, max_age: int = RETURN_SECONDS) -> dict[str, str]:
    """`session_id`, `reference`, `status` and `timestamp` of the way back. Raises NotAuthentic.

    `url` is the whole address, or its query, as it came. It thanks a shopper; it is no payment: deliver on the webhook.
    """
    query = urlsplit(url).query if "?" in url else url
    sent = dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))  # the last of a name is Sampan's
    parts = [sent.get(name, "") for name in RETURN_FIELDS]
    text = ".".join(parts).encode("utf-8", "surrogateescape")
    expected = hmac.new(_key(secret), text, hashlib.sha256).hexdigest()
    fits = hmac.compare_digest(expected.encode(), sent.get("signature", "").encode("utf-8", "surrogateescape"))
    if not fits or "." in parts[0] or "." in parts[2]:
        raise NotAuthentic("the signature of this return does not fit")
    _check_age(sent["timestamp"], max_age, now)
    return {name: sent[name] for name in RETURN_FIELDS}


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        raise ValueError("a webhook secret starts with whsec_")
    try:
        return base64.b64decode(secret[len("whsec_") :], validate=True)
    except binascii.Error as error:
        raise ValueError("this webhook secret is not complete") from error


def _check_age(timestamp: str, tolerance: int, now: float | None) -> None:
    moment = time.time() if now is None else now
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(moment - int(timestamp)) > tolerance:
        raise NotAuthentic("too old, or one of the two clocks is wrong")
