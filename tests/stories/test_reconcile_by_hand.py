"""Refunds made in QFPay's portal are found at night, and what operators type about differences."""

import json
from datetime import datetime

import pytest
from sqlalchemy import update

from checkout.store.models import Payment
from checkout.store.oversight import Difference
from sandbox import Trouble, portal_refund
from tests.stories.cast import Merchant, World
from tests.stories.nights import QUERY, TOMORROW_0130, change, later, pays_elsewhere, reconciles, rows
from tests.stories.test_operators import run
from tests.stories.test_refunds import asks, pay, read

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


def test_who_asks_about_today_hears_of_the_last_minutes_too(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    pays_elsewhere(world, bo)
    later(world, seconds=1)
    change(world, "DELETE FROM record WHERE out_trade_no = :number", number=world.attempt(session).out_trade_no)
    told = run(world, "reconcile", "--day", "2026-03-10")
    assert told.exit_code == 1
    assert "payment_unknown  Elsewhere1" in told.stdout
    assert f"payment_missing_at_gateway  {world.attempt(session).out_trade_no}" in told.stdout
    assert bo.reads(session)["review"] is True


def test_what_only_a_notification_vouches_for_may_be_listed_later(world: World, bo: Merchant) -> None:
    def is_proven_by(proof: str) -> None:
        with world.parts.sessions() as db:
            db.execute(update(Payment).values(proof=proof))
            db.commit()

    session = pay(world, bo)
    is_proven_by("notification")
    change(world, "DELETE FROM record WHERE out_trade_no = :number", number=world.attempt(session).out_trade_no)
    assert run(world, "reconcile", "--day", "2026-03-10").exit_code == 0
    later(world, minutes=11)
    assert run(world, "reconcile", "--day", "2026-03-10").exit_code == 1
    is_proven_by("enquiry")


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
