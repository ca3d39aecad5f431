"""Where two parts meet that do not know each other: a try in flight and a command, two reasons for one flag."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Request, Response

from checkout import crash_points
from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.services.deliveries import Crew, deliver_next
from checkout.services.enquiries import Lanes, enquire_next
from checkout.services.returning import move_next_refund
from checkout.services.reviews import give_back_what_is_held
from checkout.store.models import Event, GatewayWord, Payment, Refund
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import Difference
from sandbox import Scenario, portal_refund
from tests.faults.shops import cancels, command, deliveries, path_of, statuses
from tests.faults.test_restored import recovers
from tests.hostile.tricks import gateway_answers, gateway_refuses, mount
from tests.stories.cast import Inbox, Merchant, World
from tests.stories.nights import QUERY, later, reconciles, rows
from tests.stories.test_dead_gateway import PAY, dies, lives
from tests.stories.test_refunds import REFUND, asks, pay, read

# A webhook in flight, and the operator who enables the endpoint meanwhile


@contextmanager
def while_in_flight(world: World, bo: Merchant, status: int) -> Iterator[None]:
    """Inside, Bo's endpoint has heard a try, and has not answered it yet; then it answers with this status."""
    asked, act = threading.Event(), threading.Event()

    def endpoint(environ: Any, start_response: Any) -> Any:
        Request(environ).get_data()
        asked.set()
        act.wait(10)
        return Response(status=status)(environ, start_response)

    where = path_of(world, bo)
    world.inboxes[where] = endpoint  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(world.works)
        try:
            assert asked.wait(10)
            yield
        finally:
            world.inboxes[where] = bo.inbox
            act.set()
            working.result()


@pytest.mark.parametrize("moved", [False, True])
def test_the_last_try_that_fails_does_not_bury_what_was_queued_again(world: World, bo: Merchant, moved: bool) -> None:
    bo.inbox.answers = [500] * 9
    cancels(bo)
    for _ in range(8):
        world.works()
        world.clock.now = max(deliveries(world)[0].next_at or world.clock.now, world.clock.now)
    while deliveries(world)[0].tries < 9:
        world.clock.now = max(deliveries(world)[0].next_at or world.clock.now, world.clock.now)
        world.works()
    world.clock.now = max(deliveries(world)[0].next_at or world.clock.now, world.clock.now)
    where = f"/new/{id(world)}"
    url = ["--url", world.hooks.url + where] if moved else []
    world.inboxes[where] = Inbox()
    try:
        with while_in_flight(world, bo, 500):
            assert "1 deliveries" in command(world, "enable-webhook", bo.told.merchant_id, *url).output
        world.works()
        assert statuses(world) == ["done"]
    finally:  # so that the audit finds nothing else
        command(world, "enable-webhook", bo.told.merchant_id, "--since", "2026-03-01")
        world.works()


def test_a_410_from_before_does_not_undo_what_the_operator_has_just_enabled(world: World, bo: Merchant) -> None:
    cancels(bo)
    try:
        with while_in_flight(world, bo, 410):
            command(world, "enable-webhook", bo.told.merchant_id)
        world.works()
        with world.parts.sessions() as db:
            assert db.get_one(MerchantRow, bo.told.merchant_id).webhook_gone_at is None
        assert statuses(world) == ["done"]
    finally:
        command(world, "enable-webhook", bo.told.merchant_id)
        world.works()


def test_what_the_old_address_says_late_is_not_said_by_the_new_one(world: World, bo: Merchant) -> None:
    cancels(bo)
    where, moved = f"/new/{id(world)}", Inbox()
    world.inboxes[where] = moved
    with while_in_flight(world, bo, 204):
        command(world, "enable-webhook", bo.told.merchant_id, "--url", world.hooks.url + where)
    world.works()
    assert statuses(world) == ["done"]
    assert len(moved.heard) == 1


@pytest.mark.parametrize("status", [410, 500])
def test_a_late_answer_is_not_taken_for_that_of_the_same_try_after_a_new_beginning(
    world: World, bo: Merchant, status: int
) -> None:
    """Enabled again, the tries count from one again: the number alone does not tell the two first tries apart."""
    cancels(bo)
    where = path_of(world, bo)
    with while_in_flight(world, bo, status):
        command(world, "enable-webhook", bo.told.merchant_id)
        world.clock.now += timedelta(seconds=1)
        world.inboxes[where] = Inbox(answers=[503])
        other = replace(world.posting, lanes=Lanes(), crew=Crew())
        while deliver_next(other):
            pass
        [before] = deliveries(world)
        assert (before.tries, before.answer_status) == (1, 503)
    [after] = deliveries(world)
    assert (after.status, after.next_at, after.answer_status) == ("due", before.next_at, 503)
    with world.parts.sessions() as db:
        assert db.get_one(MerchantRow, bo.told.merchant_id).webhook_gone_at is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_news_written_while_its_merchant_moves_goes_to_the_new_address(world: World, bo: Merchant) -> None:
    """On SQLite the move waits for the news, or the news for the move: it has one writer."""
    session = bo.opens()
    where, moved = f"/new/{id(world)}", Inbox()
    world.inboxes[where] = moved

    def moves(point: str) -> None:
        if point == "cancel.before_commit":
            told = command(world, "enable-webhook", bo.told.merchant_id, "--url", world.hooks.url + where)
            assert "0 deliveries" in told.output, "not seen yet"

    with crash_points.watched(moves):
        assert world.shopper(session).cancels().status_code == 303
    world.works()
    assert statuses(world) == ["done"]
    assert (len(moved.heard), len(bo.inbox.heard)) == (1, 0)


# One flag for several reasons


def test_a_portal_refund_that_is_found_does_not_hide_a_surplus_that_is_still_here(world: World, bo: Merchant) -> None:
    gateway_refuses(world, REFUND, "1269")
    session = bo.opens()
    world.next(Scenario.DOUBLE)
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=5)
    world.pays(session)
    world.passes(30)
    roles = sorted(payment["role"] for payment in bo.reads(session)["payments"])
    assert roles == ["accepted", "surplus"]
    portal_refund(world.ledger, world.attempt(session).out_trade_no, 8800)  # of the accepted one, under its own number
    world.passes(300, step=5)
    assert bo.reads(session)["review_reason"] == "returned_elsewhere"
    gateway_refuses(world, REFUND, "1270")
    world.passes(86400, step=3600)
    world.passes(900, step=15)  # it was sent before: two enquiries must miss it
    [surplus] = rows(world, Refund, cause="surplus")
    assert surplus.status == "failed"
    reconciles(world, bo)
    try:
        assert world.violations() == []
        assert bo.reads(session)["review"]
    finally:
        mount(world, world.sandbox)
        with world.parts.sessions() as db:
            give_back_what_is_held(db, world.parts.terms, session["id"], reason="tidy", now=world.clock())
        world.passes(30)


# The audit, while a restored backup is being brought up to date


def test_the_audit_is_silent_while_recovered_refunds_are_asked_about(world: World, bo: Merchant) -> None:
    answer = asks(bo, pay(world, bo))
    assert recovers(world, world.clock())["refunds_held"] == 1
    try:
        assert world.violations() == []
    finally:
        world.passes(900, step=15)
        assert read(bo, answer)["status"] == "succeeded"


# The breaker and a clock that is set back


def test_a_clock_that_is_set_back_does_not_keep_the_breaker_open(world: World, bo: Merchant) -> None:
    world.shopper(bo.opens()).picks("alipay_hk")
    dies(world)
    world.passes(120, step=2)
    world.clock.now -= timedelta(hours=6)
    lives(world)
    later(world, minutes=5)
    cay = world.shopper(bo.opens(reference="A-1002"))
    cay.picks("alipay_hk")
    assert cay.stage() == "scan"


def test_f13_the_audit_is_silent_after_a_clock_was_set_back(world: World, bo: Merchant) -> None:
    session = bo.opens()
    world.next(Scenario.REFUSED_1104)
    with time_machine.travel(world.clock.now, tick=True):
        world.shopper(session).picks("alipay_hk")
    world.clock.now -= timedelta(hours=6)
    with time_machine.travel(world.clock.now, tick=True):
        assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    world.clock.now += timedelta(hours=6)
    try:
        assert world.violations() == []
    finally:
        with world.parts.sessions() as db:
            db.execute(update(Event).values(created_at=world.clock.now))
            db.commit()


# Money that names no currency


def test_money_without_a_currency_can_be_sent_back(world: World, bo: Merchant) -> None:
    def without_currency(answer: dict[str, Any]) -> dict[str, Any]:
        for record in answer.get("data") or []:
            record.pop("txcurrcd", None)
        return answer

    gateway_answers(world, QUERY, without_currency)
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    assert [payment["role"] for payment in bo.reads(session)["payments"]] == ["mismatch"]
    with world.parts.sessions() as db:
        give_back_what_is_held(db, world.parts.terms, session["id"], reason="not ours", now=world.clock())
    for _ in range(5):
        try:
            world.passes(600, step=60)
        except ValueError:
            continue
    [refund] = rows(world, Refund)
    assert world.ledger.calls(REFUND), "it never left us"
    assert refund.status == "succeeded"


# Two merchants of one account


def test_merchants_of_one_app_code_are_no_difference_to_each_other(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Pots")
    with world.parts.sessions() as db:
        theirs, ours = db.get_one(MerchantRow, cy.told.merchant_id), db.get_one(MerchantRow, bo.told.merchant_id)
        theirs.app_code = ours.app_code
        theirs.client_key_sealed = world.parts.gateways.seal_key(theirs.id, f"key-of-{ours.app_code}")
        db.commit()
    asks(cy, pay(world, cy), amount=100)
    world.passes(10)
    with world.parts.sessions() as db:  # the agent's shop has a merchant number, and the agent itself has none
        db.execute(update(MerchantRow).where(MerchantRow.id == cy.told.merchant_id).values(mchid="SHOP1"))
        db.commit()
    later(world, hours=1)
    assert [(found.kind, found.out_trade_no) for found in reconciles(world, bo).open] == []


# A refund that the gateway refused, and made all the same


def test_what_went_back_after_a_refusal_cannot_be_asked_for_again(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    gateway_answers(world, REFUND, lambda answer: answer | {"respcd": "1294"})
    refused = asks(bo, session, amount=3000)
    world.passes(10)
    assert read(bo, refused)["status"] == "failed"
    later(world, hours=1)
    assert [found.kind for found in reconciles(world, bo).open] == ["refund_done_after_failure"]
    mount(world, world.sandbox)
    assert asks(bo, session, "r-2", amount=8800).status_code == 422, "3000 of it is not ours any more"


# A queue of refunds, and a shopper


def test_i25_a_long_queue_of_refunds_leaves_some_calls_to_shoppers(world: World) -> None:
    created = 0
    with world.parts.sessions() as db:
        for _ in range(600):
            world.clock.now += timedelta(milliseconds=100)
            while budgets.take(db, "gateway/APP", use=Use.REFUND, rate_per_minute=300, now=world.clock.now):
                pass
            created += budgets.take(db, "gateway/APP", use=Use.CREATE, rate_per_minute=300, now=world.clock.now)
    assert created


# The gateway's words


def test_the_words_that_open_a_review_of_a_portal_refund_are_kept(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no
    gateway_refuses(world, REFUND, "1269")
    asks(bo, session)
    world.passes(10)
    portal_refund(world.ledger, number, 8800, out_trade_no=number)
    before = len(rows(world, GatewayWord, source="enquiry"))
    world.passes(300, step=5)
    assert [found.kind for found in rows(world, Difference)] == ["refund_exceeds"]
    words = rows(world, GatewayWord, source="enquiry")
    with world.parts.sessions() as db:
        merge = [world.parts.vault.open(word.body_sealed, owner=f"gateway_word/{word.id}") for word in words]
        assert db.scalar(select(Payment.refunded)) == 8800
    assert len(words) > before
    assert any(b'"refund"' in body for body in merge)


# Whoever slept past a lease


@contextmanager
def asleep(world: World, path: str, work: Callable[[], object]) -> Iterator[None]:
    """Inside, somebody's first call of `path` is answered, and he has not noticed yet."""
    sleeps, wakes, sleeper = threading.Event(), threading.Event(), threading.Thread(target=work)

    def between(environ: Any, start_response: Any) -> Any:
        answer = Response.from_app(world.sandbox, environ)
        if environ["PATH_INFO"] == path and not sleeps.is_set():
            sleeps.set()
            wakes.wait(20)
        return answer(environ, start_response)

    mount(world, between)
    sleeper.start()
    try:
        assert sleeps.wait(10)
        yield
    finally:
        wakes.set()
        sleeper.join(20)


def fails(world: World, path: str) -> list[Request]:
    """From now on calls of this path do nothing and get HTTP 500; the calls."""
    calls: list[Request] = []

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != path:
            return world.sandbox(environ, start_response)
        calls.append(Request(environ))
        return Response(status=500)(environ, start_response)

    mount(world, between)
    return calls


def test_f36_an_answer_that_wakes_late_does_not_take_back_the_answer_after_the_end(world: World, bo: Merchant) -> None:
    fails(world, PAY)
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    later(world, seconds=4)
    with asleep(world, QUERY, lambda: enquire_next(world.asking)):
        later(world, minutes=40)
        other = replace(world.asking, lanes=Lanes())
        while enquire_next(other):
            pass
        closed = world.attempt(session)
        assert (closed.status, closed.answered_at) == ("closed", world.clock())
    try:
        assert world.violations() == []
        assert world.attempt(session).answered_at == closed.answered_at
    finally:
        world.passes(7200, step=60)


@pytest.mark.parametrize("another_hears", ["nothing of it", "no answer"])
def test_f36_what_a_late_answer_decides_has_its_question_in_the_books(
    world: World, bo: Merchant, another_hears: str
) -> None:
    """A worker sleeps past its lease; meanwhile another asks, and only the sleeper's answer knows of the money."""
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.passes(5)
    world.pays(session)
    later(world, minutes=1)
    its_question = world.clock()
    with asleep(world, QUERY, lambda: enquire_next(world.asking)):
        later(world, minutes=5)
        if another_hears == "no answer":
            fails(world, QUERY)
        else:
            gateway_answers(world, QUERY, lambda answer: answer | {"data": []})
        assert enquire_next(replace(world.asking, lanes=Lanes()))
        assert bo.reads(session)["status"] == "open"
    told = world.attempt(session)
    newest = its_question if another_hears == "no answer" else world.clock()
    assert (told.status, told.answered_at) == ("succeeded", newest)
    assert world.violations() == []


def test_f36_a_refund_that_is_on_its_way_is_nobody_elses_for_the_time_of_its_lease(world: World, bo: Merchant) -> None:
    asked = asks(bo, pay(world, bo))
    with asleep(world, REFUND, lambda: move_next_refund(world.refunding)):
        assert not move_next_refund(replace(world.refunding, lanes=Lanes()))
    assert read(bo, asked)["status"] == "succeeded"


def test_f36_not_found_from_before_does_not_count_for_a_refund_sent_since(world: World, bo: Merchant) -> None:
    asks(bo, pay(world, bo))
    sent = fails(world, REFUND)
    move_next_refund(world.refunding)
    later(world, seconds=5)
    other = replace(world.refunding, lanes=Lanes())
    with asleep(world, QUERY, lambda: move_next_refund(world.refunding)):
        sent = fails(world, REFUND)
        for seconds in (61, 301, 1):  # missed once, missed twice, sent again
            later(world, seconds=seconds)
            while move_next_refund(other):
                pass
        assert len(sent) == 1
    for _ in range(10):
        later(world, seconds=1)
        while move_next_refund(other):
            pass
    assert len(sent) == 1, "sent again within seconds: two enquiries, five minutes apart, must miss it first"


# The pool


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_pool_that_is_empty_for_a_moment_puts_nobody_under_review(world: World, bo: Merchant) -> None:
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    crowd: list[threading.Timer] = []

    def crowds(point: str) -> None:
        if point == "enquiry.answered" and not crowd:
            held = [world.parts.engine.connect() for _ in range(20)]

            def leave() -> None:
                for connection in held:
                    connection.close()

            crowd.append(threading.Timer(2.7, leave))
            crowd[0].start()

    world.clock.now += timedelta(seconds=4)
    with crash_points.watched(crowds), suppress(PoolTimeout):  # the worker's thread notes it, and goes on
        enquire_next(world.asking)
    crowd[0].join()
    world.passes(60)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"]) == ("paid", None)
