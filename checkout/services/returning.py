"""Bringing refunds to the gateway, and asking what became of them. One number, however often it must be sent."""

import logging
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain import refunding
from checkout.domain.errors import GatewayError
from checkout.domain.lifecycle import REFUND_IN_FLIGHT, RefundStatus
from checkout.domain.vault import CannotOpen
from checkout.gateway.client import (
    Enquiry,
    Gateway,
    RefundOrder,
    RefundOutcome,
)
from checkout.gateway.months import windows_for
from checkout.services import calls, refund_news
from checkout.services.budgets import Use
from checkout.services.calls import NotNow
from checkout.services.enquiries import Asking
from checkout.store.due import refund_to_move
from checkout.store.models import Merchant, Payment, Refund
from checkout.store.moves import lock_session, move_refund

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # twice the longest refund call: a crash leaves the row due
SEND_SECONDS = 30.0


def move_next_refund(asking: Asking) -> bool:
    """Send one queued refund, or ask about one that was sent. False: none is due."""
    with asking.reading.connect() as connection:
        due = refund_to_move(connection, asking.clock(), busy=asking.lanes.busy)
    if due is None:
        return False
    refund_id, merchant_id = due
    with asking.lanes.entered(merchant_id) as free, asking.sessions() as db:
        return free and _move(db, asking, refund_id)


def _move(db: Session, asking: Asking, refund_id: str) -> bool:
    now = asking.clock()
    refund = db.get_one(Refund, refund_id, populate_existing=True)
    if refund.status in REFUND_IN_FLIGHT:
        return _enquire(db, asking, refund, now)
    if refund.status is not RefundStatus.RESERVED:
        return False
    if later := refunding.pause_ends(now) or _after_its_siblings(db, refund, now):
        refund_news.later(db, refund, later)
        db.commit()
        return True
    return _send(db, asking, refund, now)


def _after_its_siblings(db: Session, refund: Refund, now: datetime) -> datetime | None:
    """QFPay refuses quick successive refunds of one payment: one at a time, some seconds apart."""
    siblings = db.execute(
        select(Refund.status, Refund.sent_at).where(
            Refund.payment_id == refund.payment_id, Refund.id != refund.id, Refund.sent_at.is_not(None)
        )
    ).all()
    waits = dict.fromkeys(REFUND_IN_FLIGHT, refunding.UNTIL_STUCK)
    busy = any(sent_at and now - sent_at < waits.get(status, refunding.BETWEEN) for status, sent_at in siblings)
    return now + refunding.BETWEEN if busy else None


def _send(db: Session, asking: Asking, refund: Refund, now: datetime) -> bool:
    merchant, payment = db.get_one(Merchant, refund.merchant_id), db.get_one(Payment, refund.payment_id)
    gateway = _gateway(db, asking, refund, merchant, now)
    if gateway is None:
        return True
    try:
        calls.permit(db, asking.terms, gateway.budget_key, Use.REFUND, asking.clock)
    except NotNow as reason:
        refund_news.wait(db, asking, refund, reason.until, now)
        db.commit()
        return True
    lock_session(db, refund.session_id)  # another process may be sending its sibling at this moment
    if later := _after_its_siblings(db, refund, now):
        refund_news.later(db, refund, later)
        db.commit()
        return True
    if not _claim(db, refund, now):
        return False
    crash_point("refund.claimed")
    order = RefundOrder(
        out_trade_no=refund.out_trade_no,
        payment_syssn=payment.syssn,
        amount=refund.amount,
        currency=payment.currency,
        created_at=now,
    )
    db.commit()  # nothing stays open while we call, and what was read stays readable
    outcome: RefundOutcome = calls.send(db, gateway, lambda: gateway.refund(order, seconds=SEND_SECONDS), asking.clock)
    crash_point("refund.answered")
    refund_news.record(db, asking, refund, outcome, sent_at=now)
    return True


def _claim(db: Session, refund: Refund, now: datetime) -> bool:
    """Commits: from here on it may be at the gateway, whatever becomes of us."""
    claimed = move_refund(
        db,
        refund.id,
        RefundStatus.SENT,
        next_at=now + LEASE,
        sent_at=now,
        tries=Refund.tries + 1,
        missing_since=None,
        failure_code=refund_news.OF_A_NEW_SENDING,
    )
    crash_point("refund.before_claim")
    db.commit()
    return claimed


def _gateway(db: Session, asking: Asking, refund: Refund, merchant: Merchant, now: datetime) -> Gateway | None:
    """None, and the refund looked at again in an hour, when SECRET_KEY no longer opens the client key."""
    try:
        return asking.gateways.of(merchant)
    except CannotOpen:
        log.exception("the client key cannot be opened", extra={"merchant": merchant.id})
        refund_news.wait(db, asking, refund, now + timedelta(hours=1), now)
        db.commit()
        return None


def _enquire(db: Session, asking: Asking, refund: Refund, now: datetime) -> bool:
    claimed = db.execute(
        update(Refund)
        .where(Refund.id == refund.id, Refund.status.in_(REFUND_IN_FLIGHT), Refund.next_at <= now)
        .values(next_at=now + LEASE)
        .returning(Refund.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    if claimed is None:
        return False
    gateway = _gateway(db, asking, refund, db.get_one(Merchant, refund.merchant_id), now)
    if gateway is None:
        return True
    # It may have waited for months; its record is of a month in which it was sent, or soon after.
    sent_at = refund.sent_at or refund.created_at
    first = sent_at if refund.tries == 1 else refund.created_at
    windows = windows_for(first, sent_at + timedelta(days=30), now)
    db.commit()  # nothing stays open while we call, and what was read stays readable
    crash_point("refund.before_enquiry")
    answers: list[Enquiry] = []
    try:
        for window in windows:
            question = partial(gateway.enquire, [refund.out_trade_no], window)
            answers.append(calls.ask(db, asking.terms, gateway, question, use=Use.ENQUIRE, clock=asking.clock))
    except GatewayError as error:
        log.warning("enquiry about a refund got no answer: %s", error, extra={"refund": refund.id})
        again = refunding.after_no_answer(asking.clock(), since=refund.sent_at or refund.created_at)
        refund_news.wait(db, asking, refund, again, asking.clock())
        db.commit()
        return True
    crash_point("refund.enquired")
    refund_news.hear(db, asking, refund, answers, now)
    return True
