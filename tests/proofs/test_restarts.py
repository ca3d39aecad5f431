"""PostgreSQL is killed, stopped, restarted, made read-only under load: fast refusals, recovery by itself, no loss."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from sqlalchemy import select

from checkout.store.models import CheckoutSession
from sandbox import deliver_due
from tests.databases import PostgresServer
from tests.processes.cast import Deployment, Instance
from tests.proofs.scale import Scale, Tally
from tests.servers import wait_until
from tests.stories.conftest import migrate

BUYERS, BROWSERS = 2, 4  # no more buyers than the gateway's budget allows, or it would be the budget that is measured
WELL, GONE = 1.0, 1.5  # seconds of load before the blow, and between it and the return
MOST_SECONDS = 6.0  # until whoever asks has an answer
RECOVERY_SECONDS = 10.0
LEASES = 70.0  # seconds: longer than the longest lease

Blow = Callable[[PostgresServer], None]


def kill(server: PostgresServer) -> None:
    server.crash()


def stop(server: PostgresServer) -> None:
    server.stop()


def make_read_only(server: PostgresServer) -> None:
    server.read_only(True)


def start(server: PostgresServer) -> None:
    server.start()


def make_writable(server: PostgresServer) -> None:
    server.read_only(False)


def nothing(server: PostgresServer) -> None:
    """A restart is over as soon as it is done."""


def restart(server: PostgresServer) -> None:
    server.stop()
    server.start()


BLOWS: dict[str, tuple[Blow, Blow]] = {
    "killed": (kill, start),
    "stopped": (stop, start),
    "read-only": (make_read_only, make_writable),
    "restarted": (restart, nothing),
}


@dataclass
class Load:
    """Shops and shoppers who press on. `known` are the sessions that a merchant was told of, with their payments."""

    deployment: Deployment
    over: threading.Event = field(default_factory=threading.Event)
    known: set[str] = field(default_factory=set)
    codes: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0
    strange: list[str] = field(default_factory=list)

    def buys(self) -> None:
        while not self.over.wait(0.6):
            session = self._opens()
            if session and self._asks(lambda session=session: self.deployment.picks(session), 303) is not None:  # type: ignore[misc]
                self._pays(session)

    def browses(self) -> None:
        while not self.over.wait(0.05):
            if session := self._opens():
                self._asks(lambda session=session: requests.get(session["url"], timeout=20), 200)  # type: ignore[misc]

    def notifies(self) -> None:
        """The gateway tells of payments, and again what was not acknowledged."""
        while not self.over.is_set():
            for sent in deliver_due(self.deployment.sandbox, datetime.now(UTC)):
                self._count(sent.status or 0)
            self.over.wait(0.1)

    def _opens(self) -> dict[str, Any] | None:
        order = self.deployment.order()
        answer = self._asks(
            lambda: self.deployment.api("POST", "checkout-sessions", order, key=order["reference"]), 201
        )
        if answer is None:
            return None
        session: dict[str, Any] = answer.json()
        self.known.add(session["id"])
        return session

    def _pays(self, session: dict[str, Any]) -> None:
        """Whatever code she has on her screen; the gateway knows it by its number."""
        with suppress(ValueError, requests.RequestException):
            attempts = self.deployment.api("GET", f"checkout-sessions/{session['id']}").json().get("attempts", [])
            for attempt in attempts:
                self.deployment.ledger.pay(attempt["out_trade_no"])

    def _asks(self, ask: Callable[[], requests.Response], wanted: int) -> requests.Response | None:
        began = time.monotonic()
        answer = None
        with suppress(requests.ConnectionError):
            answer = ask()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self._count(0 if answer is None else answer.status_code)
        if answer is None or answer.status_code == wanted:
            return answer
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.strange.append(f"{answer.status_code}: {answer.text[:200]}")
        return None

    def _count(self, code: int) -> None:
        self.codes[code] = self.codes.get(code, 0) + 1


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(durable=True) as made:
        yield made


@pytest.mark.parametrize("blow", BLOWS)
def test_restarts_of_postgresql_under_load(server: PostgresServer, blow: str, scale: Scale, tally: Tally) -> None:
    tally.proof, tally.database = f"PostgreSQL {blow} under load", "postgresql"
    hit, heal = BLOWS[blow]
    with Deployment(server.new_database(migrate)) as deployment:
        load = Load(deployment)
        with (
            deployment.gunicorn(workers=2) as web,
            deployment.worker() as worker,
            ThreadPoolExecutor(BUYERS + BROWSERS + 1) as crowd,
        ):
            roles = [load.notifies, *[load.buys] * BUYERS, *[load.browses] * BROWSERS]
            working = [crowd.submit(role) for role in roles]
            try:
                for _ in range(scale.restarts):
                    load.over.wait(WELL)
                    hit(server)
                    try:
                        load.over.wait(GONE)
                    finally:
                        heal(server)
                    recovered = recovery(deployment, RECOVERY_SECONDS * scale.patience)
                    slowest = tally.counts.get("slowest recovery, ms", 0)
                    tally.counts["slowest recovery, ms"] = max(slowest, round(recovered * 1000))
                    tally.add("blows")
                    assert recovered <= RECOVERY_SECONDS * scale.patience, web.output() + worker.output()
            finally:
                load.over.set()
            for one in working:
                one.result()
        assert load.strange == []
        assert load.slowest < MOST_SECONDS * scale.patience
        assert load.known
        for code, times in sorted(load.codes.items()):
            tally.add(f"answers {code}" if code else "connections lost", times)
        with deployment.fresh(LEASES) as instance:
            instance.works()
            instance.passes(30)  # ordinary sweeps; whatever was on its way arrives
            lost = load.known - stored(instance)
            tally.add("sessions lost", len(lost))
            assert lost == set(), "told of, and not in the books"
            deployment.assert_nothing_lost_or_doubled(instance)
        tally.add("sessions", len(load.known))
        tally.add("payments", sum(len(order.payments) for order in deployment.ledger.orders()))


def recovery(deployment: Deployment, limit: float) -> float:
    """Seconds until an order goes through, a payment is started and the worker has found it paid, by themselves."""
    began = time.monotonic()

    def paid() -> bool:
        with suppress(requests.RequestException, AssertionError, ValueError, KeyError):
            session = deployment.opens()
            assert deployment.picks(session).status_code == 303
            [attempt] = deployment.api("GET", f"checkout-sessions/{session['id']}").json()["attempts"]
            deployment.ledger.pay(attempt["out_trade_no"])
            served.append(session)
            return True
        return False

    served: list[dict[str, Any]] = []
    wait_until(paid, limit, lambda: "no order goes through")
    wait_until(lambda: deployment.status(served[0]) == "paid", limit, lambda: "the worker stands still")
    return time.monotonic() - began


def stored(instance: Instance) -> set[str]:
    with instance.parts.sessions() as db:
        return set(db.scalars(select(CheckoutSession.id)))
