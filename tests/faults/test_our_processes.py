"""F29 and F30: our own processes killed, reloaded and stopped in the middle."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from checkout.domain.lifecycle import SessionStatus
from checkout.store.models import CheckoutSession
from sandbox import deliver_due
from tests.processes.cast import PATIENCE, Deployment
from tests.proofs.killing import Round
from tests.proofs.scale import scale
from tests.proofs.stage import differences
from tests.servers import Process, wait_until
from tests.stories.cast import Inbox

REFUND = "/trade/v1/refund"
AFTER_THE_LEASE = 70.0  # seconds: a refund's, the longest, lasts 60
MINUTE, HOUR = 60, 3600


@pytest.fixture
def deployment(database_url: str) -> Iterator[Deployment]:
    with Deployment(database_url) as made:
        yield made


# --- F29: kill -9. Every point, alone and in pairs: tests/proofs/test_kills.py


@pytest.mark.parametrize(
    ("victim", "tidier"),
    [
        (("order.sent", "start"), ("payment.booked", "settle")),
        (("key.before_commit", "refund"), ("refund.answered", "return")),
        (("surplus.booked", "surplus"), ("delivery.sent", "settle")),
    ],
)
def test_f29_what_one_killed_process_left_and_another_could_not_finish_is_finished_by_the_third(
    round_of_kills: tuple[Round, Inbox], victim: tuple[str, str], tidier: tuple[str, str]
) -> None:
    played, inbox = round_of_kills
    played.kill(victim)
    played.kill_the_worker(tidier)
    played.recover()
    assert [*differences(played.stage, inbox), *played.wrong_ends()] == []


# --- F30: gunicorn reloaded, stopped and killed under load


class Crowd:
    """Shoppers who come one after the other, and shops and browsers that ask again when nobody answers."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.over = deployment, threading.Event()
        self.orders: list[dict[str, Any]] = []
        self.refused: list[int] = []

    def shops(self) -> None:
        while not self.over.is_set():
            order = self.deployment.order()
            answer = self.insists(lambda: self.deployment.api("POST", "checkout-sessions", order, order["reference"]))  # noqa: B023 - called at once
            if answer is None:
                return
            self.orders.append(order)
            session = answer.json()
            self.insists(lambda: self.deployment.picks(session))  # noqa: B023 - called at once
            for made in self.deployment.ledger.orders(20):
                if session["id"] in made.return_url and not made.payments:
                    self.deployment.ledger.pay(made.out_trade_no)
            self.over.wait(1)

    def insists(self, ask: Callable[[], requests.Response]) -> requests.Response | None:
        """Until there is an answer that is none of a server being restarted. None: it is all over."""
        while not self.over.is_set():
            try:
                answer = ask()
            except requests.RequestException:
                self.over.wait(0.2)
                continue
            if answer.status_code < 500:
                return answer
            if answer.status_code != 503:
                self.refused.append(answer.status_code)
            self.over.wait(0.2)
        return None


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_f30_reloads_stops_and_kills_of_the_web_processes_under_load_lose_nothing(deployment: Deployment) -> None:
    strikes = 200 if scale().release else 5
    crowd = Crowd(deployment)
    with ThreadPoolExecutor(3) as shoppers, deployment.worker() as worker, ExitStack() as stack:
        web = stack.enter_context(deployment.gunicorn(workers=2))
        running = [shoppers.submit(crowd.shops) for _ in range(3)]
        for number in range(strikes):
            before = len(crowd.orders)
            wait_until(lambda: len(crowd.orders) > before + 1, PATIENCE, web.output)  # noqa: B023 - called at once
            web = strike(deployment, stack, web, number)
            deliver_due(deployment.sandbox, datetime.now(UTC))
        crowd.over.set()
        for one in running:
            one.result()
        assert worker.returncode() is None, worker.output()
    assert crowd.refused == []
    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        finish(deployment, [order["reference"] for order in crowd.orders])
        instance.passes(10)
        with deployment.books(instance) as db:
            sessions = {one.reference: one.status for one in db.scalars(select(CheckoutSession))}
            assert db.scalar(select(func.count()).select_from(CheckoutSession)) == len(sessions)
        assert {sessions[order["reference"]] for order in crowd.orders} == {SessionStatus.PAID}
        deployment.assert_nothing_lost_or_doubled(instance)


def strike(deployment: Deployment, stack: ExitStack, web: Process, number: int) -> Process:
    """By turns a reload, the sudden death of one worker, an orderly stop, and the sudden death of all."""
    match number % 4:
        case 0:
            web.send(signal.SIGHUP)
            return web
        case 1:
            _kill(children_of(web.pid)[:1])
            return web
        case 2:
            web.stop()
        case _:
            _kill([web.pid, *children_of(web.pid)])
            wait_until(lambda: web.returncode() is not None, PATIENCE, web.output)
    return stack.enter_context(deployment.gunicorn(workers=2))


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def finish(deployment: Deployment, references: list[str]) -> None:
    """Who saw no code before tries once more, and everybody pays."""
    for reference in references:
        [session] = deployment.api("GET", f"checkout-sessions?reference={reference}").json()["data"]
        if session["status"] == "open":
            assert deployment.picks(session).status_code == 303
    for order in deployment.ledger.orders():
        if not order.payments:
            deployment.ledger.pay(order.out_trade_no)
