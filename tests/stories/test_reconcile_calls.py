"""Comparing takes pages, budgets and patience, and keeps to its own merchant and night."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.wrappers import Response

from checkout.background import Worker
from checkout.domain.shops import Shop
from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.services.merchants import add_merchant
from checkout.services.reconciling import reconcile_next
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import Difference, Reconciliation
from sandbox import Trouble, portal_refund
from tests.hostile.test_lanes import on_sqlite, soon
from tests.hostile.test_nothing_open import held
from tests.hostile.tricks import gateway_hooks
from tests.stories.cast import GATEWAY, Merchant, World
from tests.stories.nights import QUERY, TOMORROW_0130, change, later, pays_elsewhere, reconciles, rows
from tests.stories.test_refunds import pay


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
