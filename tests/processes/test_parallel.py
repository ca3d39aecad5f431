"""Several web processes and several workers on one set of books: everything once."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier, Lock

import requests
from sqlalchemy import ColumnElement, func, select

from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus, DeliveryStatus
from checkout.store.models import Attempt, CheckoutSession, Delivery
from sandbox import Trouble, deliver_due
from tests.processes.cast import PAID, PATIENCE, PAY, QUERY, Deployment, Instance
from tests.servers import wait_until

SHOPPERS = 30
AT_ONCE = 16
PAUSE = timedelta(seconds=2)
ON_THE_WAY = timedelta(seconds=1)  # a call arrives later than it was decided on, and not always equally late


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


def test_sixteen_shoppers_who_start_at_once_all_get_a_code(deployment: Deployment) -> None:
    """The minute's budget has room for all of them; only the row that counts it is in demand."""
    with deployment.gunicorn(workers=2):
        sessions = iter([deployment.opens() for _ in range(AT_ONCE)])
        waiting = Lock()

        def press() -> requests.Response:
            with waiting:
                session = next(sessions)
            return deployment.picks(session)

        assert {answer.status_code for answer in at_once(press)} == {303}
    with deployment.fresh() as instance:
        assert {attempt.status for attempt in deployment.attempts(instance)} == {AttemptStatus.PENDING}
    assert len(deployment.ledger.orders()) == AT_ONCE


def test_a_notification_during_an_enquiry_is_not_forgotten(deployment: Deployment) -> None:
    with deployment.fresh(-10):
        session = deployment.opens()
        deployment.picks(session)
    deployment.ledger.inject(QUERY, Trouble.SLOW)
    with deployment.fresh() as instance, ThreadPoolExecutor(1) as worker:
        working = worker.submit(instance.works)
        wait_until(lambda: any(call.answer for call in deployment.ledger.calls(QUERY)), PATIENCE, lambda: "not asked")
        deployment.ledger.pay(deployment.ledger.orders()[0].out_trade_no)  # the answer under way says: not paid
        [sent] = deliver_due(deployment.sandbox, datetime.now(UTC))
        assert sent.status == 200
        working.result()

        instance.passes(3)
        assert deployment.status(session) == "paid"
