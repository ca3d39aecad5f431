"""How often one key or one address may call, told in headers (safety.md S32).

Nothing that money waits for is counted: not the gateway's notifications, not a page or its status, not the way back,
not “I have paid”. A shopper who is told to wait keeps her code, and the worker keeps asking about it. Every way in
which somebody without an API key opens sessions, or makes us draw and look up, is counted, looking included.
"""

import hashlib
import ipaddress
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from checkout.domain.errors import NotAllowed, NotAuthentic, TooManyAttempts
from checkout.services import rates
from checkout.web.context import now, parts, reading_session

log = logging.getLogger(__name__)

CREATES = {"merchant_api.create", "merchant_api.refund"}
UNCOUNTED_FORMS = {"shopper.check"}
LINKS = {"signed_links", "links", "scanning"}
RESTS = 5.0  # seconds without counting after the store failed: who waits for it once need not wait twice
_RESTING = "sampan.limits_rest_until"


def install(app: Flask) -> None:
    app.before_request(_count_strangers)
    app.after_request(_tell)


def _count_strangers() -> None:
    """Shoppers' forms, and all that has to do with links and codes, by the address that they come from."""
    if request.blueprint == "shopper" and request.method == "POST" and request.endpoint not in UNCOUNTED_FORMS:
        _count("shopper", _address())
    elif request.blueprint in LINKS:
        _count("link", _address())


@contextmanager
def keys_are_checked(key: str) -> Iterator[None]:
    """Around finding out whose key this is: a wrong one counts against its sender's address, a right one for itself.

    One that may not do what it asks for is a right one too.
    """
    caller = hashlib.sha256(key.encode()).hexdigest()[:32]
    try:
        yield
    except NotAuthentic:
        _count("bad_key", _address())
        raise
    except NotAllowed:
        _count("api", caller, told=True)
        raise
    _count("api", caller, told=True)
    if request.endpoint in CREATES:
        _count("create", caller, told=True)


def _count(name: str, caller: str, *, told: bool = False) -> None:
    """Raises TooManyAttempts. When the store fails, the call goes on: a limit must not be a fault of its own."""
    rate = parts().config.rates.get(name)
    if rate is None:
        return
    verdict = rates.untouched(rate) if _exempt() else _ask(name, caller)
    if verdict is None:
        return
    if told:
        g.setdefault("limits", []).append((name, rate, verdict))
    if not verdict.allowed:
        log.warning("too many calls: %s", name)
        raise TooManyAttempts(
            f"Too many calls: {rate.count} in {rate.seconds} seconds are allowed. Wait as long as Retry-After says.",
            verdict.retry_after,
        )


def _ask(name: str, caller: str) -> rates.Verdict | None:
    joined, resting = parts(), current_app.extensions.get(_RESTING, 0.0)
    if time.monotonic() < resting:
        return None
    # One statement: on PostgreSQL it needs no transaction around it, on SQLite it needs the write lock.
    with joined.sessions() if joined.config.on_sqlite else reading_session(joined) as db:
        try:
            return rates.take(db, f"{name}:{caller}", joined.config.rates[name], now())
        except SQLAlchemyError as error:
            current_app.extensions[_RESTING] = time.monotonic() + RESTS
            log.warning("calls are not counted for a while: %s", type(error.__cause__ or error).__name__)
            return None


def _exempt() -> bool:
    return not parts().config.production and _is_loopback(request.remote_addr)


def _is_loopback(address: str | None) -> bool:
    """Also without any address: then it came through no network at all."""
    try:
        return not address or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _address() -> str:
    """Of IPv6 the network: one subscriber has 2^64 addresses."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _tell(response: Response) -> Response:
    """As the IETF's draft on RateLimit header fields writes them."""
    if limits := g.get("limits"):
        policies = (f'"{name}";q={rate.count};w={rate.seconds}' for name, rate, _ in limits)
        response.headers["RateLimit-Policy"] = ", ".join(policies)
        states = (f'"{name}";r={verdict.left};t={verdict.all_back_in}' for name, _, verdict in limits)
        response.headers["RateLimit"] = ", ".join(states)
    return response
