"""The cast: a clock that stands still, a merchant who calls the sandbox, and the ear that hears of payments."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode, urlsplit

from flask import Flask
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from checkout.domain.signing import sign_request
from sandbox import Ledger
from sandbox.facts import stamp

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KEY = "test_client_key_0123456789abcdef"
NOON = datetime(2026, 3, 15, 4, 0, tzinfo=UTC)  # noon in Hong Kong

SandboxMaker = Callable[..., "Merchant"]


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        self.now += timedelta(**units)


@dataclass
class Ear:
    """The merchant's side of notifications: keeps what it hears, answers as told (SUCCESS when told nothing)."""

    heard: list[Request] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.get_data()
        self.heard.append(request)
        answer = self.answers.pop(0) if self.answers else Response("SUCCESS")
        return answer(environ, start_response)


@dataclass
class Merchant:
    """Calls a sandbox with correct signatures, as Bo's checkout would; tests change what they are about."""

    app: Flask
    clock: Clock
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def ledger(self) -> Ledger:
        books: Ledger = self.app.extensions["sandbox"].ledger
        return books

    def call(
        self,
        verb: str,
        params: dict[str, str],
        *,
        sign_type: Literal["md5", "sha256"] = "sha256",
        headers: dict[str, str | None] | None = None,
        body: str | None = None,
    ) -> TestResponse:
        """POST to /trade/v1/<verb>. A header of None is left out; `body` replaces the encoded parameters."""
        signed: dict[str, str | None] = {
            "X-QF-APPCODE": "APP1",
            "X-QF-SIGN": sign_request(params, KEY, sign_type),
            "X-QF-SIGNTYPE": sign_type.upper(),
            "Content-Type": "application/x-www-form-urlencoded",
            **(headers or {}),
        }
        sent = {name: value for name, value in signed.items() if value is not None}
        data = urlencode(params) if body is None else body
        return self.app.test_client().post(f"/trade/v1/{verb}", data=data, headers=sent)

    def ask(self, verb: str, params: dict[str, str], **how: Any) -> Any:
        """As `call`, but returns the answer's JSON."""
        return self.call(verb, params, **how).json

    def form(self, **changes: str | None) -> dict[str, str]:
        """A correct payment form with a number of its own; None leaves a parameter out."""
        params = {
            "txamt": "8800",
            "txcurrcd": "HKD",
            "pay_type": "801514",
            "out_trade_no": f"N{next(self.numbers)}",
            "txdtm": stamp(self.clock()),
            "goods_name": "Tea",
            "return_url": "http://127.0.0.1:8000/return/abc",
            "notify_url": "http://127.0.0.1:8000/notify/mer_1",
        } | changes
        return {name: value for name, value in params.items() if value is not None}

    def order(self, **changes: str | None) -> Any:
        """The answer to a payment call, as JSON."""
        return self.ask("payment", self.form(**changes))

    def query(self, **params: str) -> Any:
        return self.ask("query", params)

    def records(self, number: str) -> list[dict[str, str]]:
        """What an enquiry for one number finds."""
        found: list[dict[str, str]] = self.query(out_trade_no=number)["data"]
        return found

    def codes(self, number: str) -> list[str]:
        return [record["respcd"] for record in self.records(number)]

    def refund(self, syssn: str, amount: str, number: str | None = None, **changes: str) -> Any:
        params = {
            "syssn": syssn,
            "txamt": amount,
            "out_trade_no": number or f"R{next(self.numbers)}",
            "txdtm": stamp(self.clock()),
        }
        return self.ask("refund", params | changes)

    def wallet(self, answer: dict[str, str]) -> str:
        """Where the app itself finds the wallet's page of a payment answer."""
        parts = urlsplit(answer.get("pay_url") or answer["qrcode"])
        return parts.path.removeprefix("/sandbox") + (f"?{parts.query}" if parts.query else "")
