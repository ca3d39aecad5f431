"""One deployment whose processes come and go, between a gateway and a merchant that outlive them all."""

import json
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, cast

import requests
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import create_app
from checkout.domain.shops import Shop
from checkout.services.audit import audit
from checkout.services.deliveries import Posting, deliver_next
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.merchants import add_merchant
from checkout.services.sessions import close_next
from checkout.store.models import Attempt, Event, Payment, TradeNo
from checkout.web.context import Parts, parts_of
from config import Config
from sandbox import Credential, Ledger, create_sandbox
from tests.databases import close_books
from tests.servers import HttpServer, Process, free_port, python_script
from tests.stories.cast import DESKTOP, Clock, Inbox

PATIENCE = 20.0  # seconds to wait for what takes two
PAID = "checkout_session.paid"
PAY, QUERY = "/trade/v1/payment", "/trade/v1/query"


class Instance:
    """The application in this process, at a time of the test's choosing: a fresh start on the same database."""

    def __init__(self, env: dict[str, str], now: datetime) -> None:
        self.clock = Clock(now)
        self.app: Flask = create_app(Config.from_env(env), clock=self.clock)
        self.parts: Parts = parts_of(self.app)
        joined = self.parts
        self.asking = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, self.clock, Lanes())
        self.posting = Posting(
            joined.reading, joined.sessions, joined.vault, joined.sender, self.clock, Lanes(), lambda: 0.0
        )

    def works(self) -> None:
        """The ordinary worker does everything that is due at this moment."""
        for _ in range(500):
            with self.parts.sessions() as db:
                closed = close_next(db, self.parts.terms, self.clock())
            if not any([enquire_next(self.asking), deliver_next(self.posting), closed]):
                return
        raise AssertionError("the worker never comes to rest")

    def passes(self, seconds: float) -> None:
        """Time goes by in steps of a second, and the worker keeps up with it."""
        for _ in range(int(seconds)):
            self.clock.now += timedelta(seconds=1)
            self.works()


class Deployment:
    """Bo's shop. Every process of it answers under one address; the gateway and Bo's own server run in this process."""

    def __init__(self, database_url: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            "DATABASE_URL": database_url, "PUBLIC_URL": self.url, "PORT": str(self.port), "HOST": "127.0.0.1",
            "SECRET_KEY": "s" * 40, "ENV": "development", "EMBEDDED_WORKER": "0", "WEB_CONCURRENCY": "1",
        }  # fmt: skip
        gateway_port = free_port()
        self.sandbox: Flask = create_sandbox(
            ledger=":memory:",
            public_url=f"http://127.0.0.1:{gateway_port}",
            credentials={"APP1": Credential("key-of-APP1")},
            run_notifier=False,
            refund_pause=False,  # its clock is the real one, and tests are run at night too
            pause=lambda seconds: time.sleep(seconds / 2),
        )
        self.inbox = Inbox()
        self._servers = ExitStack()
        self._gateway = HttpServer(self.sandbox, gateway_port)
        self._hooks = HttpServer(self.inbox)

    def __enter__(self) -> Self:
        self._servers.enter_context(self._gateway)
        self._servers.enter_context(self._hooks)
        with self.fresh() as instance, self.books(instance) as db:
            shop = Shop(
                name="Bo's Tea", app_code="APP1", client_key="key-of-APP1", base_url=self._gateway.url,
                webhook_url=self._hooks.url,
            )  # fmt: skip
            self.told = add_merchant(db, instance.parts.vault, instance.parts.terms, shop, now=datetime.now(UTC))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.close()

    @property
    def ledger(self) -> Ledger:
        return cast(Ledger, self.sandbox.extensions["sandbox"].ledger)

    # --- who serves

    @contextmanager
    def fresh(self, seconds: float = 0) -> Iterator[Instance]:
        """A new start in this process, so many seconds from now: leases end without anybody waiting for it."""
        with self.looking_on(seconds) as instance, HttpServer(instance.app, self.port):
            yield instance

    @contextmanager
    def looking_on(self, seconds: float = 0) -> Iterator[Instance]:
        """The same without its address, for while other processes serve."""
        instance = Instance(self.env, datetime.now(UTC) + timedelta(seconds=seconds))
        try:
            yield instance
        finally:
            close_books(instance.parts.engine)

    @contextmanager
    def web(self, crash_at: str) -> Iterator[Process]:
        """A web process that dies at this crash point."""
        command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", str(self.port)]
        with Process(command, self.env | {"SAMPAN_CRASH_AT": crash_at}) as process:
            process.wait_for(f"{self.url}/healthz")
            yield process

    @contextmanager
    def gunicorn(self, workers: int = 1) -> Iterator[Process]:
        """The web processes as in production, with the repository's own settings."""
        command = [python_script("gunicorn"), "app:create_app()"]
        with Process(command, self.env | {"WEB_CONCURRENCY": str(workers)}) as process:
            process.wait_for(f"{self.url}/healthz")
            yield process

    def worker(self, crash_at: str = "") -> Process:
        return Process([sys.executable, "worker.py"], self.env | {"SAMPAN_CRASH_AT": crash_at})

    # --- what Bo and Ada do, whoever serves

    def api(self, method: str, path: str, body: object = None, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.told.api_key}"} | ({"Idempotency-Key": key} if key else {})
        return requests.request(method, f"{self.url}/v1/{path}", headers=headers, json=body, timeout=PATIENCE)

    def order(self) -> dict[str, Any]:
        return {
            "amount": 8800,
            "currency": "HKD",
            "reference": f"A-{uuid.uuid4().hex}",
            "return_url": "https://shop.example/thanks",
        }

    def opens(self) -> dict[str, Any]:
        answer = self.api("POST", "checkout-sessions", self.order())
        assert answer.status_code == 201, answer.text
        return cast(dict[str, Any], answer.json())

    def status(self, session: dict[str, Any]) -> str:
        return str(self.api("GET", f"checkout-sessions/{session['id']}").json()["status"])

    def page(self, session: dict[str, Any]) -> str:
        answer = requests.get(session["url"], headers={"User-Agent": DESKTOP}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.text

    def stage(self, session: dict[str, Any]) -> str:
        found = re.search(r'data-stage="(\w+)"', self.page(session))
        assert found
        return found[1]

    def picks(self, session: dict[str, Any], wallet: str = "alipay_hk") -> requests.Response:
        return requests.post(
            session["url"], data={"wallet": wallet}, headers={"User-Agent": DESKTOP}, allow_redirects=False,
            timeout=PATIENCE,
        )  # fmt: skip

    def heard(self) -> list[dict[str, Any]]:
        """Every webhook so far, in the order in which Bo's server heard them."""
        return [json.loads(request.get_data()) for request in self.inbox.heard]

    # --- what the books say

    @contextmanager
    def books(self, instance: Instance) -> Iterator[Session]:
        with instance.parts.sessions() as db:
            yield db

    def attempts(self, instance: Instance) -> list[Attempt]:
        with self.books(instance) as db:
            return list(db.scalars(select(Attempt).order_by(Attempt.created_at, Attempt.id)))

    def assert_nothing_lost_or_doubled(self, instance: Instance) -> None:
        """The audit is silent, and our books and the gateway's say the same of every number and every success."""
        with self.books(instance) as db:
            assert audit(db) == []
            booked = Counter(db.scalars(select(Payment.syssn)))
            numbers = set(db.scalars(select(TradeNo.number)))
            told = Counter(db.scalars(select(Event.session_id).where(Event.type == PAID)))
        assert booked == Counter(paid.syssn for order in self.ledger.orders() for paid in order.payments)
        sent = [call.params["out_trade_no"] for call in self.ledger.calls(PAY)]
        assert len(sent) == len(set(sent)), "a number was sent twice"
        assert set(sent) <= numbers
        assert set(told.values()) <= {1}, "a payment was announced twice"
