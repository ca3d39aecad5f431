"""Several web processes and several workers on one set of books: everything once."""

import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import requests
from sqlalchemy import func, select

from checkout.domain.lifecycle import LIVE_ATTEMPT, DeliveryStatus
from checkout.store.models import CheckoutSession, Delivery
from sandbox import deliver_due
from tests.processes.cast import PAID, PAY, PATIENCE, QUERY, Deployment, says
from tests.servers import wait_until

SHOPPERS = 30
AT_ONCE = 16
PAUSE = timedelta(seconds=2)
ON_THE_WAY = timedelta(milliseconds=250)  # a call arrives later than it was decided on, and not always equally late


def test_two_of_each_process_work_on_the_same_books(deployment: Deployment) -> None:
    with deployment.gunicorn(workers=2) as web, deployment.worker() as one, deployment.worker() as two:
        with ThreadPoolExecutor(8) as shoppers:
            sessions = list(shoppers.map(lambda _: deployment.opens(), range(SHOPPERS)))
            list(shoppers.map(deployment.picks, sessions))
            numbers = [order.out_trade_no for order in deployment.ledger.orders()]
            assert len(numbers) == SHOPPERS
            for number in numbers[::2]:  # the other half is asked about before it is paid
                deployment.ledger.pay(number)
            deliver_due(deployment.sandbox, datetime.now(UTC))
            wait_until(lambda: len(deployment.ledger.calls(QUERY)) > 2, PATIENCE, one.output)
            for number in numbers[1::2]:
                deployment.ledger.pay(number)
            deliver_due(deployment.sandbox, datetime.now(UTC))
        with deployment.looking_on() as instance:
            delivered = select(func.count()).select_from(Delivery).where(Delivery.status == DeliveryStatus.DONE)
            told = says(instance.parts.engine, delivered)
            wait_until(lambda: told() == SHOPPERS, PATIENCE, lambda: web.output() + one.output() + two.output())
            assert all(deployment.status(session) == "paid" for session in sessions)
            deployment.assert_nothing_lost_or_doubled(instance)

    events = deployment.heard()
    assert sorted(event["data"]["id"] for event in events) == sorted(session["id"] for session in sessions)
    assert {event["type"] for event in events} == {PAID}
    assert shortest_pause_between_enquiries(deployment) >= PAUSE - ON_THE_WAY


def shortest_pause_between_enquiries(deployment: Deployment) -> timedelta:
    asked: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for call in deployment.ledger.calls(QUERY):
        for number in call.params["out_trade_no"].split(","):
            # Near a month's edge one question takes two calls, one for each month.
            asked[number, call.params.get("start_time", "")].append(call.at)
    pauses = [after - before for times in asked.values() for before, after in zip(times, times[1:], strict=False)]
    assert pauses, "nothing was asked twice: the test proves nothing"
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
