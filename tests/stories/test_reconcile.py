"""Every night our books are held against the gateway's: what it knows and we do not is heard, all else is told."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import update

from checkout.store.models import GatewayWord, Payment, Refund, TradeNo
from checkout.store.oversight import Difference
from sandbox import portal_refund
from tests.stories.cast import Merchant, World
from tests.stories.nights import MUCH_LATER, TOMORROW_0130, change, later, pays_elsewhere, reconciles, rows, unwatched
from tests.stories.test_refunds import LOST, REFUSES, asks, does_the_next_refund_and_says, pay, read


def test_equal_books_have_no_difference(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    asks(bo, session, amount=1000)
    world.passes(10)
    later(world, hours=1)
    done = reconciles(world, bo)
    assert (done.payments, done.refunds, done.differences, done.trouble) == (1, 1, [], None)
    assert rows(world, Difference) == []


def test_a_payment_that_we_missed_is_heard_and_counts_as_put_right(world: World, bo: Merchant) -> None:
    session = unwatched(world, bo)
    world.pays(session)
    later(world, minutes=20)
    done = reconciles(world, bo)
    assert [(found.kind, found.resolution) for found in done.differences] == [
        ("payment_not_booked", "booked as accepted")
    ]
    assert done.clean
    assert bo.reads(session)["status"] == "paid"
    world.works()
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]
    assert reconciles(world, bo).differences == []


def test_what_is_younger_than_ten_minutes_is_left_to_the_enquiries(world: World, bo: Merchant) -> None:
    session = unwatched(world, bo)
    later(world, minutes=20)
    world.pays(session)
    later(world, minutes=9)
    done = reconciles(world, bo)
    assert (done.payments, done.differences) == (0, [])
    assert bo.reads(session)["status"] == "open"


def test_money_under_a_number_that_is_not_ours_is_kept_and_its_number_never_issued(world: World, bo: Merchant) -> None:
    pays_elsewhere(world, bo)
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.out_trade_no, found.amount, found.currency) == (
        "payment_unknown", "Elsewhere1", 4200, "HKD",
    )  # fmt: skip
    assert found.syssn == world.ledger.order("Elsewhere1").payments[0].syssn
    [number] = rows(world, TradeNo, number="Elsewhere1")
    assert (number.kind, number.owner_id) == ("lost", found.id)
    assert rows(world, GatewayWord, out_trade_no="Elsewhere1")


def test_an_amount_that_differs_puts_the_session_under_review(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no
    change(world, "UPDATE record SET amount = 8801 WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.details) == ("payment_differs", {"amount": [8801, 8800]})
    told = bo.reads(session)
    assert (told["status"], told["review"], told["review_reason"]) == ("paid", True, "payment_differs")


@pytest.mark.parametrize(("column", "value"), [("currency", "USD"), ("pay_type", "801512")])
def test_so_does_another_currency_or_pay_type(world: World, bo: Merchant, column: str, value: str) -> None:
    number = world.attempt(pay(world, bo)).out_trade_no
    change(world, f"UPDATE record SET {column} = :value WHERE out_trade_no = :number", value=value, number=number)  # noqa: S608 - ours
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, list(found.details)) == ("payment_differs", [column])


def test_a_payment_that_the_gateway_does_not_show_is_told(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no
    change(world, "DELETE FROM record WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.out_trade_no, found.amount) == ("payment_missing_at_gateway", number, 8800)
    assert bo.reads(session)["review"] is True
    assert bo.reads(session)["status"] == "paid"


def test_a_payment_that_the_gateway_takes_back_is_told_with_its_code(world: World, bo: Merchant) -> None:
    number = world.attempt(pay(world, bo)).out_trade_no
    change(world, "UPDATE record SET respcd = '1143' WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.details) == ("payment_missing_at_gateway", {"code": "1181"})


def test_a_record_filed_under_the_next_day_is_not_missing(world: World, bo: Merchant) -> None:
    world.clock.now = datetime.fromisoformat("2026-03-10T23:58:00+08:00")
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no
    with world.ledger.store.writing() as db:
        db.execute("UPDATE record SET sysdtm = sysdtm + 600 WHERE out_trade_no = ?", (number,))
    later(world, hours=2)
    assert reconciles(world, bo).differences == []
    assert reconciles(world, bo, date(2026, 3, 11)).differences == []


def test_at_the_end_of_a_month_both_days_are_whole(world: World, bo: Merchant) -> None:
    for at in ("2026-03-31T23:59:59+08:00", "2026-04-01T00:00:00+08:00"):
        world.clock.now = datetime.fromisoformat(at)
        pay(world, bo, reference=at)
    later(world, hours=2)
    for day in (date(2026, 3, 31), date(2026, 4, 1)):
        done = reconciles(world, bo, day)
        assert (done.payments, done.differences) == (1, [])


def test_a_refund_that_the_gateway_does_not_show_or_shows_otherwise_is_told(world: World, bo: Merchant) -> None:
    for n, statement in enumerate(("DELETE FROM record", "UPDATE record SET amount = 999")):
        session = pay(world, bo, reference=f"R-{n}")
        answer = asks(bo, session, f"r-{n}", amount=1000)
        world.passes(10)
        change(world, f"{statement} WHERE out_trade_no = :number", number=read(bo, answer)["out_trade_no"])
    later(world, hours=1)
    assert sorted(found.kind for found in reconciles(world, bo).open) == ["refund_differs", "refund_missing_at_gateway"]


def test_a_refund_that_failed_here_and_is_done_there_is_told_and_stays_failed(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    answer = asks(bo, session, amount=1000)
    does_the_next_refund_and_says(world, REFUSES)
    world.passes(10)
    assert read(bo, answer)["status"] == "failed"
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.out_trade_no) == ("refund_done_after_failure", read(bo, answer)["out_trade_no"])
    assert read(bo, answer)["status"] == "failed"
    assert bo.reads(session)["review_reason"] == "refund_done_after_failure"
    assert world.violations() == []


def test_what_went_back_after_a_refusal_is_counted_once_and_for_what_it_was(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    answer = asks(bo, session, amount=1000)
    does_the_next_refund_and_says(world, REFUSES)
    world.passes(10)
    number = read(bo, answer)["out_trade_no"]
    change(world, "UPDATE record SET amount = 1500 WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    first, again = reconciles(world, bo), reconciles(world, bo)
    assert [found.details for found in first.open] == [{"amount": [1500, 1000]}]
    assert [found.id for found in first.open] == [found.id for found in again.open]
    assert {(refund.status, refund.amount) for refund in rows(world, Refund)} == {("failed", 1000), ("succeeded", 1500)}
    assert bo.reads(session)["amount_refunded"] == 1500
    assert rows(world, GatewayWord, out_trade_no=number, source="enquiry")
    assert world.violations() == []


def test_what_went_back_after_a_refusal_and_exceeds_what_is_left_stays_open(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    asks(bo, session, amount=1000)
    does_the_next_refund_and_says(world, REFUSES)
    world.passes(10)
    world.clock.now = datetime.fromisoformat("2026-03-10T23:40:00+08:00")
    asks(bo, session, "the rest")  # waits for the end of the night's pause, and holds all that is left
    later(world, minutes=15)
    assert [found.kind for found in reconciles(world, bo).open] == ["refund_done_after_failure"]
    assert {refund.status for refund in rows(world, Refund)} == {"failed", "reserved"}
    assert [payment.refunded for payment in rows(world, Payment)] == [8800]
    assert world.violations() == []


def test_a_refund_still_being_asked_about_is_heard_at_once(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    answer = asks(bo, session, amount=1000)
    does_the_next_refund_and_says(world, LOST)
    world.works()
    with world.parts.sessions() as db:
        db.execute(update(Refund).values(next_at=world.clock() + MUCH_LATER))
        db.commit()
    assert read(bo, answer)["status"] == "pending"
    later(world, hours=1)
    [found] = reconciles(world, bo).differences
    assert (found.kind, found.resolution, read(bo, answer)["status"]) == ("refund_not_booked", "booked", "succeeded")
    assert len(world.ledger.calls("/trade/v1/refund")) == 1


def test_money_that_went_back_by_no_refund_is_told(world: World, bo: Merchant) -> None:
    number = world.attempt(pay(world, bo)).out_trade_no
    world.passes(3700, step=60)
    change(world, "UPDATE record SET cancel = '3' WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    [found] = reconciles(world, bo).open
    assert found.kind == "payment_returned"


def test_a_return_that_its_refunds_explain_afterwards_is_closed_by_the_last_of_them(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    payment = world.attempt(session)
    world.passes(3700, step=60)
    change(world, "UPDATE record SET cancel = '3' WHERE out_trade_no = :number", number=payment.out_trade_no)
    later(world, hours=1)
    reconciles(world, bo)
    assert bo.reads(session)["review_reason"] == "payment_returned"
    portal_refund(world.ledger, payment.out_trade_no, 3000)
    later(world, hours=1)
    reconciles(world, bo)
    [found] = rows(world, Difference, kind="payment_returned")
    assert (found.resolved_at, bo.reads(session)["review"]) == (None, True), "most of it is unexplained"
    last = portal_refund(world.ledger, payment.out_trade_no, 5800)
    later(world, hours=1)
    assert reconciles(world, bo).open == []
    [closed] = rows(world, Difference, kind="payment_returned")
    assert closed.resolution == f"went back by refund {last.syssn}, booked since"
    assert (bo.reads(session)["amount_refunded"], bo.reads(session)["review"]) == (8800, False)
    assert world.violations() == []


def test_a_return_is_not_explained_by_a_refund_that_is_only_asked_for(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no
    world.passes(3700, step=60)
    change(world, "UPDATE record SET cancel = '3' WHERE out_trade_no = :number", number=number)
    later(world, hours=1)
    reconciles(world, bo)
    world.clock.now = datetime.fromisoformat("2026-03-10T23:40:00+08:00")
    asks(bo, session, amount=5800)  # waits for the end of the night's pause
    portal_refund(world.ledger, number, 3000)
    later(world, minutes=15)
    reconciles(world, bo)
    [found] = rows(world, Difference, kind="payment_returned")
    assert (found.resolved_at, bo.reads(session)["review_reason"]) == (None, "payment_returned")
    assert world.violations() == []


def test_money_that_went_back_on_a_later_day_is_explained_by_that_days_refund(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    world.clock.now = TOMORROW_0130 - timedelta(minutes=5)
    portal_refund(world.ledger, world.attempt(session).out_trade_no, 8800)
    later(world, minutes=6)
    assert reconciles(world, bo).open == []  # too young to be booked, and no reason for an alarm
    later(world, hours=1)
    done = reconciles(world, bo)
    assert [found.kind for found in done.differences] == ["refund_not_booked"]
    assert bo.reads(session)["amount_refunded"] == 8800
