"""A deployment in bad weather: real processes, and every fault befalls one call, connection or second in twenty."""

import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

import requests
from werkzeug.wrappers import Request, Response

from checkout.domain.shops import Shop
from checkout.services.merchants import add_merchant
from checkout.web.context import parts_of
from sandbox import Ledger, Scenario, create_sandbox
from tests.proofs.stage import CREDENTIALS, Place, Stage
from tests.proxy import BLACK_HOLE, RESET, FaultProxy, cut_down, cut_up, delayed, dripping
from tests.servers import HttpServer, Process, free_port, python_script
from tests.stories.cast import DESKTOP, Inbox

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SHARE = 0.05
PATIENCE = 12.0
CALL_FAULTS = ("500", "500 after", "429", "html after", "garbage after", "slow")
WIRE_FAULTS = (cut_down(60), cut_up(120), delayed(0.2), dripping(400), RESET, BLACK_HOLE)
STORE_FAULTS = (cut_down(3000), cut_up(3000), delayed(0.02), RESET, BLACK_HOLE)
COURSES = (
    Scenario.NOTIFICATION_LOST, Scenario.DUPLICATE_NOTIFICATION, Scenario.PENDING_1143, Scenario.PROCESSING_1145,
    Scenario.NOTIFICATION_EARLY, Scenario.LOST_ANSWER, Scenario.HTTP_500,
)  # fmt: skip


@dataclass
class Weather:
    """WSGI middleware before a gateway or a merchant: some calls fail, with effect or without."""

    app: "WSGIApplication"
    chance: random.Random
    fair: bool = False
    befell: dict[str, int] = field(default_factory=dict)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        fault = next((one for one in CALL_FAULTS if self.chance.random() < SHARE), "")
        if self.fair or not fault:
            return self.app(environ, start_response)
        self.befell[fault] = self.befell.get(fault, 0) + 1
        if fault == "slow":
            time.sleep(self.chance.random())
            return self.app(environ, start_response)
        if fault.endswith("after"):
            Response.from_app(self.app, environ)
        else:
            Request(environ).get_data()
        spoilt = {"429": Response("slow down", 429), "html after": Response("<p>Sign in", mimetype="text/html")}
        garbage = Response('{"respcd": "0000", "syssn": "20', mimetype="application/json")
        answer = spoilt.get(fault) or (garbage if fault == "garbage after" else Response("error", 500))
        return answer(environ, start_response)


class Deployment:
    """Web and worker processes between faulty lines; gateway, merchant and database are on their far sides."""

    def __init__(self, database_url: str, folder: Path, chance: random.Random) -> None:
        self.chance = chance
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger_file = folder / "gateway.db"
        self._stack = ExitStack()
        self.inbox = Inbox()
        gateway_port = free_port()
        gateway_line = FaultProxy(gateway_port)
        sandbox = create_sandbox(
            ledger=str(self.ledger_file), public_url=f"http://127.0.0.1:{gateway_line.port}", credentials=CREDENTIALS,
            calls_per_minute=None, refund_pause=False,
        )  # fmt: skip
        self.ledger = cast(Ledger, sandbox.extensions["sandbox"].ledger)
        self.gateway = Weather(sandbox, random.Random(chance.random()))
        self.shop = Weather(self.inbox, random.Random(chance.random()))
        self._gateway_server = HttpServer(self.gateway, gateway_port)
        self._shop_server = HttpServer(self.shop)
        self.lines = {
            "gateway": gateway_line,
            "merchant": FaultProxy(urlsplit(self._shop_server.url).port or 0),
            "database": FaultProxy(urlsplit(database_url).port or 0),
        }
        self.workers: list[Process] = []

    def __enter__(self) -> Self:
        for server in (self._gateway_server, self._shop_server):
            self._stack.enter_context(server)
        for line in self.lines.values():
            self._stack.enter_context(line)
        self.place = Place(self.database_url, str(self.ledger_file), f"http://127.0.0.1:{self.lines['merchant'].port}")
        stage = Stage(self.place)
        shop = Shop(
            name="Bo's Tea", app_code="APP1", client_key="key-of-APP1", webhook_url=self.place.webhook_url,
            base_url=f"http://127.0.0.1:{self.lines['gateway'].port}",
        )  # fmt: skip
        joined = parts_of(stage.app)
        with joined.sessions() as db:
            told = add_merchant(db, joined.vault, joined.terms, shop, now=stage.clock())
        stage.close()
        self.api_key = told.api_key
        command = [python_script("gunicorn"), "app:create_app()"]
        self.web = self._stack.enter_context(Process(command, self.env))
        self.web.wait_for(f"{self.url}/healthz")
        self.steady = self._stack.enter_context(self.worker())
        self.storm(True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def env(self) -> dict[str, str]:
        """The processes reach the database only through its faulty line."""
        port = urlsplit(self.database_url).port
        return {
            "DATABASE_URL": self.database_url.replace(f":{port}/", f":{self.lines['database'].port}/"),
            "PUBLIC_URL": self.url, "PORT": str(self.port), "HOST": "127.0.0.1", "SECRET_KEY": "s" * 40,
            "ENV": "development", "EMBEDDED_WORKER": "0", "WEB_CONCURRENCY": "1", "GATEWAY_RATE_PER_MINUTE": "400",
        }  # fmt: skip

    def worker(self) -> Process:
        return Process([sys.executable, "worker.py"], self.env)

    def storm(self, on: bool) -> None:
        """Let faults begin, or end."""
        self.gateway.fair = self.shop.fair = not on
        share = SHARE if on else 0.0
        for name, line in self.lines.items():
            faults = STORE_FAULTS if name == "database" else WIRE_FAULTS
            line.sometimes(share, faults, random.Random(self.chance.random()))

    def gust(self) -> None:
        """Once a second: one line in twenty loses all its connections."""
        for line in self.lines.values():
            if self.chance.random() < SHARE:
                line.drop()

    def faults(self) -> int:
        on_lines = sum(len([one for one in line.befell if one != "passes"]) for line in self.lines.values())
        return on_lines + sum(self.gateway.befell.values()) + sum(self.shop.befell.values())


class Customer:
    """One merchant's server and its shoppers, who try again when they are told to, and count what they see."""

    def __init__(self, deployment: Deployment, seed: float) -> None:
        self.deployment = deployment
        self.chance = random.Random(seed)
        self.counts: dict[str, int] = {}
        self.strange: list[str] = []

    def lives(self, until: threading.Event) -> None:
        while not until.is_set():
            try:
                self._buys(until)
            except requests.RequestException:
                self._count("connections that broke")
            until.wait(0.2 + self.chance.random())

    def _buys(self, until: threading.Event) -> None:
        session = self._opens(until)
        if session is None:
            return
        if self.chance.random() < SHARE * len(COURSES):
            self.deployment.ledger.set_next(self.chance.choice(COURSES))
        page = session["url"]
        for wallet in ("alipay_hk", "alipay") if self.chance.random() < 0.1 else ("alipay_hk",):
            self._press(page, {"wallet": wallet})
        if self.chance.random() < 0.1:
            self._press(f"{page}/cancel", {})
        for number in self._numbers(session):
            if self.chance.random() < 0.8:
                with suppress(KeyError, ValueError):  # it never got there; or it was refused, or paid already
                    self.deployment.ledger.pay(number)
                    self._count("payments")
        self._seen(requests.get(f"{page}/status", headers={"Accept": "application/json"}, timeout=PATIENCE))
        if self.chance.random() < 0.3:
            self._refunds(session, until)

    def _opens(self, until: threading.Event) -> dict[str, Any] | None:
        order = {
            "amount": 8800, "currency": "HKD", "reference": f"A-{uuid.uuid4().hex}",
            "return_url": "https://shop.example/thanks",
        }  # fmt: skip
        made = self._insists(lambda key: self._api("POST", "checkout-sessions", order, key), until)
        if made is not None:
            self._count("sessions")
        return made

    def _refunds(self, session: dict[str, Any], until: threading.Event) -> None:
        until.wait(4)
        if self._api("GET", f"checkout-sessions/{session['id']}").json().get("status") != "paid":
            return
        path = f"checkout-sessions/{session['id']}/refunds"
        if self._insists(lambda key: self._api("POST", path, {"amount": 800}, key), until):
            self._count("refunds")

    def _insists(self, call: Callable[[str], requests.Response], until: threading.Event) -> dict[str, Any] | None:
        """As integrators are told: the same key until there is an answer."""
        key = uuid.uuid4().hex
        while not until.is_set():
            with suppress(requests.RequestException):
                answer = call(key)
                if answer.status_code == 201:
                    return cast(dict[str, Any], answer.json())
            until.wait(0.5)
        return None

    def _numbers(self, session: dict[str, Any]) -> list[str]:
        told = self._api("GET", f"checkout-sessions/{session['id']}").json()
        return [attempt["out_trade_no"] for attempt in told.get("attempts", ())]

    def _press(self, url: str, form: dict[str, str]) -> None:
        headers = {"User-Agent": DESKTOP}
        self._seen(requests.post(url, data=form, headers=headers, allow_redirects=False, timeout=PATIENCE))

    def _api(self, method: str, path: str, body: object = None, key: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {self.deployment.api_key}"} | ({"Idempotency-Key": key} if key else {})
        url = f"{self.deployment.url}/v1/{path}"
        return self._seen(requests.request(method, url, headers=headers, json=body, timeout=PATIENCE))

    def _seen(self, answer: requests.Response) -> requests.Response:
        self._count(f"answers {answer.status_code // 100}xx" if answer.status_code != 503 else "answers 503")
        if answer.status_code >= 500 and answer.status_code != 503:
            self.strange.append(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def children(pid: int) -> Iterator[int]:
    """The processes that really work: gunicorn's own children, or the process itself."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    yield from map(int, found or [str(pid)])


def weight(pid: int) -> tuple[int, int]:
    """Resident memory in KiB, and open file descriptors."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return memory, len(list(Path(f"/proc/{pid}/fd").iterdir()))
