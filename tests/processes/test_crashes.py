"""kill -9 at each crash point, then a fresh start: no payment is lost, none is booked or announced twice."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import func, select

from checkout.store.models import CheckoutSession
from sandbox import deliver_due
from tests.processes.cast import PATIENCE, PAY, Deployment
from tests.servers import Process, wait_until

AFTER_THE_LEASE = 50.0  # seconds: the longest lease, a delivery's, lasts 45


def killed(process: Process) -> bool:
    """Waits for its end; True if it was SIGKILL."""
    wait_until(lambda: process.returncode() is not None, PATIENCE, lambda: f"still alive:\n{process.output()}")
    return process.returncode() == -signal.SIGKILL


@pytest.mark.parametrize("point", ["attempt.answered", "attempt.before_commit", "attempt.recorded"])
def test_a_payment_is_found_wherever_its_start_was_cut_off(deployment: Deployment, point: str) -> None:
    with deployment.web(crash_at=point) as web:
        session = deployment.opens()
        with pytest.raises(requests.ConnectionError):
            deployment.picks(session)
        assert killed(web)
    [order] = deployment.ledger.orders()

    with deployment.fresh() as instance:
        shown = deployment.page(session)
        assert ("data-qr" in shown) == (point == "attempt.recorded")
        assert deployment.picks(session).status_code == 303  # she presses again: still one order
        assert len(deployment.ledger.calls(PAY)) == 1

    deployment.ledger.pay(order.out_trade_no)  # somebody found the way to the wallet all the same
    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        assert deployment.status(session) == "paid"
        assert deployment.stage(session) == "paid"
        assert [event["type"] for event in deployment.heard()] == ["checkout_session.paid"]
        deployment.assert_nothing_lost_or_doubled(instance)


def test_an_intent_that_never_left_shows_no_code_and_blocks_nobody(deployment: Deployment) -> None:
    with deployment.web(crash_at="attempt.intended") as web:
        session = deployment.opens()
        with pytest.raises(requests.ConnectionError):
            deployment.picks(session, "alipay_hk")
        assert killed(web)
    assert deployment.ledger.orders() == []

    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        assert "data-qr" not in deployment.page(session)
        deployment.picks(session, "alipay")
        [order] = deployment.ledger.orders()
        assert "data-qr" in deployment.page(session)
        deployment.ledger.pay(order.out_trade_no)
        instance.passes(3)
        assert deployment.status(session) == "paid"
        deployment.assert_nothing_lost_or_doubled(instance)


@pytest.mark.parametrize("point", ["notice.before_commit", "notice.committed"])
def test_a_notification_is_repeated_until_it_is_kept(deployment: Deployment, point: str) -> None:
    with deployment.fresh():
        session = deployment.opens()
        deployment.picks(session)
    [order] = deployment.ledger.orders()
    deployment.ledger.pay(order.out_trade_no)
    with deployment.web(crash_at=point) as web:
        [sent] = deliver_due(deployment.sandbox, datetime.now(UTC))
        assert sent.status is None
        assert killed(web)

    with deployment.fresh(AFTER_THE_LEASE) as instance:
        [again] = deliver_due(deployment.sandbox, datetime.now(UTC) + timedelta(minutes=3))
        assert again.status == 200
        instance.works()
        assert deployment.status(session) == "paid"
        deployment.assert_nothing_lost_or_doubled(instance)


@pytest.mark.parametrize("point", ["enquiry.claimed", "enquiry.answered", "enquiry.before_commit"])
def test_an_enquiry_that_was_cut_off_is_made_again(deployment: Deployment, point: str) -> None:
    with deployment.fresh(-10):
        session = deployment.opens()
        deployment.picks(session)
    [order] = deployment.ledger.orders()
    deployment.ledger.pay(order.out_trade_no)
    with deployment.worker(crash_at=point) as worker:
        assert killed(worker)

    with deployment.fresh() as instance:
        instance.works()
        assert deployment.status(session) == "open"  # the lease of the dead still holds
    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        assert deployment.status(session) == "paid"
        assert [event["type"] for event in deployment.heard()] == ["checkout_session.paid"]
        deployment.assert_nothing_lost_or_doubled(instance)


@pytest.mark.parametrize(("point", "heard_before"), [("delivery.claimed", 0), ("delivery.sent", 1)])
def test_a_webhook_that_was_cut_off_comes_again_as_the_same_event(
    deployment: Deployment, point: str, heard_before: int
) -> None:
    with deployment.fresh(-10):
        session = deployment.opens()
        deployment.picks(session)
    deployment.ledger.pay(deployment.ledger.orders()[0].out_trade_no)
    with deployment.worker(crash_at=point) as worker:
        assert killed(worker)
    assert len(deployment.inbox.heard) == heard_before

    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        assert len(deployment.inbox.heard) == heard_before + 1
        assert len({request.headers["webhook-id"] for request in deployment.inbox.heard}) == 1
        assert {event["data"]["id"] for event in deployment.heard()} == {session["id"]}
        deployment.assert_nothing_lost_or_doubled(instance)


def test_a_session_that_was_cut_off_is_opened_once(deployment: Deployment) -> None:
    order = deployment.order()
    with deployment.web(crash_at="key.before_commit") as web:
        with pytest.raises(requests.ConnectionError):
            deployment.api("POST", "checkout-sessions", order, key="first")
        assert killed(web)

    with deployment.fresh() as instance:
        answers = [deployment.api("POST", "checkout-sessions", order, key="first") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].content == answers[1].content
        with deployment.books(instance) as db:
            assert db.scalar(select(func.count()).select_from(CheckoutSession)) == 1


def test_an_expiry_that_was_cut_off_is_finished(deployment: Deployment) -> None:
    with deployment.fresh(-3600):
        session = deployment.opens()
    with deployment.worker(crash_at="session.closing") as worker:
        assert killed(worker)

    with deployment.fresh(AFTER_THE_LEASE) as instance:
        instance.works()
        assert deployment.status(session) == "expired"
        assert [event["type"] for event in deployment.heard()] == ["checkout_session.expired"]
        deployment.assert_nothing_lost_or_doubled(instance)
