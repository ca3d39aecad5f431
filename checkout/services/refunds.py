"""Refunds: asked for by a merchant, or by ourselves for money that came twice or too late."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain import refunding
from checkout.domain.errors import NotFound, PreconditionFailed, Refused, TooMuch
from checkout.domain.ids import new_ordered_id, new_trade_no
from checkout.domain.lifecycle import RefundStatus, Role
from checkout.domain.orders import RefundWish
from checkout.services.chronicle import WORKER, Detail, by_merchant, write_down
from checkout.services.events import announce
from checkout.services.keys import Answer, Stamp, once
from checkout.services.snapshots import refund_snapshot
from checkout.services.terms import Terms
from checkout.store.models import CheckoutSession, Merchant, Payment, Refund
from checkout.store.moves import lock_session, move_refund, touch_session
from checkout.store.numbers import storable, write_with_its_number


def request_refund(
    db: Session,
    merchant: Merchant,
    session: CheckoutSession,
    wish: RefundWish,
    *,
    key: str,
    now: datetime,
    actor: str = "",
) -> Answer:
    """Reserve the amount and queue the refund; commit. Never waits for the gateway.

    Raises KeyReused, Refused (nothing was paid), TooMuch (names what is left), PreconditionFailed.
    """

    def effect() -> Answer:
        lock_session(db, session.id)
        payment = _accepted(db, session)
        left = payment.amount - payment.refunded
        if wish.amount_left is not None and wish.amount_left != left:
            raise PreconditionFailed(f"{left} is left, not {wish.amount_left}; read the session again")
        amount = left if wish.amount is None else wish.amount
        crash_point("refund.before_reserve")
        asked_by = actor or by_merchant(merchant.id)
        refund = None  # so stays what is more than a database can add up
        if amount <= left:
            refund = reserve(db, payment, amount, cause="merchant", reason=wish.reason, now=now, actor=asked_by)
        if refund is None:
            raise TooMuch(
                {"amount": f"must be at most what is left: {left}" if left else "must be absent: nothing is left"}
            )
        crash_point("refund.reserved")
        return Answer(201, json.dumps(refund_snapshot(refund, payment), ensure_ascii=False))

    return once(
        db, Stamp.of(merchant.id, key, ["refund", session.id, wish.model_dump(exclude_defaults=True)]), effect, now
    )


def _accepted(db: Session, session: CheckoutSession) -> Payment:
    payment = db.scalar(
        select(Payment)
        .where(Payment.session_id == session.id, Payment.role == Role.ACCEPTED)
        .execution_options(populate_existing=True)
    )
    if payment is None:
        raise Refused("nothing was paid in this session, so there is nothing to refund")
    return payment


def reserve(
    db: Session, payment: Payment, amount: int, *, cause: str, reason: str, now: datetime, actor: str = WORKER
) -> Refund | None:
    """Take the amount from what is left by one UPDATE, and queue the refund. None: not so much is left.

    Whatever runs at the same time, the database adds up: no second reservation can see the same money.
    Commits nothing.
    """
    if not take_from_what_is_left(db, payment.id, amount):
        return None
    refund = Refund(
        id=new_ordered_id("rf_"),
        merchant_id=payment.merchant_id,
        session_id=payment.session_id,
        payment_id=payment.id,
        cause=cause,
        reason=reason,
        amount=amount,
        out_trade_no=new_trade_no(),
        status=RefundStatus.RESERVED,
        created_at=now,
        next_at=refunding.pause_ends(now) or now,
    )
    write_with_its_number(db, refund)
    touch_session(db, payment.session_id)
    details: dict[str, Detail] = {
        "session": refund.session_id,
        "amount": amount,
        "currency": payment.currency,
        "cause": cause,
    }
    write_down(db, actor=actor, action="refund_requested", subject=refund.id, details=details, now=now)
    return refund


def take_from_what_is_left(db: Session, payment_id: str, amount: int) -> bool:
    """The one way by which a payment's money is taken for a refund, whoever makes it. Commits nothing."""
    if amount <= 0:
        return False
    taken = db.execute(
        update(Payment)
        .where(Payment.id == payment_id, Payment.refunded + amount <= Payment.amount)
        .values(refunded=Payment.refunded + amount)
        .returning(Payment.id)
        .execution_options(synchronize_session=False)
    )
    return taken.scalar() is not None


def book_done_refund(db: Session, terms: Terms, refund: Refund, syssn: str, now: datetime) -> bool:
    """The gateway shows a refund of ours as done. True for the one caller that writes it down. Commits nothing."""
    lock_session(db, refund.session_id)
    named = syssn if storable(syssn, 64) else ""  # the money is on its way, whatever they call it
    if not move_refund(db, refund.id, RefundStatus.SUCCEEDED, next_at=None, syssn=named, failure_code=None):
        return False
    touch_session(db, refund.session_id)
    announce(db, terms, refund.session_id, "refund.succeeded", now, about=refund.id)
    return True


def give_back(db: Session, refund: Refund) -> None:
    """A failed refund returns what it had reserved; called once, by whoever moved it to failed. Commits nothing."""
    db.execute(
        update(Payment)
        .where(Payment.id == refund.payment_id)
        .values(refunded=Payment.refunded - refund.amount)
        .execution_options(synchronize_session=False)
    )


def refund_of(db: Session, merchant: Merchant, refund_id: str) -> dict[str, Any]:
    """One refund as its merchant reads it. Raises NotFound, for another merchant's too."""
    refund = db.scalar(select(Refund).where(Refund.id == refund_id, Refund.merchant_id == merchant.id))
    if refund is None:
        raise NotFound("refund")
    return refund_snapshot(refund, db.get_one(Payment, refund.payment_id))
