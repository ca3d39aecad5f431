"""A person looks: what came late, twice or wrong is accepted, sent back or left as it is, and written down."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from checkout.domain.signing import sign_notification
from checkout.services import reviews
from checkout.services.chronicle import broken_links
from checkout.store.models import CheckoutSession, Event
from checkout.store.oversight import AuditEntry
from sandbox import Scenario, portal_refund
from tests.hostile.tricks import gateway_answers, meanwhile, mount
from tests.stories.cast import Merchant, World
from tests.stories.nights import QUERY, later, reconciles
from tests.stories.test_notifications import KEY, body_for, post
from tests.stories.test_refunds import pay

WHY = "spoke with Ada on the phone"


def run(world: World, *words: str) -> Any:
    return world.app.test_cli_runner().invoke(args=["review", *words])


def decides(world: World, decision: str, session: dict[str, Any]) -> Any:
    result = run(world, decision, session["id"], "--reason", WHY)
    assert result.exit_code == 0, result.output
    world.works()
    return result


def comes_late(world: World, session: dict[str, Any]) -> None:
    """The session expires, and then its code is paid."""
    world.next(Scenario.LATE_PAYMENT)
    world.shopper(session).picks("alipay")
    world.passes(40 * 60, step=120)
    assert world.row(session).status == "expired"
    world.ledger.pay(world.attempt(session).out_trade_no)
    while (asked_next := world.attempt(session).next_at) and world.row(session).review is None:
        world.clock.now = max(asked_next, world.clock.now)
        world.works()


def comes_wrong(world: World, session: dict[str, Any]) -> None:
    world.next(Scenario.WRONG_AMOUNT)
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(5)


@pytest.fixture
def late(world: World, session: dict[str, Any]) -> dict[str, Any]:
    comes_late(world, session)
    return session


@pytest.fixture
def mismatched(world: World, session: dict[str, Any]) -> dict[str, Any]:
    comes_wrong(world, session)
    return session


def kinds(bo: Merchant) -> list[str]:
    return [news["type"] for news in bo.heard()]


def written(world: World, subject: str = "") -> list[tuple[str, str]]:
    with world.parts.sessions() as db:
        assert list(broken_links(db)) == []
        entries = db.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(entry.actor, entry.action) for entry in entries if subject in (entry.subject, "")]


def test_the_list_tells_what_is_needed_to_decide(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    [one] = json.loads(run(world, "list", "--json").stdout)["reviews"]
    assert (one["session"], one["because"], one["status"]) == (late["id"], "late", "expired")
    assert (one["merchant"], one["reference"], one["amount"]) == (bo.told.merchant_id, "A-1001", 8800)
    [paid] = one["payments"]
    assert (paid["role"], paid["amount"], paid["given_back"]) == ("late", 8800, 0)
    assert paid["out_trade_no"] == world.attempt(late).out_trade_no
    shown = run(world, "list").output
    for word in (late["id"], "late payment of HKD 88.00", paid["syssn"], "1 under review."):
        assert word in shown
    assert written(world, late["id"]) == [("worker", "review_opened")]


def test_nothing_to_look_at_is_said_in_words(world: World) -> None:
    assert run(world, "list").output == "Nothing is under review.\n"
    assert json.loads(run(world, "list", "--json").stdout) == {"reviews": []}


def test_late_money_that_is_accepted_makes_the_session_paid(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    heard_before = len(kinds(bo))
    decides(world, "accept", late)
    told = bo.reads(late)
    assert (told["status"], told["review"]) == ("paid", False)
    assert [(payment["role"], told["paid_at"] == payment["paid_at"]) for payment in told["payments"]] == [
        ("accepted", True)
    ]
    assert kinds(bo)[heard_before:] == ["checkout_session.paid", "checkout_session.review_closed"]
    assert kinds(bo).count("payment.late") == 1
    assert world.shopper(late).sees() == "Paid"
    assert written(world, late["id"])[-1] == ("operator", "review_decided")
    refund = bo.api("POST", f"/v1/checkout-sessions/{late['id']}/refunds", {}, Idempotency_Key="r")
    assert refund.status_code == 201, "it is the shop's money now, and the shop may refund it"


def test_late_money_that_is_accepted_for_an_order_that_is_paid_already_warns(
    world: World, bo: Merchant, late: dict[str, Any]
) -> None:
    other = bo.opens()
    world.shopper(other).picks("alipay_hk")
    world.pays(other)
    world.passes(4)
    decides(world, "accept", late)
    [warning] = bo.reads(late)["warnings"]
    assert (warning["code"], other["id"] in warning["message"]) == ("reference_paid_twice", True)
    told = [news["data"] for news in bo.heard() if news["type"] == "checkout_session.paid"]
    assert [one["warnings"] for one in told if one["id"] == late["id"]] == [[warning]]


def test_late_money_that_is_refunded_goes_back_whole(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    decides(world, "refund", late)
    world.passes(10)
    told = bo.reads(late)
    assert (told["status"], told["review"], told["amount_refunded"]) == ("expired", False, 0)
    assert [(one["cause"], one["amount"], one["status"], one["reason"]) for one in told["refunds"]] == [
        ("late", 8800, "succeeded", WHY)
    ]
    assert kinds(bo)[-2:] == ["checkout_session.review_closed", "refund.succeeded"]
    assert ("operator", "refund_requested") in written(world, told["refunds"][0]["id"])


def test_money_that_does_not_fit_goes_back_as_what_it_is(
    world: World, bo: Merchant, mismatched: dict[str, Any]
) -> None:
    decides(world, "refund", mismatched)
    world.passes(10)
    told = bo.reads(mismatched)
    assert told["review"] is False
    assert [(one["cause"], one["amount"], one["status"]) for one in told["refunds"]] == [
        ("mismatch", 8799, "succeeded")
    ]


def test_money_that_does_not_fit_is_never_accepted(world: World, mismatched: dict[str, Any]) -> None:
    refused = run(world, "accept", mismatched["id"], "--reason", WHY)
    assert refused.exit_code == 1
    assert "no late payment" in refused.output
    assert world.row(mismatched).status == "open"


@pytest.mark.parametrize("second", ["accept", "refund"])
@pytest.mark.parametrize("first", ["accept", "refund"])
def test_money_is_decided_about_once(world: World, bo: Merchant, late: dict[str, Any], first: str, second: str) -> None:
    decides(world, first, late)
    refused = run(world, second, late["id"], "--reason", WHY)
    assert refused.exit_code == 1
    assert "still here" in refused.output
    world.passes(10)
    assert len(bo.reads(late)["refunds"]) == (first == "refund")


def test_of_two_late_payments_one_is_accepted_and_the_other_goes_back(world: World, bo: Merchant) -> None:
    session = bo.opens()
    ada = world.shopper(session)
    for wallet in ("alipay", "alipay_hk"):
        world.next(Scenario.LATE_PAYMENT)
        ada.picks(wallet)
        world.passes(3)
    world.passes(40 * 60, step=120)
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    for _ in range(20):
        due = [attempt.next_at for attempt in world.attempts(session) if attempt.next_at]
        if len(bo.reads(session)["payments"]) == 2:
            break
        world.clock.now = max(min(due), world.clock.now)
        world.works()
    assert {payment["role"] for payment in bo.reads(session)["payments"]} == {"late"}
    decides(world, "accept", session)
    world.passes(10)
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("paid", False)
    assert sorted(payment["role"] for payment in told["payments"]) == ["accepted", "late"]
    assert [(one["cause"], one["status"]) for one in told["refunds"]] == [("late", "succeeded")]


def test_a_closed_review_leaves_the_money_where_it_is(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    decides(world, "close", late)
    told = bo.reads(late)
    assert (told["status"], told["review"], told["refunds"]) == ("expired", False, [])
    assert kinds(bo)[-1] == "checkout_session.review_closed"
    assert run(world, "close", late["id"], "--reason", WHY).exit_code == 1, "there is nothing left to close"
    decides(world, "refund", late)  # second thoughts are allowed
    world.passes(10)
    assert bo.reads(late)["refunds"][0]["status"] == "succeeded"


def test_the_same_reason_may_open_a_review_again_and_again(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    for _ in range(3):
        with world.parts.sessions() as db:
            assert reviews.open_review(db, world.parts.terms, session["id"], "undecided", world.clock())
            assert not reviews.open_review(db, world.parts.terms, session["id"], "late", world.clock())
            db.commit()
        assert bo.reads(session)["review_reason"] == "undecided"
        decides(world, "close", session)
    opened, closed = "checkout_session.review_opened", "checkout_session.review_closed"
    assert kinds(bo) == [opened, closed] * 3
    versions = [news["data"]["version"] for news in bo.heard()]
    assert versions == sorted(set(versions))


def test_a_surplus_that_is_still_here_keeps_its_review_open(world: World, bo: Merchant) -> None:
    session = bo.opens(amount=55_525)  # of this order the gateway refuses every refund
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    world.passes(9 * 86400, step=6 * 3600)
    assert bo.reads(session)["review_reason"] == "refund_surplus"
    refused = run(world, "close", session["id"], "--reason", WHY)
    assert refused.exit_code == 1
    assert "came twice" in refused.output
    decides(world, "refund", session)
    assert [one["status"] for one in bo.reads(session)["refunds"]] == ["failed", "pending"]


@pytest.mark.parametrize("decision", ["close", "refund", "accept"])
def test_a_decision_needs_a_session_and_a_reason(world: World, late: dict[str, Any], decision: str) -> None:
    assert "There is no session cs_nobody." in run(world, decision, "cs_nobody", "--reason", WHY).output
    for reason in (" ", "x" * 501, "two\nlines"):
        assert run(world, decision, late["id"], "--reason", reason).exit_code == 2
    assert run(world, decision, late["id"]).exit_code == 2
    assert world.row(late).review == "late"


def test_the_reason_stands_in_the_audit_log(world: World, late: dict[str, Any]) -> None:
    decides(world, "refund", late)
    with world.parts.sessions() as db:
        entry = db.scalars(select(AuditEntry).where(AuditEntry.action == "review_decided")).one()
    assert (entry.actor, entry.subject) == ("operator", late["id"])
    assert entry.details == {"decision": "refunded", "amount": 8800, "reason": WHY}


def test_what_is_decided_and_its_news_are_one_transaction(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    """If the news cannot be written, nothing was decided."""
    with world.parts.sessions() as db:
        taken = Event(
            id="evt_x", merchant_id=bo.told.merchant_id, session_id=late["id"], type="x", body="{}", version=1,
            about=f"{late['id']}:checkout_session.paid:", to_deliver=False, created_at=world.clock(),
        )  # fmt: skip
        db.add(taken)
        db.commit()
        assert run(world, "accept", late["id"], "--reason", WHY).exit_code == 1
        db.delete(taken)
        db.commit()
    told = bo.reads(late)
    assert (told["status"], told["review"]) == ("expired", True)
    assert [payment["role"] for payment in told["payments"]] == ["late"]


def test_two_people_who_decide_at_once_decide_once(world: World, bo: Merchant, late: dict[str, Any]) -> None:
    others: list[Any] = []
    with meanwhile(world, "UPDATE", lambda: others.append(run(world, "refund", late["id"], "--reason", WHY))):
        mine = run(world, "accept", late["id"], "--reason", WHY)
    assert sorted([mine.exit_code, others[0].exit_code]) == [0, 1]
    world.passes(10)
    told = bo.reads(late)
    assert (told["status"], len(told["refunds"])) in {("paid", 0), ("expired", 1)}


def test_old_reviews_come_first(world: World, bo: Merchant) -> None:
    first, second = bo.opens(reference="1"), bo.opens(reference="2")
    for session in (second, first):
        with world.parts.sessions() as db:
            reviews.open_review(db, world.parts.terms, session["id"], "undecided", world.clock())
            db.commit()
        world.clock.now += timedelta(minutes=1)
    listed = json.loads(run(world, "list", "--json").stdout)["reviews"]
    assert [one["session"] for one in listed] == [second["id"], first["id"]]
    with world.parts.sessions() as db:
        db.execute(update(CheckoutSession).values(review=None))
        db.commit()


def test_a_review_that_is_explained_does_not_take_another_reason_with_it(world: World, bo: Merchant) -> None:
    session = pay(world, bo)
    number = world.attempt(session).out_trade_no

    def notice(**changes: Any) -> None:
        body = body_for(number, **changes)
        assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"
        world.passes(5)

    gateway_answers(world, QUERY, lambda said: said | {"data": [one | {"cancel": "3"} for one in said["data"]]})
    notice()
    assert bo.reads(session)["review_reason"] == "returned_elsewhere"
    for _ in range(2):
        notice(txamt="1", syssn="20260310000200020000000077")
    assert written(world, session["id"])[-1] == ("worker", "review_reason_added")
    assert [action for _, action in written(world, session["id"])].count("review_reason_added") == 1
    assert "returned_elsewhere, notice_mismatch  since" in run(world, "list").output

    portal_refund(world.ledger, number, 8800)
    mount(world, world.sandbox)
    later(world, hours=1)
    reconciles(world, bo)
    assert bo.reads(session)["amount_refunded"] == 8800
    assert bo.reads(session)["review"] is True, "nobody has looked at the notification of another amount"
    decides(world, "close", session)
    assert bo.reads(session)["review"] is False
