"""Every night our books are held against the gateway's: what it knows and we do not is heard, all else is told."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from checkout.background import Worker
from checkout.gateway.client import PaymentOrder
from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.services.merchants import Shop, add_merchant
from checkout.services.reconciling import Reconciled, reconcile_day, reconcile_next
from checkout.store.models import Attempt, GatewayWord, Payment, Refund, TradeNo
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import Difference, Reconciliation
from sandbox import Trouble, portal_refund
from tests.hostile.test_lanes import on_sqlite, soon
from tests.hostile.test_nothing_open import held
from tests.hostile.tricks import gateway_hooks
from tests.stories.cast import GATEWAY, Merchant, World
from tests.stories.test_operators import run
from tests.stories.test_refunds import LOST, REFUSES, asks, does_the_next_refund_and_says, pay, read

TODAY = date(2026, 3, 10)
QUERY = "/trade/v1/query"
MUCH_LATER = timedelta(days=30)
TOMORROW_0130 = datetime.fromisoformat("2026-03-11T01:30:00+08:00")


def reconciles(world: World, bo: Merchant, day: date = TODAY) -> Reconciled:
    """Patience moves the clock, as waiting does."""

    def waits(seconds: float) -> None:
        world.clock.now += timedelta(seconds=seconds)

    return reconcile_day(world.asking, bo.told.merchant_id, day, patience=waits)


def later(world: World, **time: float) -> None:
    """Time goes by while nobody works."""
    world.clock.now += timedelta(**time)


def change(world: World, statement: str, **values: Any) -> None:
    """Something happens in the gateway's own books."""
    with world.ledger.store.writing() as db:
        assert db.execute(statement, values).rowcount == 1, statement


def rows(world: World, model: Any, **where: Any) -> list[Any]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(model).filter_by(**where)))


def unwatched(world: World, bo: Merchant, **wishes: Any) -> dict[str, Any]:
    """A session whose code nobody will ask about before the end of the test."""
    session = bo.opens(**wishes)
    world.shopper(session).picks("alipay_hk")
    with world.parts.sessions() as db:
        db.execute(
            update(Attempt).where(Attempt.session_id == session["id"]).values(next_at=world.clock() + MUCH_LATER)
        )
        db.commit()
    return session


def pays_elsewhere(world: World, bo: Merchant, number: str = "Elsewhere1", amount: int = 4200) -> None:
    """The shop's account takes money under a number that was never ours."""
    with world.parts.sessions() as db:
        gateway = world.parts.gateways.of(db.get_one(MerchantRow, bo.told.merchant_id))
    order = PaymentOrder(
        out_trade_no=number, pay_type="801514", amount=amount, currency="HKD", created_at=world.clock(), minutes=30,
        goods_name="tea", return_url="https://pay.sampan.example/r", notify_url="https://pay.sampan.example/n",
    )  # fmt: skip
    gateway.create_payment(order)
    world.ledger.pay(number)


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
    assert [(refund.status, refund.amount) for refund in rows(world, Refund)] == [("failed", 1000), ("succeeded", 1500)]
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
    assert [refund.status for refund in rows(world, Refund)] == ["failed", "reserved"]
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


def test_many_pages_are_read_to_the_end_and_no_page_exceeds_what_we_read(world: World, bo: Merchant) -> None:
    for n in range(95):
        pays_elsewhere(world, bo, f"Elsewhere{n}")
    later(world, hours=1)
    before = world.enquiries()
    assert len(reconciles(world, bo).open) == 95
    assert world.enquiries() - before == 4  # 40, 40, 15, and one that brings nothing new


def test_a_gateway_that_turns_no_pages_is_trouble_and_no_difference(world: World, bo: Merchant) -> None:
    for n in range(45):
        pays_elsewhere(world, bo, f"Elsewhere{n}")
    later(world, hours=1)
    gateway = world.sandbox.wsgi_app
    first: list[Response] = []

    def turns_none(environ: Any, start_response: Any) -> Any:
        if not first:
            first.append(Response.from_app(gateway, environ))
        return Response(first[0].get_data(), content_type="application/json")(environ, start_response)

    world.sandbox.wsgi_app = turns_none  # type: ignore[method-assign]
    assert "does not turn its pages" in str(reconciles(world, bo).trouble)
    assert rows(world, Difference) == []


def test_nothing_of_the_database_is_held_while_the_gateway_is_asked(world: World, bo: Merchant) -> None:
    number = world.attempt(pay(world, bo)).out_trade_no
    change(world, "DELETE FROM record WHERE out_trade_no = :number", number=number)  # so that it is asked for by number
    for n in range(45):
        pays_elsewhere(world, bo, f"Elsewhere{n}")
    later(world, hours=1)
    seen: list[int] = []
    gateway_hooks(world, QUERY, lambda _: seen.append(held(world)))
    reconciles(world, bo)
    assert (len(seen), set(seen)) == (4, {0})


def test_a_spent_budget_is_waited_for_and_leaves_room_for_payments(world: World, bo: Merchant) -> None:
    for n in range(120):
        pays_elsewhere(world, bo, f"Elsewhere{n}")
        later(world, seconds=0.3)
    later(world, hours=1)
    with world.parts.sessions() as db:
        gateway = world.parts.gateways.of(db.get_one(MerchantRow, bo.told.merchant_id))
        while budgets.take(db, gateway.budget_key, use=Use.ENQUIRE, rate_per_minute=300, now=world.clock()):
            pass
    began = world.clock()
    assert len(reconciles(world, bo).open) == 120
    assert timedelta(seconds=1) <= world.clock() - began <= timedelta(minutes=1)
    assert world.row(session := bo.opens()).status == "open"
    assert world.shopper(session).picks("alipay_hk").status_code == 303


@pytest.mark.parametrize("word", ["\x00", "é" * 300, "'; DROP TABLE payment; --", " "])
def test_no_word_of_the_gateway_keeps_the_other_records_from_being_compared(
    world: World, bo: Merchant, word: str
) -> None:
    numbers = [world.attempt(pay(world, bo, reference=f"R-{n}")).out_trade_no for n in range(3)]
    portal_refund(world.ledger, numbers[2], 500)
    change(world, "UPDATE record SET out_trade_no = :word WHERE out_trade_no = :number", word=word, number=numbers[0])
    change(world, "UPDATE record SET currency = :word WHERE out_trade_no = :number", word=word, number=numbers[1])
    change(world, "UPDATE record SET out_trade_no = :word, origssn = :word WHERE order_type = 'refund'", word=word)
    later(world, hours=1)
    done = reconciles(world, bo)
    assert done.trouble is None
    assert sorted(found.kind for found in done.open) == ["payment_differs", "payment_unknown", "refund_unknown"]


def test_twice_the_same_night_adds_nothing(world: World, bo: Merchant) -> None:
    pays_elsewhere(world, bo)
    later(world, hours=1)
    first, again = reconciles(world, bo), reconciles(world, bo)
    assert [one.id for one in first.open] == [one.id for one in again.open]
    assert len(rows(world, Difference)) == 1


def test_of_each_merchant_only_its_own_is_seen(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    pays_elsewhere(world, cy)
    pay(world, bo)
    later(world, hours=1)
    assert reconciles(world, bo).differences == []
    assert [found.merchant_id for found in reconciles(world, cy).open] == [cy.told.merchant_id]


def test_two_merchants_with_one_account_are_not_strangers_to_each_other(world: World, bo: Merchant) -> None:
    shop = Shop(name="Bo's other tea", app_code="APP1", client_key="key-of-APP1", base_url=GATEWAY)
    with world.parts.sessions() as db:
        told = add_merchant(db, world.parts.vault, world.parts.terms, shop, now=world.clock())
    other = Merchant(world, told, bo.inbox)
    for merchant in (bo, other):
        session = pay(world, merchant)
        portal_refund(world.ledger, world.attempt(session).out_trade_no, 500)
    later(world, hours=1)
    for merchant in (bo, other):
        assert [(found.kind, found.amount) for found in reconciles(world, merchant).differences] == [
            ("refund_not_booked", 500)
        ]


def test_the_worker_compares_the_last_day_at_half_past_one_and_once_more_the_night_after(
    world: World, bo: Merchant
) -> None:
    pay(world, bo)
    world.clock.now = TOMORROW_0130 - timedelta(seconds=1)
    assert not reconcile_next(world.asking)
    world.clock.now = TOMORROW_0130
    assert reconcile_next(world.asking)
    assert not reconcile_next(world.asking)
    [row] = rows(world, Reconciliation)
    assert (row.day, row.payments, row.done_at, row.next_at) == (
        "2026-03-10", 1, TOMORROW_0130, TOMORROW_0130 + timedelta(days=1),
    )  # fmt: skip
    later(world, days=1)
    while reconcile_next(world.asking):
        pass
    nights = {row.day: row.next_at for row in rows(world, Reconciliation)}
    assert nights == {"2026-03-10": None, "2026-03-11": TOMORROW_0130 + timedelta(days=2)}


@on_sqlite
def test_a_running_worker_does_it_by_itself(world: World, bo: Merchant) -> None:
    pay(world, bo)
    world.clock.now = TOMORROW_0130
    worker = Worker(world.parts)
    worker.start()
    try:
        assert soon(lambda: [row.payments for row in rows(world, Reconciliation) if row.done_at] == [1], 20)
    finally:
        worker.stop()


@pytest.mark.parametrize("trouble", [Trouble.HTTP_500, Trouble.DROP, Trouble.GARBAGE, Trouble.HTTP_429])
def test_a_gateway_without_an_answer_is_tried_again_later_and_later(
    world: World, bo: Merchant, trouble: Trouble
) -> None:
    session = pay(world, bo)
    world.clock.now = TOMORROW_0130
    world.ledger.inject(QUERY, trouble, 2)
    assert reconcile_next(world.asking)
    assert not reconcile_next(world.asking)
    later(world, minutes=2)
    assert reconcile_next(world.asking)
    [row] = rows(world, Reconciliation)
    assert (row.tries, row.done_at, row.next_at - world.clock()) == (2, None, timedelta(minutes=4))
    later(world, minutes=4)
    assert reconcile_next(world.asking)
    [row] = rows(world, Reconciliation)
    assert (row.tries, row.payments, row.done_at) == (0, 1, world.clock())
    assert rows(world, Difference) == []
    assert bo.reads(session)["review"] is False


def test_a_key_that_cannot_be_opened_is_trouble_for_its_own_merchant_only(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    pay(world, bo)
    with world.parts.sessions() as db:
        db.execute(
            update(MerchantRow)
            .where(MerchantRow.id == cy.told.merchant_id)
            .values(client_key_sealed=b"sealed by a key that is gone")
        )
        db.commit()
    later(world, hours=1)
    assert "SECRET_KEY" in str(reconciles(world, cy).trouble)
    assert reconciles(world, bo).clean


# --- refunds made in QFPay's portal


def test_a_refund_made_in_the_portal_is_booked_and_told(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    record = portal_refund(world.ledger, world.attempt(session).out_trade_no, 3000)
    later(world, hours=1)
    done = reconciles(world, bo)
    assert [(found.kind, found.resolved_at is not None) for found in done.differences] == [("refund_not_booked", True)]
    told = bo.reads(session)
    [refund] = told["refunds"]
    assert (refund["amount"], refund["status"], refund["reason"], refund["cause"], refund["out_trade_no"]) == (
        3000, "succeeded", "portal", "portal", record.out_trade_no,
    )  # fmt: skip
    assert (told["amount_refunded"], told["review"]) == (3000, False)
    world.works()
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid", "refund.succeeded"]
    assert bo.api("GET", f"/v1/refunds/{refund['id']}").json == refund
    assert asks(bo, session, amount=5801).status_code == 422
    assert asks(bo, session, "2", amount=5800).status_code == 201


@pytest.mark.parametrize("number", ["", "the payment's"])
def test_without_a_number_of_its_own_it_gets_one_of_ours(world: World, bo: Merchant, number: str) -> None:
    session = pay(world, bo)
    paid = world.attempt(session).out_trade_no
    record = portal_refund(world.ledger, paid, 3000, out_trade_no=paid if number else "")
    later(world, hours=1)
    reconciles(world, bo)
    [refund] = bo.reads(session)["refunds"]
    assert (refund["out_trade_no"], refund["syssn"]) == (f"portal_{record.syssn}", record.syssn)
    assert reconciles(world, bo).differences == []


def test_a_number_that_we_invented_is_never_asked_about_nor_missed(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    record = portal_refund(world.ledger, world.attempt(session).out_trade_no, 3000, out_trade_no="")
    later(world, hours=1)
    reconciles(world, bo)
    change(world, "UPDATE record SET sysdtm = sysdtm + 86400 WHERE syssn = :syssn", syssn=record.syssn)
    assert reconciles(world, bo).differences == []
    assert [call for call in world.ledger.calls(QUERY) if "portal_" in str(call.params)] == []
    assert world.violations() == []


def test_more_than_is_left_is_not_booked_but_told_and_booked_once_there_is_room(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    world.clock.now = datetime.fromisoformat("2026-03-10T23:40:00+08:00")
    answer = asks(bo, session)  # waits for the end of the night's pause, and holds all that is left
    record = portal_refund(world.ledger, world.attempt(session).out_trade_no, 3000)
    later(world, minutes=30)
    [found] = reconciles(world, bo).open
    assert (found.kind, found.amount, found.syssn) == ("refund_exceeds", 3000, record.syssn)
    assert bo.reads(session)["review_reason"] == "refund_exceeds"
    later(world, minutes=30)
    world.works()
    assert read(bo, answer)["status"] == "failed"  # 1272: the gateway has no room for it either
    assert [done.kind for done in reconciles(world, bo).differences] == ["refund_not_booked"]
    assert bo.reads(session)["amount_refunded"] == 3000
    [excess] = rows(world, Difference, kind="refund_exceeds")
    assert excess.resolution == "booked since"


def test_a_refund_of_a_payment_that_is_not_ours_is_told(world: World, bo: Merchant) -> None:
    pays_elsewhere(world, bo)
    portal_refund(world.ledger, "Elsewhere1", 4200)
    later(world, hours=1)
    assert sorted(found.kind for found in reconciles(world, bo).open) == ["payment_unknown", "refund_unknown"]


# --- what operators type


def test_the_command_tells_a_line_for_each_merchant_and_day(world: World, bo: Merchant) -> None:
    pay(world, bo)
    world.clock.now = TOMORROW_0130
    told = run(world, "reconcile")
    assert (told.exit_code, told.stdout.splitlines()) == (0, [
        f"{bo.told.merchant_id}  2026-03-10  1 payments, 0 refunds, 0 differences open, 0 put right",
        "Nothing is unexplained.",
    ])  # fmt: skip


def test_the_command_lists_differences_and_an_operator_closes_one(world: World, bo: Merchant) -> None:
    pays_elsewhere(world, bo)
    later(world, hours=1)
    told = run(world, "reconcile", "--day", "2026-03-10")
    assert told.exit_code == 1
    assert "payment_unknown  Elsewhere1" in told.stdout
    assert "HKD 42.00  open" in told.stdout
    [found] = json.loads(run(world, "difference", "list", "--json").stdout)["differences"]
    assert found["says"] == "QFPay holds a payment under a number that is not in our books"
    assert run(world, "difference", "resolve", found["id"], "--note", " ").exit_code == 1
    assert run(world, "difference", "resolve", found["id"], "--note", "the shop's old till").exit_code == 0
    assert "before" in run(world, "difference", "resolve", found["id"], "--note", "again").output
    assert run(world, "difference", "resolve", "df_nothing", "--note", "x").exit_code == 1
    assert run(world, "difference", "list").stdout == "No difference is open.\n"
    assert "resolved: the shop's old till" in run(world, "difference", "list", "--all").stdout
    again = run(world, "reconcile", "--day", "2026-03-10", "--json")
    assert (again.exit_code, len(json.loads(again.stdout)["days"][0]["differences"])) == (0, 1)


def test_the_command_says_when_the_gateway_does_not_answer(world: World, bo: Merchant) -> None:
    pay(world, bo)
    later(world, hours=1)
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1)
    told = run(world, "reconcile", "--day", "2026-03-10")
    assert told.exit_code == 1
    assert "the gateway gave no statement" in told.stdout
    assert run(world, "reconcile", "--day", "2026-03-10").exit_code == 0


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "2026-03-11"])
def test_a_day_that_is_none_or_has_not_begun_is_refused(world: World, bo: Merchant, day: str) -> None:
    told = run(world, "reconcile", "--day", day)
    assert told.exit_code == 1
    assert day in told.output


def test_nobody_was_with_us_on_a_day_long_ago(world: World, bo: Merchant) -> None:
    told = run(world, "reconcile", "--day", "2020-01-01")
    assert (told.exit_code, told.stdout) == (0, "Nobody was with us on that day.\n")
