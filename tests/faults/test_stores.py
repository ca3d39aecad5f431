"""F23, F43 and F44: the database is away, or the answer of COMMIT is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from checkout.services.enquiries import enquire_next
from checkout.store.models import CheckoutSession, GatewayWord, Refund
from tests.databases import PostgresServer
from tests.faults.fragile import (
    COMMIT,
    all_goes_well,
    count_of,
    far,
    fragile,
    in_vain,
    is_ready,
    nobody_is_served,
    proxy,
    server,
)
from tests.proxy import FaultProxy
from tests.stories.cast import World

__all__ = ["far", "fragile", "proxy", "server"]


# --- F23, F43: it is away


def test_f23_a_notification_that_cannot_be_stored_is_not_acknowledged(fragile: World, server: PostgresServer) -> None:
    world, bo = fragile, fragile.merchant()
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    server.stop()
    try:
        assert world.notifies() == [503]
        assert world.notifies() == []  # it comes again after minutes, for 24 hours
    finally:
        server.start()
    world.clock.now += timedelta(minutes=2)
    assert world.notifies() == [200]
    assert count_of(world, GatewayWord) == 2  # the answer to the order, and the notification
    world.works()
    assert bo.reads(session)["status"] == "paid"


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_f43_a_database_that_is_away_is_told_at_once_and_its_return_needs_nobody(
    fragile: World, server: PostgresServer, end: str
) -> None:
    world, bo = fragile, fragile.merchant()
    ada = world.shopper(bo.opens())
    all_goes_well(world, bo)  # the pool is full of connections that will be dead
    getattr(server, end)()
    try:
        nobody_is_served(world, bo, ada)
        in_vain(lambda: ada.asks("GET", ada.path))
        in_vain(lambda: ada.asks("GET", f"{ada.path}/status"))
        assert is_ready(world) == (503, "unreachable")
        assert world.app.test_client().get("/healthz").status_code == 200
    finally:
        server.start()
    assert is_ready(world) == (200, None)
    assert ada.picks("alipay_hk").status_code == 303
    all_goes_well(world, bo)


def test_f43_a_restart_between_two_requests_is_not_noticed(fragile: World, server: PostgresServer) -> None:
    world, bo = fragile, fragile.merchant()
    all_goes_well(world, bo)
    server.crash()
    server.start()
    all_goes_well(world, bo)  # not one request meets a dead connection


# --- F44: the answer of COMMIT is lost


@contextmanager
def lost_commit(proxy: FaultProxy, *, skip: int = 0) -> Iterator[None]:
    trap = proxy.cut_answer_after(COMMIT, skip=skip)
    yield
    assert trap.sprung.is_set(), "there was no such COMMIT"


def test_f44_with_a_key_a_session_is_opened_once_and_its_merchant_hears_so(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    with lost_commit(proxy):
        answer = bo.api("POST", "/v1/checkout-sessions", bo.order(), Idempotency_Key="one")
    assert answer.status_code == 201
    again = bo.api("POST", "/v1/checkout-sessions", bo.order(), Idempotency_Key="one")
    assert (again.status_code, again.data) == (201, answer.data)
    assert count_of(far, CheckoutSession) == 1


def test_f44_without_a_key_the_merchant_is_told_that_nobody_knows(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    with lost_commit(proxy):
        answer = in_vain(lambda: bo.api("POST", "/v1/checkout-sessions", bo.order()))
    assert "may have been done" in answer.text
    assert count_of(far, CheckoutSession) == 1  # and nobody knows its address, so nobody pays it


def test_f44_a_shopper_gets_her_code_whichever_commit_is_cut(far: World, proxy: FaultProxy) -> None:
    """At once where we find our own row again; else she is told to press again, and by then the sweep has found it."""
    bo = far.merchant()
    for cut in range(100):
        session = bo.opens()
        ada = far.shopper(session)
        trap = proxy.cut_answer_after(COMMIT, skip=cut)
        answer = ada.picks("alipay_hk")
        if not trap.sprung.is_set():
            break
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]
            far.passes(40)
            ada.picks("alipay_hk")
        assert ada.stage() == "scan"
        far.clock.now += timedelta(minutes=1)
    assert cut >= 5
    proxy.trap = None
    sent = [call.params["out_trade_no"] for call in far.ledger.calls("/trade/v1/payment")]
    assert len(sent) == len(set(sent))


def test_f44_a_notification_is_stored_once_and_acknowledged(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    session = bo.opens()
    far.shopper(session).picks("alipay_hk")
    far.pays(session)
    with lost_commit(proxy):
        assert far.notifies() == [200]
    assert count_of(far, GatewayWord) == 2
    far.passes(3)
    assert bo.reads(session)["status"] == "paid"


def test_f44_a_refund_is_reserved_once(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    session = bo.opens()
    far.shopper(session).picks("alipay_hk")
    far.pays(session)
    far.passes(3)
    path = f"/v1/checkout-sessions/{session['id']}/refunds"
    with lost_commit(proxy):
        answer = bo.api("POST", path, {"amount": 100}, Idempotency_Key="back")
    assert answer.status_code == 201
    assert bo.api("POST", path, {"amount": 100}, Idempotency_Key="back").data == answer.data
    assert count_of(far, Refund) == 1
    far.passes(3)
    assert bo.reads(session)["amount_refunded"] == 100


def test_f44_a_session_is_cancelled_once(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    session = bo.opens()
    with lost_commit(proxy):
        assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    assert bo.reads(session)["status"] == "cancelled"
    far.passes(2)
    assert [news["type"] for news in bo.heard()] == ["checkout_session.cancelled"]


def test_f44_i_have_paid_is_heard(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    session = bo.opens()
    ada = far.shopper(session)
    ada.picks("alipay_hk")
    with lost_commit(proxy):
        assert ada.says_paid().status_code == 303
    assert far.attempt(session).next_at


def test_f44_an_answer_whose_storing_was_cut_off_needs_no_person(far: World, proxy: FaultProxy) -> None:
    bo = far.merchant()
    session = bo.opens()
    far.shopper(session).picks("alipay_hk")
    far.pays(session)
    far.clock.now += timedelta(seconds=3)
    booking: list[bool] = []

    @event.listens_for(far.parts.engine, "before_cursor_execute")
    def _(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO payment") and not booking:
            booking.append(True)
            proxy.cut_answer_after(COMMIT)

    enquire_next(far.asking)
    far.passes(60)
    assert booking
    assert bo.reads(session)["status"] == "paid"
    assert far.row(session).review is None
