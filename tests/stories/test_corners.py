"""Corners that no ordinary day leads to."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from checkout import crash_points
from checkout.domain.refunding import MOST_TRIES
from checkout.domain.signing import sign_notification
from checkout.services.attempts import ATTEMPTS_IN_ALL
from checkout.services.breakers import MOST_FAULTS
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.refunds import book_done_refund
from checkout.services.returning import move_next_refund
from checkout.store.models import Merchant as MerchantRow
from checkout.store.models import Payment, Refund, TradeNo
from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_answers, mount
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_notifications import body_for, post, words
from tests.stories.test_refunds import REFUND, asks, pay, read

PAYMENT, ENQUIRY = "/trade/v1/payment", "/trade/v1/query"
KEY = "key-of-APP1"


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


def edits(world: World, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """From now on the gateway tells each record otherwise."""
    gateway_answers(world, ENQUIRY, lambda said: said | {"data": [edit(item) for item in said["data"]]})


def raises_once(point: str, error: Exception) -> Callable[[str], None]:
    """For crash_points.watched: the first who passes there meets this error."""
    errors = [error]

    def passed(name: str) -> None:
        if name == point and errors:
            raise errors.pop()

    return passed


def sent_back(world: World) -> list[int]:
    return [refund.amount for order in world.ledger.orders() for refund in order.refunds]


# --- payments


def test_a_checkout_that_was_tried_twenty_times_is_tried_no_more(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    for _ in range(ATTEMPTS_IN_ALL):
        world.next(Scenario.REFUSED_1104)
        ada.picks("alipay_hk")
        world.clock.now += timedelta(seconds=21)
    answer = ada.picks("alipay_hk")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3600")
    assert len(world.ledger.calls(PAYMENT)) == len(world.attempts(session)) == ATTEMPTS_IN_ALL
    assert bo.reads(session)["payments"] == []
    assert world.violations() == []


def test_a_surprise_about_one_payment_holds_up_no_other_and_is_got_over(world: World, bo: Merchant) -> None:
    sessions = [bo.opens(reference=f"A-{number}") for number in range(3)]
    for one in sessions:
        world.shopper(one).picks("alipay_hk")
        world.pays(one)
    world.clock.now += timedelta(seconds=3)
    with crash_points.watched(raises_once("payment.booked", RuntimeError("nobody thought of this"))):
        assert enquire_next(world.asking)
    assert sorted((told["status"], told["review"]) for told in map(bo.reads, sessions)) == [
        ("open", True), ("paid", False), ("paid", False),
    ]  # fmt: skip
    world.passes(10)
    assert [(told["status"], len(told["payments"])) for told in map(bo.reads, sessions)] == [("paid", 1)] * 3
    assert world.violations() == []


def test_books_that_fail_while_money_is_booked_make_nobody_look_and_lose_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    broken = OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))
    with crash_points.watched(raises_once("enquiry.before_commit", broken)), pytest.raises(OperationalError):
        enquire_next(world.asking)
    assert bo.reads(session)["payments"] == []
    world.passes(40)  # the lease ends
    told = bo.reads(session)
    assert (told["status"], told["review"], len(told["payments"])) == ("paid", False, 1)
    assert world.violations() == []


def test_money_without_a_name_is_looked_at_and_booked_once_it_has_one(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.LOST_ANSWER)
    ada.picks("alipay_hk")
    world.pays(session)
    edits(world, lambda item: item | {"syssn": ""})
    world.passes(20)
    told = bo.reads(session)
    assert (told["status"], told["review"], told["payments"]) == ("open", True, [])
    mount(world, world.sandbox)
    world.passes(20)
    told = bo.reads(session)
    assert (told["status"], told["review"], len(told["payments"])) == ("paid", True, 1)
    assert world.violations() == []


@pytest.mark.parametrize("change", [{"txamt": "8801"}, {"txcurrcd": "USD"}, {"pay_type": "801512"}])
def test_a_booked_payment_that_is_told_otherwise_later_stays_as_booked_and_is_looked_at(
    world: World, bo: Merchant, paid: dict[str, Any], change: dict[str, str]
) -> None:
    booked = bo.reads(paid)["payments"]
    edits(world, lambda item: item | change)
    world.passes(120)
    told = bo.reads(paid)
    assert (told["status"], told["review"], told["payments"]) == ("paid", True, booked)
    assert world.violations() == []


# How the gateway may tell of a payment so that nobody can be sure what it was.
UNSURE = {
    "long currency": {"txcurrcd": "HKDOLLAR"},
    "long number": {"syssn": "9" * 80},
    "no amount": {"txamt": ""},
    "amount in major units": {"txamt": "88.00"},
}


@pytest.mark.parametrize("odd", UNSURE.values(), ids=UNSURE)
def test_money_that_is_told_oddly_is_not_guessed_and_is_booked_when_it_is_told_well(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], odd: dict[str, str]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    edits(world, lambda item: item | odd)
    world.passes(10)
    told = bo.reads(session)
    assert (told["status"], told["review"], told["payments"]) == ("open", True, [])
    mount(world, world.sandbox)
    world.passes(20)
    told = bo.reads(session)
    assert (told["status"], told["review"], [one["amount"] for one in told["payments"]]) == ("paid", True, [8800])
    assert world.violations() == []


def test_a_record_without_a_name_has_the_name_that_its_own_order_was_given(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    edits(world, lambda item: item | {"syssn": ""})
    world.passes(10)
    mount(world, world.sandbox)
    world.passes(120)  # and with its name it is the same payment
    told = bo.reads(session)
    assert (told["status"], told["review"], len(told["payments"])) == ("paid", False, 1)
    assert told["payments"][0]["syssn"] == world.attempt(session).syssn
    assert world.violations() == []


def test_one_payment_of_the_gateway_pays_one_order(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    syssn = bo.reads(paid)["payments"][0]["syssn"]
    other = bo.opens(reference="A-1002")
    world.shopper(other).picks("alipay_hk")
    world.pays(other)
    edits(world, lambda item: item | {"syssn": syssn})
    world.passes(10)
    told = bo.reads(other)
    assert (told["status"], told["review"], told["payments"]) == ("open", True, [])
    assert bo.reads(paid)["review"] is False
    assert world.violations() == []


@pytest.mark.parametrize("answered", [True, False], ids=["processing for ever", "no answer"])
def test_a_code_whose_story_has_no_end_expires_never_is_asked_about_and_looked_at_after_a_day(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], answered: bool
) -> None:
    ada.picks("alipay_hk")
    if answered:
        processing = json.loads(body_for(world.attempt(session).out_trade_no, respcd="1145"))
        gateway_answers(world, ENQUIRY, lambda said: said | {"data": [processing]})
    else:
        world.ledger.inject(ENQUIRY, Trouble.HTML, 1000)  # an answer, so that no breaker opens, and none at all
    ends_at = world.attempt(session).ends_at
    pauses = []
    for since in (1, 120, 4000, 25 * 3600):
        world.clock.now = ends_at + timedelta(seconds=since)
        world.works()
        due = world.attempt(session).next_at
        assert due is not None
        pauses.append((due - world.clock.now).total_seconds())
    assert pauses == [60, 60, 1800, 86400]
    assert (bo.reads(session)["status"], bo.reads(session)["review"]) == ("open", True)
    mount(world, world.sandbox)
    with world.ledger.store.writing() as db:
        db.execute("DELETE FROM fault")
    world.pays(session)
    world.passes(90000, step=3600)
    assert [payment["amount"] for payment in bo.reads(session)["payments"]] == [8800]
    assert world.violations() == []


def test_a_payment_waits_for_a_key_that_cannot_be_opened(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    mend = locked_up(world, bo)
    world.passes(30)
    assert (world.enquiries(), bo.reads(session)["status"]) == (0, "open")
    mend()
    world.passes(60)
    assert bo.reads(session)["status"] == "paid"
    assert world.violations() == []


def test_a_notice_for_a_number_that_our_books_have_lost_is_kept_and_moves_nothing(
    world: World, bo: Merchant, session: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with world.parts.sessions() as db:
        row = TradeNo(number="Lost1", kind="lost", owner_id="df_1", created_at=world.clock())
        row.merchant_id = bo.told.merchant_id
        db.add(row)
        db.commit()
    body = body_for("Lost1")
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    assert words(world) == [("Lost1", False)]
    assert "notification for an unknown number" in caplog.text
    assert bo.reads(session)["payments"] == []
    assert world.violations() == []


# --- refunds


def locked_up(world: World, bo: Merchant) -> Callable[[], None]:
    """SECRET_KEY no longer opens Bo's client key; what is returned mends it."""
    with world.parts.sessions() as db:
        sealed = db.get_one(MerchantRow, bo.told.merchant_id).client_key_sealed

    def put(value: bytes) -> None:
        with world.parts.sessions() as db:
            db.execute(update(MerchantRow).values(client_key_sealed=value))
            db.commit()

    put(b"x" * 60)
    return lambda: put(sealed)


@pytest.mark.parametrize("on_its_way", [False, True], ids=["queued", "on its way"])
def test_a_refund_waits_for_a_key_that_cannot_be_opened(world: World, bo: Merchant, on_its_way: bool) -> None:
    session = pay(world, bo, Scenario.REFUND_PROCESSING if on_its_way else None)
    answer = asks(bo, session, amount=3000)
    if on_its_way:
        world.works()
    mend = locked_up(world, bo)
    calls = len(world.ledger.calls(REFUND))
    for _ in range(10):
        world.clock.now += timedelta(seconds=10)
        move_next_refund(world.refunding)
    assert (read(bo, answer)["status"], len(world.ledger.calls(REFUND))) == ("pending", calls)
    mend()
    world.passes(3700, step=60)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_a_refund_is_not_sent_to_a_gateway_that_is_known_to_be_dead(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    other = bo.opens(reference="A-1002")
    world.shopper(other).picks("alipay_hk")
    world.ledger.inject(ENQUIRY, Trouble.DROP, MOST_FAULTS)
    world.passes(40)  # its fifth silence opens the breaker for half a minute
    asked = len(world.ledger.calls(ENQUIRY))
    answer = asks(bo, paid, amount=3000)
    assert move_next_refund(world.refunding)
    assert (len(world.ledger.calls(ENQUIRY)), world.ledger.calls(REFUND)) == (asked, [])
    world.passes(60)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_a_refund_that_was_not_sent_is_sent_and_costs_none_of_its_tries(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_429, 1)
    answer = asks(bo, paid, amount=3000)
    assert move_next_refund(world.refunding)
    with world.parts.sessions() as db:
        refund = db.scalars(select(Refund)).one()
        assert (refund.status, refund.tries) == ("reserved", 0)
    world.passes(30)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_a_notice_about_a_refund_that_no_enquiry_finds_does_not_have_it_sent_sooner(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.DROP, 1)  # it never arrived
    answer = asks(bo, paid, amount=3000)
    world.passes(10)
    sent = len(world.ledger.calls(REFUND))
    body = body_for(read(bo, answer)["out_trade_no"], notify_type="refund", txamt="3000")
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
    asked = world.enquiries()
    world.passes(60)
    assert world.enquiries() > asked
    assert (len(world.ledger.calls(REFUND)), sent_back(world)) == (sent, [])
    world.passes(6 * 60, step=5)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_a_refund_that_the_gateway_forgets_eight_times_is_sent_no_more_and_looked_at(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTML, 100)
    answer = asks(bo, paid, amount=3000)
    world.passes(2 * 3600, step=20)
    assert (read(bo, answer)["status"], bo.reads(paid)["review"]) == ("pending", True)
    assert len({call.params["out_trade_no"] for call in world.ledger.calls(REFUND)}) == 1
    with world.parts.sessions() as db:
        refund = db.scalars(select(Refund)).one()
        assert refund.tries == MOST_TRIES == 8
        assert refund.next_at
        assert timedelta(hours=22) < refund.next_at - world.clock.now <= timedelta(days=1), "once a day from now on"
        assert db.scalars(select(Payment.refunded)).one() == 3000  # it may have gone back all the same
    assert world.violations() == []


def test_a_refund_that_two_have_found_done_is_told_once(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answer = asks(bo, paid, amount=3000)
    world.works()
    with world.parts.sessions() as db:
        refund = db.get_one(Refund, read(bo, answer)["id"])
        assert not book_done_refund(db, world.parts.terms, refund, "another", world.clock())
        db.rollback()
    world.works()
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid", "refund.succeeded"]
    with world.parts.sessions() as db:
        assert db.scalars(select(Payment.refunded)).one() == 3000
    assert world.violations() == []


def test_who_wakes_up_late_does_not_stir_a_refund_that_is_over(world: World, bo: Merchant) -> None:
    """An enquiry stands still for longer than its lease; meanwhile another process asks, and hears that it is done."""
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session)
    world.passes(6)
    assert read(bo, answer)["status"] == "pending"
    gateway, joined = world.sandbox.wsgi_app, world.parts
    another = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, world.clock, Lanes())

    def stands_still(environ: Any, start_response: Any) -> Any:
        stale = gateway(environ, start_response)
        if environ["PATH_INFO"] == ENQUIRY:
            world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
            world.clock.now += timedelta(seconds=90)
            assert move_next_refund(another)
        return stale

    with joined.sessions() as db:
        due = db.get_one(Refund, answer.json["id"]).next_at  # type: ignore[index]
    assert due is not None
    world.clock.now = max(world.clock.now, due)
    world.sandbox.wsgi_app = stands_still  # type: ignore[method-assign]
    assert move_next_refund(world.refunding)
    assert read(bo, answer)["status"] == "succeeded"
    assert world.violations() == []
