"""Two at once on PostgreSQL, in the worst order."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from checkout.domain.lifecycle import FINAL_SESSION, LIVE_ATTEMPT
from checkout.services import budgets
from checkout.services.sessions import cancel_session
from checkout.store.models import Budget
from tests.hostile.tricks import gateway_hooks, meanwhile
from tests.stories.cast import PHONE, Merchant, World


def cancels(world: World, session: dict[str, Any]) -> None:
    with world.parts.sessions() as db:
        cancel_session(db, world.parts.terms, session["id"], world.clock())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_session_that_ends_while_a_wallet_is_picked_has_no_code_that_can_be_paid(
    world: World, session: dict[str, Any]
) -> None:
    ada = world.shopper(session, PHONE)
    with meanwhile(world, "INSERT INTO trade_no", lambda: cancels(world, session)):
        ada.picks("alipay_hk")
    ended = world.row(session).status in FINAL_SESSION
    payable = [attempt for attempt in world.attempts(session) if attempt.status in LIVE_ATTEMPT]
    assert not (ended and payable), f"{world.row(session).status}, and {ada.answer and ada.answer.location} can be paid"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_another_wallet_picked_while_the_first_is_booked_as_paid_ends_in_no_deadlock(
    world: World, session: dict[str, Any]
) -> None:
    """Booking locks the session, then the attempt; picking locked the attempt, then the session."""
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    with meanwhile(world, "INSERT INTO payment", lambda: ada.picks("alipay")) as raised:
        world.works()
    assert raised == []
    assert ada.answer
    assert ada.answer.status_code == 303
    assert world.row(session).status == "paid"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_another_wallet_picked_while_the_shop_cancels_ends_in_no_deadlock(
    world: World, session: dict[str, Any]
) -> None:
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(3)
    world.clock.now += timedelta(seconds=3)
    with meanwhile(world, "INSERT INTO trade_no", lambda: cancels(world, session)) as raised:
        answer = ada.picks("alipay")
    assert raised == []
    assert answer.status_code == 303


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_burst_of_shoppers_is_not_refused_while_the_bucket_is_full(world: World) -> None:
    taken: list[bool] = []
    start = threading.Barrier(24)

    def one() -> None:
        with world.parts.sessions() as db:
            start.wait()
            taken.append(budgets.take(db, "a/b", use=budgets.Use.CREATE, rate_per_minute=300, now=world.clock()))

    with world.parts.sessions() as db:
        budgets.take(db, "a/b", use=budgets.Use.CREATE, rate_per_minute=300, now=world.clock())
    threads = [threading.Thread(target=one) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.parts.sessions() as db:
        db.execute(delete(Budget))
        db.commit()
    assert taken.count(False) == 0, f"{taken.count(False)} of 24 refused by a bucket with 59 calls left"


def test_a_shopper_is_not_sent_to_a_wallet_for_an_order_cancelled_meanwhile(
    world: World, bo: Merchant, session: dict[str, Any]
) -> None:
    ada = world.shopper(session, PHONE)
    gateway_hooks(world, "/trade/v1/payment", lambda _: bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel"))
    answer = ada.picks("alipay_hk")
    assert answer.location
    assert answer.location.endswith(f"/pay/{session['id']}")


def test_of_two_paid_within_one_enquiry_the_earlier_is_accepted(
    world: World, bo: Merchant, session: dict[str, Any]
) -> None:
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    ada.picks("alipay")
    earlier, later = (attempt.out_trade_no for attempt in reversed(world.attempts(session)))
    noon = world.clock.now
    world.ledger.pay(earlier, at=noon + timedelta(seconds=1))
    world.ledger.pay(later, at=noon + timedelta(seconds=2))
    world.passes(3, step=3)
    roles = {payment["out_trade_no"]: payment["role"] for payment in bo.reads(session)["payments"]}
    assert roles == {earlier: "accepted", later: "surplus"}
