"""F40 to F42: refunds that are refused, made by hand in the portal, or on their way beside others."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from checkout.gateway.client import Record
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.portal_refunds import hear_refunds
from checkout.services.reconciling import reconcile_day
from checkout.services.returning import move_next_refund
from checkout.store.models import Merchant as MerchantRow
from sandbox import portal_refund
from tests.faults.money_back import at_once, goes_back, paid, watched_books
from tests.faults.test_refunds import assert_once, sendings
from tests.hostile.tricks import gateway_refuses
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import REFUND, asks, pay, read

__all__ = ["paid"]


# --- F40


@pytest.mark.parametrize("wall", ["23:30:00", "23:59:59", "00:00:00", "00:29:59"])
def test_f40_at_night_a_refund_waits_until_five_past_half(world: World, bo: Merchant, wall: str) -> None:
    day = "2026-03-11" if wall < "12" else "2026-03-10"
    world.clock.now = datetime.fromisoformat(f"{day}T{wall}+08:00")
    asked = asks(bo, pay(world, bo), amount=3000)
    assert read(bo, asked)["status"] == "pending"
    world.passes(70 * 60, step=30)
    assert [f"{call.at.astimezone(world.clock.now.tzinfo):%H:%M}" for call in sendings(world)] == ["00:35"]
    assert_once(world, bo, asked, 3000)


def test_f40_one_that_reaches_the_night_on_its_way_waits_as_well(world: World, bo: Merchant) -> None:
    world.clock.now = datetime.fromisoformat("2026-03-10T23:24:50+08:00")
    asked = asks(bo, pay(world, bo), amount=3000)
    gateway_refuses(world, REFUND, "1265", times=1, takes=timedelta(seconds=20))
    world.works()
    told = read(bo, asked)
    assert (told["status"], told["waits_until"]) == ("pending", "2026-03-10T16:35:00.000Z")
    world.passes(72 * 60, step=30)
    assert_once(world, bo, asked, 3000)


@pytest.mark.parametrize("code", ["1265", "1270", "1271"])
def test_f40_what_is_refused_for_good_is_told_and_gives_its_reserve_back(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    """1265 by day says that the window for refunds is over."""
    gateway_refuses(world, REFUND, code)
    asked = asks(bo, paid, amount=3000)
    world.passes(3600, step=30)
    told = read(bo, asked)
    assert (told["status"], told["failure"], len(sendings(world))) == ("failed", {"code": code}, 0)
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid", "refund.failed"]
    assert asks(bo, paid, "again").status_code == 201
    assert world.violations() == []


def test_f40_more_than_can_be_refunded_is_looked_at_because_the_ledgers_disagree(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    gateway_refuses(world, REFUND, "1272")
    asked = asks(bo, paid, amount=3000)
    world.passes(30)
    assert read(bo, asked)["status"] == "failed"
    assert bo.reads(paid)["review"] is True
    assert world.violations() == []


def test_f40_empty_takings_are_tried_again_daily(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    gateway_refuses(world, REFUND, "1269", times=6)
    asked = asks(bo, paid, amount=3000)
    world.passes(5 * 86400, step=3600)
    assert read(bo, asked)["status"] == "pending"
    world.passes(2 * 86400, step=3600)
    assert_once(world, bo, asked, 3000)


def test_f40_after_a_week_of_empty_takings_a_person_looks(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    gateway_refuses(world, REFUND, "1269")
    asked = asks(bo, paid, amount=3000)
    world.passes(6.9 * 86400, step=3600)
    assert (read(bo, asked)["status"], bo.reads(paid)["review"]) == ("pending", False)
    world.passes(2 * 86400, step=3600)
    assert bo.reads(paid)["review"] is True
    assert world.violations() == []


# --- F41


def by_hand(world: World, session: dict[str, Any], amount: int, out_trade_no: str | None = None) -> Any:
    number = world.attempt(session).out_trade_no
    return portal_refund(world.ledger, number, amount, out_trade_no=out_trade_no)


def night_passes(world: World, bo: Merchant) -> None:
    day = date(2026, 3, 10)
    world.clock.now = datetime.fromisoformat("2026-03-11T01:30:00+08:00")
    reconcile_day(world.asking, bo.told.merchant_id, day, patience=lambda _: None)


def test_f41_a_refund_made_in_the_portal_is_found_at_night_booked_and_told(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    record = by_hand(world, paid, 3000)
    assert world.notifies() == [200, 200]  # the payment's, and one about a number that nobody here knows
    night_passes(world, bo)
    world.works()
    [refund] = bo.reads(paid)["refunds"]
    assert (refund["amount"], refund["cause"], refund["status"], refund["syssn"]) == (
        3000, "portal", "succeeded", record.syssn,
    )  # fmt: skip
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid", "refund.succeeded"]
    night_passes(world, bo)
    assert len(bo.reads(paid)["refunds"]) == 1
    assert world.violations() == []


def records_of(world: World, bo: Merchant, numbers: list[str]) -> tuple[Record, ...]:
    with world.parts.sessions() as db:
        gateway = world.parts.gateways.of(db.get_one(MerchantRow, bo.told.merchant_id))
    return gateway.enquire(numbers, None).records


def test_f41_an_enquiry_that_lists_it_finds_it_too(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    number = world.attempt(paid).out_trade_no
    record = by_hand(world, paid, 3000, out_trade_no=number)
    world.clock.now += timedelta(seconds=3)  # sooner it would be found too quick
    asks(bo, paid, amount=1000)
    world.passes(10)
    records = records_of(world, bo, [number, *[call.params["out_trade_no"] for call in sendings(world)]])
    assert sorted(one.kind for one in records) == ["payment", "refund", "refund"]
    for expected in (True, False):
        with world.parts.sessions() as db:
            heard = hear_refunds(db, world.parts.terms, bo.told.merchant_id, records, world.clock())
            db.commit()
        assert heard is expected
    told = bo.reads(paid)
    assert {one["cause"]: (one["amount"], one["syssn"]) for one in told["refunds"]}["portal"] == (3000, record.syssn)
    assert (len(told["refunds"]), told["amount_refunded"]) == (2, 4000)
    assert world.violations() == []


def test_f41_found_by_several_at_once_it_is_booked_once(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    number = world.attempt(paid).out_trade_no
    for _ in range(3):
        by_hand(world, paid, 1000)
    world.clock.now = datetime.fromisoformat("2026-03-11T01:30:00+08:00")

    def night() -> Any:
        return reconcile_day(world.asking, bo.told.merchant_id, date(2026, 3, 10), patience=lambda _: None)

    with watched_books(world):
        *nights, _ = at_once([night] * 4 + [lambda: asks(bo, paid, "rest", amount=100)])
    assert {one.trouble for one in nights} == {None}
    assert {found.kind for one in nights for found in one.differences} == {"refund_not_booked"}
    assert sorted(one["amount"] for one in bo.reads(paid)["refunds"]) == [100, 1000, 1000, 1000]
    assert len(records_of(world, bo, [number])) == 1
    assert world.violations() == []


# --- F42


def paid_twice(world: World, bo: Merchant) -> dict[str, Any]:
    """Two codes of one session, both paid and booked: one is accepted, the other's way back is queued and not sent."""
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    world.clock.now += timedelta(seconds=3)
    while enquire_next(world.asking):
        pass
    assert sorted(one["role"] for one in bo.reads(session)["payments"]) == ["accepted", "surplus"]
    assert sendings(world) == []
    return session


def several(world: World, number: int) -> list[Asking]:
    """Workers that know nothing of each other but what the database says."""
    own = world.refunding
    return [Asking(own.reading, own.sessions, own.gateways, own.terms, own.clock, Lanes()) for _ in range(number)]


def test_f42_refunds_and_the_way_back_of_a_surplus_run_at_once_and_one_by_one_for_each_payment(
    world: World, bo: Merchant
) -> None:
    session = paid_twice(world, bo)
    calling: Counter[str] = Counter()
    busiest: Counter[str] = Counter()
    gateway, lock = world.sandbox.wsgi_app, threading.Lock()

    def counts(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != REFUND:
            return gateway(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"].seek(0)
        syssn = next(part for part in body.decode().split("&") if part.startswith("syssn="))
        with lock:
            calling[syssn] += 1
            busiest[syssn] = max(busiest[syssn], calling[syssn])
        try:
            return gateway(environ, start_response)
        finally:
            with lock:
                calling[syssn] -= 1

    world.sandbox.wsgi_app = counts  # type: ignore[method-assign]
    acts: list[Callable[[], Any]] = [
        lambda n=n: asks(bo, session, f"key-{n}", amount=2000).status_code  # type: ignore[misc]
        for n in range(8)
    ]
    workers: list[Callable[[], Any]] = [partial(move_next_refund, own) for own in several(world, 4)]
    with watched_books(world):
        answers = at_once(acts + workers)
        assert Counter(answers[:8]) == {201: 4, 422: 4}
        for _ in range(12):
            world.clock.now += timedelta(seconds=2)
            at_once(workers)
    world.passes(60)
    assert sorted(goes_back(world).values()) == [(8800, 8000), (8800, 8800)]
    assert set(busiest.values()) == {1}
    by_payment: dict[str, list[datetime]] = {}
    for call in sendings(world):
        by_payment.setdefault(call.params["syssn"], []).append(call.at)
    for moments in by_payment.values():
        assert all(later - one >= timedelta(seconds=3) for one, later in zip(moments, moments[1:], strict=False))  # noqa: RUF007
    assert world.violations() == []


def test_f42_a_hand_in_the_portal_is_quicker_than_the_way_back_of_a_surplus(world: World, bo: Merchant) -> None:
    """Neither ledger ever gives more than came, and a person is called."""
    world.clock.now = datetime.fromisoformat("2026-03-10T23:26:00+08:00")  # what goes back by itself waits for the day
    session = paid_twice(world, bo)
    [surplus] = [one for one in bo.reads(session)["payments"] if one["role"] == "surplus"]
    portal_refund(world.ledger, surplus["out_trade_no"], 3000)
    with watched_books(world):
        world.passes(75 * 60, step=30)
        reconcile_day(world.asking, bo.told.merchant_id, date(2026, 3, 10), patience=lambda _: None)
    assert bo.reads(session)["review"] is True
    assert sorted(goes_back(world).values()) == [(8800, 0), (8800, 3000)]
    back = {(one["cause"], one["status"]) for one in bo.reads(session)["refunds"]}
    assert back == {("surplus", "failed"), ("portal", "succeeded")}
    assert world.violations() == []
