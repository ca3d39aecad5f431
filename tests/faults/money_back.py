"""A paid order, many who ask at once, and what went back in the end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from checkout.store.models import Payment, Refund
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import pay

QUERY = "/trade/v1/query"
CROWD = 16


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Everybody waits for the last one, and then all act in the same moment."""
    gate, answers, raised = threading.Barrier(len(acts)), [None] * len(acts), []

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            gate.wait(20)
            answers[place] = act()
        except BaseException as error:  # told to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    return answers


def goes_back(world: World) -> dict[str, tuple[int, int]]:
    """By each payment's syssn at the gateway: what was paid, and what went back."""
    return {
        payment.syssn: (payment.amount, sum(one.amount for one in order.refunds if one.origssn == payment.syssn))
        for order in world.ledger.orders()
        for payment in order.payments
    }


@contextmanager
def watched_books(world: World) -> Iterator[None]:
    """All the while somebody adds up what is held and what was paid."""
    over = threading.Event()
    seen: list[Any] = []

    def watch() -> None:
        held = select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.payment_id == Payment.id, Refund.status != "failed"
        )
        query = select(Payment.amount, Payment.refunded, held.correlate(Payment).scalar_subquery())
        while not over.is_set():
            with world.parts.reading.connect() as connection:
                seen.extend(connection.execute(query).all())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(20)
    assert seen
    assert [row for row in seen if not row[2] == row[1] <= row[0]] == []
