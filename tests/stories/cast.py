"""The cast of the stories: Ada shops, Bo owns the shop, Cy owns another; a world is one deployment around them."""

import html
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import func, select
from standardwebhooks import Webhook
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from app import create_app
from checkout.domain.shops import Shop
from checkout.services.deliveries import Posting, deliver_next
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.merchants import Introduction, add_merchant
from checkout.services.returning import move_next_refund
from checkout.services.sessions import close_next
from checkout.store.models import Attempt, CheckoutSession, Delivery, Refund
from checkout.web.context import Parts, parts_of
from config import Config
from sandbox import Credential, Ledger, Scenario, create_sandbox, deliver_due
from tests.databases import close_books
from tests.servers import HttpServer
from tests.stories.auditing import violations_in
from tests.wsgi import session_to

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)  # noon in Hong Kong
PUBLIC = "https://pay.sampan.example"
GATEWAY = "https://sandbox.alipay.com"  # under a host that pay_urls may have, so that no rule is bent for the tests
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Inbox:
    """A merchant's own server: keeps what it hears, answers as told (204 when told nothing)."""

    heard: list[Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.heard.append(request)
        return Response(status=self.answers.pop(0) if self.answers else 204)(environ, start_response)


@dataclass
class Merchant:
    """Bo, with a till that speaks the public API and a server that hears webhooks."""

    world: "World"
    told: Introduction
    inbox: Inbox

    def api(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.told.api_key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        data = None if body is None else json.dumps(body)
        kind = "application/json" if body is not None else None
        client = Client(self.world.app, use_cookies=False)
        return client.open(path, method=method, base_url=PUBLIC, headers=sent, data=data, content_type=kind)

    def order(self, **wishes: Any) -> dict[str, Any]:
        """The least that a shop sends, with what a story changes."""
        return {
            "amount": 8800,
            "currency": "HKD",
            "reference": "A-1001",
            "return_url": "https://shop.example/thanks",
        } | wishes

    def opens(self, **wishes: Any) -> dict[str, Any]:
        answer = self.api("POST", "/v1/checkout-sessions", self.order(**wishes))
        assert answer.status_code == 201, answer.text
        return cast(dict[str, Any], answer.json)

    def reads(self, session: dict[str, Any]) -> dict[str, Any]:
        answer = self.api("GET", f"/v1/checkout-sessions/{session['id']}")
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json)

    def heard(self) -> list[dict[str, Any]]:
        """Every webhook so far, each verified by Standard Webhooks' own library (but for its age: our clock stands)."""
        found = []
        for request in self.inbox.heard:
            sent = {k: v for k, v in request.headers.items() if k.lower().startswith("webhook-")}
            hook = Webhook(self.told.webhook_secret)
            at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
            expected = hook.sign(request.headers["webhook-id"], at, request.get_data().decode())
            assert expected in sent["Webhook-Signature"].split(" ")
            found.append(json.loads(request.get_data()))
        return found


@dataclass
class Shopper:
    """Ada, with a browser that keeps no cookies."""

    world: "World"
    url: str
    agent: str = DESKTOP
    language: str = "en"
    answer: TestResponse | None = None

    def asks(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"User-Agent": self.agent, "Accept-Language": self.language} | options.pop("headers", {})
        client = Client(self.world.app, use_cookies=False)
        self.answer = client.open(path, method=method, base_url=PUBLIC, headers=headers, **options)
        assert "Set-Cookie" not in self.answer.headers
        return self.answer

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def page(self) -> str:
        answer = self.asks("GET", self.path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def sees(self) -> str:
        """The one heading of the page."""
        headings = re.findall(r"<h1[^>]*>(.*?)</h1>", self.page(), re.DOTALL)
        assert len(headings) == 1
        return html.unescape(re.sub(r"<[^>]+>", "", headings[0])).strip()

    def stage(self) -> str:
        found = re.search(r'data-stage="(\w+)"', self.page())
        assert found
        return found[1]

    def may_pick(self) -> list[str]:
        return re.findall(r'name="wallet" value="(\w+)"', self.page())

    def picks(self, wallet: str) -> TestResponse:
        return self.asks("POST", self.path, data={"wallet": wallet})

    def polls(self, **headers: str) -> dict[str, Any]:
        answer = self.asks("GET", f"{self.path}/status", headers={"Accept": "application/json"} | headers)
        return cast(dict[str, Any], answer.json)

    def says_paid(self) -> TestResponse:
        return self.asks("POST", f"{self.path}/check")

    def comes_back(self) -> TestResponse:
        return self.asks("GET", f"{self.path}/return?syssn=1&respcd=0000")

    def cancels(self) -> TestResponse:
        return self.asks("POST", f"{self.path}/cancel")

    def way_back(self) -> str:
        found = re.search(r'<a[^>]*data-return[^>]*href="([^"]+)"', self.page())
        assert found, "no way back to the shop"
        return html.unescape(found[1])


class World:
    """One deployment: the application, a database, the sandbox as its gateway, and a clock that stands still."""

    def __init__(self, database_url: str, hooks: HttpServer, inboxes: dict[str, Inbox], **settings: str) -> None:
        self.clock = Clock()
        self.hooks, self.inboxes = hooks, inboxes
        self.credentials: dict[str, Credential] = {}
        self.sandbox: Flask = create_sandbox(
            ledger=":memory:", public_url=GATEWAY, credentials=self.credentials, clock=self.clock,
            http=session_to(self._ours), run_notifier=False,
        )  # fmt: skip
        env = {"DATABASE_URL": database_url, "PUBLIC_URL": PUBLIC, "SECRET_KEY": "s" * 40} | settings
        self.app = create_app(Config.from_env(env), gateway_http=session_to(self.sandbox), clock=self.clock)
        self.parts: Parts = parts_of(self.app)
        joined = self.parts
        self.asking = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, self.clock, Lanes())
        self.refunding = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, self.clock, Lanes())
        self.posting = Posting(
            joined.reading, joined.sessions, joined.vault, joined.sender, self.clock, Lanes(), lambda: 0.0
        )

    def _ours(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)

    @property
    def ledger(self) -> Ledger:
        return cast(Ledger, self.sandbox.extensions["sandbox"].ledger)

    def merchant(
        self, name: str = "Bo's Tea", *, mchid: str | None = None, webhooks: bool = True, **shop: Any
    ) -> Merchant:
        """A merchant with credentials of its own at the sandbox."""
        app_code = shop.pop("app_code", f"APP{len(self.credentials) + 1}")
        client_key = shop.pop("client_key", "key-of-" + app_code)
        self.credentials[app_code] = Credential(client_key, mchid=mchid)
        inbox = Inbox()
        where = f"/{id(self)}/{app_code}"
        self.inboxes[where] = inbox
        described = Shop(
            name=name, app_code=app_code, client_key=client_key, base_url=GATEWAY, mchid=mchid,
            webhook_url=self.hooks.url + where if webhooks else None, **shop,
        )  # fmt: skip
        with self.parts.sessions() as db:
            told = add_merchant(db, self.parts.vault, self.parts.terms, described, now=self.clock())
        return Merchant(self, told, inbox)

    def shopper(self, session: dict[str, Any], agent: str = DESKTOP, language: str = "en") -> Shopper:
        return Shopper(self, session["url"], agent, language)

    def next(self, scenario: Scenario) -> None:
        """What the gateway does with the next order."""
        self.ledger.set_next(scenario)

    def attempt(self, session: dict[str, Any]) -> Attempt:
        """The latest attempt as our database holds it."""
        return self.attempts(session)[-1]

    def attempts(self, session: dict[str, Any]) -> list[Attempt]:
        with self.parts.sessions() as db:
            query = select(Attempt).where(Attempt.session_id == session["id"]).order_by(Attempt.created_at, Attempt.id)
            return list(db.scalars(query))

    def row(self, session: dict[str, Any]) -> CheckoutSession:
        with self.parts.sessions() as db:
            return db.get_one(CheckoutSession, session["id"])

    def pays(self, session: dict[str, Any], *, at: datetime | None = None) -> None:
        """Ada confirms the latest code in her wallet; the gateway's notification is not sent yet."""
        self.ledger.pay(self.attempt(session).out_trade_no, at=at)

    def notifies(self) -> list[int | None]:
        """The gateway sends what notifications are due; how each was answered."""
        return [sent.status for sent in deliver_due(self.sandbox, self.clock())]

    def works(self) -> None:
        """The worker does everything that is due at this moment."""
        for _ in range(500):
            under_way = self.posting.crew.under_way()
            if self._next_due() > self.clock.now:
                if self.posting.crew.wait(under_way):
                    continue  # a try is under way on a thread of its own, and what it says may make something due
                return
            with self.parts.sessions() as db:
                closed = close_next(db, self.parts.terms, self.clock())
            moved = move_next_refund(self.refunding)
            if not any([enquire_next(self.asking), deliver_next(self.posting), closed, moved]):
                return
        raise AssertionError("the worker never comes to rest")

    def passes(self, seconds: float, step: float = 1.0) -> None:
        """Time goes by, and the worker keeps up with it: it looks every `step` seconds, when there is work to do."""
        end = self.clock.now + timedelta(seconds=seconds)
        while self.clock.now < end:
            idle = min(self._next_due(), end) - self.clock.now
            steps = max(math.ceil(idle.total_seconds() / step), 1)
            self.clock.now = min(self.clock.now + timedelta(seconds=step) * steps, end)
            self.works()

    def _next_due(self) -> datetime:
        """The first moment at which any sweep finds something: whatever the worker does stands under one of these."""
        dues = (Attempt.next_at, Refund.next_at, Delivery.next_at, CheckoutSession.due_at)
        with self.parts.reading.connect() as connection:
            moments = connection.execute(select(*(select(func.min(due)).scalar_subquery() for due in dues))).one()
        return min(filter(None, moments), default=datetime.max.replace(tzinfo=UTC))

    def violations(self) -> list[str]:
        return [f"{v.invariant} {v.subject}: {v.message}" for v in violations_in(self.parts.engine)]

    def enquiries(self) -> int:
        return len(self.ledger.calls("/trade/v1/query"))

    def close(self) -> None:
        close_books(self.parts.engine)
