"""Several web processes and several workers on one set of books: everything once."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier

import requests
from sqlalchemy import ColumnElement, func, select

from checkout.domain.lifecycle import LIVE_ATTEMPT, DeliveryStatus
from checkout.store.models import Attempt, CheckoutSession, Delivery
from sandbox import deliver_due
from tests.processes.cast import PAID, PATIENCE, PAY, QUERY, Deployment, Instance
from tests.servers import wait_until

SHOPPERS = 30
AT_ONCE = 16
PAUSE = timedelta(seconds=2)
ON_THE_WAY = timedelta(milliseconds=250)  # a call arrives later than it was decided on, and not always equally late


def test_two_of_each_process_work_on_the_same_books(deployment: Deployment) -> None:
    with (
        deployment.looking_on() as instance,
        deployment.gunicorn(workers=2) as web,
        deployment.worker() as one,
        deployment.worker() as two,
        ThreadPoolExecutor(8) as shoppers,
    ):
        await_count = partial(await_rows, instance, lambda: web.output() + one.output() + two.output())
        sessions = list(shoppers.map(lambda _: deployment.opens(), range(SHOPPERS)))
        list(shoppers.map(deployment.picks, sessions))
        numbers = [order.out_trade_no for order in deployment.ledger.orders()]
        assert len(numbers) == SHOPPERS
        for half, asked_before in ((numbers[::2], 0), (numbers[1::2], SHOPPERS)):
            await_count(Attempt.answered_at.is_not(None), asked_before)
            list(shoppers.map(deployment.ledger.pay, half))
            deliver_due(deployment.sandbox, datetime.now(UTC))
        await_count(Delivery.status == DeliveryStatus.DONE, SHOPPERS)
        assert all(deployment.status(session) == "paid" for session in sessions)
        deployment.assert_nothing_lost_or_doubled(instance)

    events = deployment.heard()
    assert sorted(event["data"]["id"] for event in events) == sorted(session["id"] for session in sessions)
    assert {event["type"] for event in events} == {PAID}
    assert shortest_pause_between_enquiries(deployment) >= PAUSE - ON_THE_WAY


def await_rows(instance: Instance, output: Callable[[], str], fact: ColumnElement[bool], at_least: int) -> None:
    """Wait until this is true of so many rows."""

    def enough() -> bool:
        with instance.parts.reading.connect() as connection:
            return connection.execute(select(func.count()).where(fact)).scalar_one() >= at_least

    wait_until(enough, PATIENCE, output)


def times_asked(deployment: Deployment) -> dict[tuple[str, str], list[datetime]]:
    """When the gateway was asked about each number. Near a month's edge one question takes a call for each month."""
    asked: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for call in deployment.ledger.calls(QUERY):
        for number in call.params["out_trade_no"].split(","):
            asked[number, call.params.get("start_time", "")].append(call.at)
    return asked


def shortest_pause_between_enquiries(deployment: Deployment) -> timedelta:
    times = times_asked(deployment).values()
    pauses = [after - before for asked in times for before, after in itertools.pairwise(asked)]
    assert pauses, "nothing was asked about twice: the test proves nothing"
    return min(pauses)


def at_once(act: Callable[[], requests.Response]) -> list[requests.Response]:
    start = Barrier(AT_ONCE)

    def go(_: int) -> requests.Response:
        start.wait(PATIENCE)
        return act()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(go, range(AT_ONCE)))


def test_sixteen_presses_of_one_button_are_one_order(deployment: Deployment) -> None:
    with deployment.gunicorn():
        session = deployment.opens()
        answers = at_once(lambda: deployment.picks(session))

        assert {answer.status_code for answer in answers} == {303}
        assert {answer.headers["Location"] for answer in answers} == {f"/pay/{session['id']}"}
        assert "data-qr" in deployment.page(session)
    assert len(deployment.ledger.calls(PAY)) == 1
    with deployment.fresh() as instance:
        [attempt] = deployment.attempts(instance)
        assert attempt.status in LIVE_ATTEMPT
        deployment.assert_nothing_lost_or_doubled(instance)


def test_sixteen_requests_with_one_idempotency_key_are_one_session(deployment: Deployment) -> None:
    order = deployment.order()
    with deployment.gunicorn(workers=2):
        answers = at_once(lambda: deployment.api("POST", "checkout-sessions", order, key="one"))

    assert {answer.status_code for answer in answers} <= {201, 409}
    [body] = {answer.content for answer in answers if answer.status_code == 201}
    with deployment.fresh() as instance, deployment.books(instance) as db:
        assert list(db.scalars(select(CheckoutSession.id))) == [json.loads(body)["id"]]
