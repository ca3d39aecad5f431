"""What the parts of one sandbox share, and how a view finds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import requests
from flask import current_app

from .alipay_books import Platform
from .facts import CURRENCIES, PAY_TYPES
from .ledger import Ledger


@dataclass(frozen=True)
class Credential:
    """What pretend QFPay issued to one merchant. Without an `mchid`, none may be sent; with one, it must be."""

    client_key: str
    mchid: str | None = None
    pay_types: frozenset[str] = frozenset(PAY_TYPES)
    currencies: frozenset[str] = frozenset(CURRENCIES)


@dataclass(frozen=True)
class Sandbox:
    """One pretend QFPay."""

    ledger: Ledger
    public_url: str
    credentials: Mapping[str, Credential]
    notify_speed: float
    http: requests.Session
    calls_per_minute: int | None
    refund_pause: bool
    platform: Platform

    def now(self) -> datetime:
        return self.ledger.clock()


def here() -> Sandbox:
    """The sandbox that serves the current request."""
    return cast(Sandbox, current_app.extensions["sandbox"])
