"""Books that forget: a backup of an hour ago is restored, or a stand-by takes over that missed the last commits."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from checkout import crash_points
from checkout.services import recovering
from checkout.store.models import Attempt, Base, Payment, Refund, TradeNo
from checkout.store.oversight import Difference
from sandbox import Scenario, portal_refund
from tests.stories.cast import Merchant, World
from tests.stories.test_operators import run
from tests.stories.test_refunds import asks, pay, read

PAYMENT, REFUND = "/trade/v1/payment", "/trade/v1/refund"
OPERATE = Path(__file__).parents[2] / "docs" / "operate.md"

Backup = dict[str, list[Any]]


def back_up(world: World) -> Backup:
    """Every row of every table, as one instant saw them."""
    with world.parts.reading.connect() as connection:
        return {
            table.name: [row._asdict() for row in connection.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def restore(world: World, backup: Backup) -> None:
    with world.parts.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                connection.execute(table.insert(), backup[table.name])


def recovers(world: World, since: Any) -> dict[str, Any]:
    told = run(world, "recover", "--since", since.isoformat(), "--json")
    assert told.exit_code in (0, 1), told.output
    return {"exit": told.exit_code, **json.loads(told.stdout)}


def unexplained(world: World) -> list[str]:
    """What the gateway did and neither our books nor our list of differences tell of."""
    with world.parts.sessions() as db:
        known = {*db.scalars(select(Payment.syssn)), *db.scalars(select(Refund.syssn))}
        known |= {*db.scalars(select(Difference.syssn))}
    facts = [fact for order in world.ledger.orders() for fact in (*order.payments, *order.refunds)]
    assert facts
    return [fact.syssn for fact in facts if fact.syssn not in known]


def assert_recovered(world: World) -> None:
    """Nothing is unexplained; no number was sent twice, and none that the gateway has seen can be issued again."""
    assert unexplained(world) == []
    for path in (PAYMENT, REFUND):
        sent = Counter(call.params["out_trade_no"] for call in world.ledger.calls(path))
        assert [number for number, times in sent.items() if times > 1] == []
    with world.parts.sessions() as db:
        taken = {*db.scalars(select(TradeNo.number))}
        seen = {record.out_trade_no for order in world.ledger.orders() for record in order.records}
        assert seen <= taken
        moved = {payment.syssn: payment for payment in db.scalars(select(Payment))}
    for order in world.ledger.orders():
        for payment in order.payments:
            back = sum(refund.amount for refund in order.refunds if refund.origssn == payment.syssn)
            assert payment.syssn not in moved or moved[payment.syssn].refunded == back
    assert world.violations() == []


def test_f51_a_backup_of_an_hour_ago_is_brought_up_to_what_the_gateway_knows(world: World, bo: Merchant) -> None:
    paid, partly, shown, picked = (pay(world, bo, reference="A"), pay(world, bo, reference="B"), bo.opens(), bo.opens())
    world.shopper(shown).picks("alipay_hk")
    queued = asks(bo, paid, "whole")  # reserved in the backup, and not sent yet
    since, backup = world.clock(), back_up(world)

    world.passes(60)
    world.pays(shown)  # known number, forgotten payment
    asks(bo, partly, "part", amount=3000)  # a refund that is forgotten with its number
    world.shopper(picked).picks("alipay")  # a known session, a forgotten number
    world.passes(30)
    world.pays(picked)
    lost = pay(world, bo, reference="C")  # everything is forgotten
    unpaid = bo.opens(reference="D")
    world.shopper(unpaid).picks("alipay_hk")
    portal_refund(world.ledger, world.attempt(lost).out_trade_no, 500)
    forgotten = [world.attempt(one).out_trade_no for one in (picked, lost)]
    world.passes(3600, step=30)
    assert read(bo, queued)["status"] == "succeeded"

    restore(world, backup)
    assert read(bo, queued)["status"] == "pending"
    done = recovers(world, since)
    assert (done["exit"], done["refunds_held"]) == (1, 1)
    world.passes(1800, step=15)

    assert_recovered(world)
    assert read(bo, queued)["status"] == "succeeded"
    assert bo.reads(shown)["status"] == "paid"
    assert bo.reads(partly)["amount_refunded"] == 3000
    with world.parts.sessions() as db:
        left = list(db.scalars(select(Difference).where(Difference.resolved_at.is_(None))))
    assert sorted((one.kind, one.out_trade_no) for one in left if one.kind == "payment_unknown") == sorted(
        ("payment_unknown", number) for number in forgotten
    )
    assert {one.kind for one in left} == {"payment_unknown", "refund_unknown"}
    for one in left:
        assert run(world, "difference", "resolve", one.id, "--note", "paid out by hand").exit_code == 0
    assert recovers(world, since)["exit"] == 0  # again, it finds nothing new
    assert_recovered(world)


def test_f51_when_no_row_was_lost_nothing_is_left_to_explain(world: World, bo: Merchant) -> None:
    sessions = [bo.opens(reference=f"R-{n}") for n in range(3)]
    for session in sessions:
        world.shopper(session).picks("alipay_hk")
    since, backup = world.clock(), back_up(world)
    for session in sessions[:2]:
        world.pays(session)
    world.passes(3600, step=30)
    restore(world, backup)
    told = run(world, "recover", "--since", since.isoformat())
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (0, "Nothing is unexplained.")
    world.passes(3600, step=30)
    assert [bo.reads(session)["status"] for session in sessions] == ["paid", "paid", "expired"]
    assert_recovered(world)


def test_f51_only_attempts_that_may_have_been_paid_since_are_asked_about_again(
    world: World, bo: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "AT_A_TIME", 2)  # so that three are more than one go
    world.shopper(bo.opens(reference="long ago")).picks("alipay_hk")
    world.passes(3600, step=60)
    world.clock.now += timedelta(days=3)
    since = world.clock()
    world.next(Scenario.REFUSED_1104)
    world.shopper(bo.opens(reference="refused")).picks("alipay_hk")
    shown = [bo.opens(reference=f"S-{n}") for n in range(3)]
    for session in shown:
        world.shopper(session).picks("alipay_hk")
    with world.parts.sessions() as db:
        db.execute(update(Attempt).values(next_at=None, tries=7))
        db.commit()
    assert recovers(world, since)["attempts_due"] == 3
    with world.parts.sessions() as db:
        due = {attempt.session_id for attempt in db.scalars(select(Attempt).where(Attempt.next_at == world.clock()))}
        assert due == {session["id"] for session in shown}
        assert {*db.scalars(select(Attempt.tries).where(Attempt.session_id.in_(due)))} == {0}
    world.passes(8000, step=60)
    assert world.violations() == []


def test_f51_a_code_that_is_paid_after_the_restore_is_found_by_the_next_night(world: World, bo: Merchant) -> None:
    session = bo.opens()
    since, backup = world.clock(), back_up(world)
    world.shopper(session).picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    world.ledger.scan(world.ledger.order(number).token)
    restore(world, backup)
    assert recovers(world, since)["exit"] == 0
    with world.parts.sessions() as db:
        assert db.get_one(TradeNo, number).kind == "lost"
    world.ledger.pay(number)
    assert world.notifies() == [200]
    world.clock.now += timedelta(hours=1)
    told = run(world, "reconcile", "--day", "2026-03-10")
    assert (told.exit_code, f"payment_unknown  {number}" in told.stdout) == (1, True)
    assert_recovered(world)


@pytest.mark.parametrize(
    "since",
    ["an hour ago", "2026-03-10T04:00:00", "2027-01-01T00:00:00Z", "0001-01-01T00:00:00+08:00", "1970-01-01T00:00:00Z"],
)
def test_f51_a_moment_that_cannot_be_a_backups_is_refused(world: World, bo: Merchant, since: str) -> None:
    told = run(world, "recover", "--since", since)
    assert told.exit_code == 1
    assert "Error: --since" in told.output


def test_f51_a_refund_that_waits_for_tomorrows_takings_waits_on(world: World, bo: Merchant) -> None:
    """Found when every one of them failed for good, because its refusal was taken for the answer to a lost sending."""
    session = pay(world, bo)
    world.ledger.set_scenario(world.attempt(session).out_trade_no, Scenario.LOW_TAKINGS)
    asked = asks(bo, session)
    world.passes(60)
    since, backup = world.clock(), back_up(world)
    world.passes(60)
    restore(world, backup)
    assert recovers(world, since)["refunds_held"] == 1
    world.passes(20 * 60, step=15)
    told = read(bo, asked)
    assert (told["status"], told["waits_until"] is not None, bo.reads(session)["review"]) == ("pending", True, False)


def test_f51_a_gateway_that_is_away_is_told_and_asked_again_by_the_next_run(world: World, bo: Merchant) -> None:
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    since, backup = world.clock(), back_up(world)
    world.pays(session)
    world.passes(60)
    restore(world, backup)
    gateway = world.sandbox.wsgi_app
    world.sandbox.wsgi_app = _away  # type: ignore[method-assign, assignment]
    told = run(world, "recover", "--since", since.isoformat())
    assert (told.exit_code, "gave no statement" in told.stdout) == (1, True)
    world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
    assert recovers(world, since)["exit"] == 0
    assert bo.reads(session)["status"] == "paid"
    assert_recovered(world)


def _away(_environ: Any, start_response: Any) -> Any:
    start_response("503 Service Unavailable", [])
    return [b""]


@pytest.mark.parametrize(
    "point",
    ["attempt.intended", "attempt.answered", "attempt.recorded", "enquiry.claimed", "enquiry.before_commit",
     "refund.reserved", "refund.claimed", "refund.answered", "refund.before_result"],
)  # fmt: skip
def test_f45_a_stand_by_that_missed_the_last_commits_is_told_them_by_the_gateway(
    world: World, bo: Merchant, point: str
) -> None:
    """The stand-by holds what was committed when this point was passed for the first time; the rest is lost."""
    session = bo.opens()
    copies: list[Backup] = []
    since = world.clock()
    with crash_points.watched(_copying(world, point, copies)):
        world.shopper(session).picks("alipay_hk")
        world.pays(session)
        world.passes(5)
        answer = asks(bo, session, amount=3000)
        world.passes(10)
        assert read(bo, answer)["status"] == "succeeded"
    assert len(copies) == 1
    restore(world, copies[0])
    assert recovers(world, since)["exit"] == 0
    world.passes(1800, step=15)
    assert_recovered(world)
    told = bo.reads(session)
    assert (told["status"], told["amount_refunded"]) == ("paid", 3000)
    with world.parts.sessions() as db:
        assert len(list(db.scalars(select(Attempt)))) == 1


def _copying(world: World, point: str, copies: list[Backup]) -> Callable[[str], None]:
    def passed(name: str) -> None:
        if name == point and not copies:
            copies.append(back_up(world))

    return passed


def test_f45_numbers_that_were_lost_with_their_rows_are_never_issued_again(world: World, bo: Merchant) -> None:
    """They are random, so none comes again by itself; and those that the gateway has seen are taken for good."""
    since, backup = world.clock(), back_up(world)
    lost = [bo.opens(reference=f"L-{n}") for n in range(5)]
    for session in lost:
        world.shopper(session).picks("alipay_hk")
    numbers = {world.attempt(session).out_trade_no for session in lost}
    for session in lost[:3]:
        world.pays(session)
    for session in lost[3:]:  # opened in the wallet and not paid: without that, the gateway shows no record
        world.ledger.scan(world.ledger.order(world.attempt(session).out_trade_no).token)
    restore(world, backup)
    assert recovers(world, since)["exit"] == 1
    with world.parts.sessions() as db:
        assert {*db.scalars(select(TradeNo.number).where(TradeNo.kind == "lost"))} == numbers
    again = [bo.opens(reference=f"N-{n}") for n in range(5)]
    for session in again:
        world.shopper(session).picks("alipay_hk")
    assert not numbers & {world.attempt(session).out_trade_no for session in again}
    assert_recovered(world)


def test_f45_what_prevents_it_is_written_down() -> None:
    assert "synchronous_commit" in OPERATE.read_text()
