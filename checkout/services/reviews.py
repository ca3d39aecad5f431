"""A person must look: the flag beside a session's status, with its reason, and what that person may decide."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from checkout.domain.errors import NotFound, Refused
from checkout.domain.lifecycle import REFUND_IN_FLIGHT, RefundStatus, Role, SessionStatus, public_status
from checkout.domain.refunding import MOST_TRIES, NOTHING_LEFT
from checkout.services.chronicle import OPERATOR, WORKER, Detail, write_down
from checkout.services.events import announce
from checkout.services.refunds import reserve
from checkout.services.snapshots import rfc3339
from checkout.services.terms import Terms
from checkout.services.twins import notice_twins
from checkout.store.models import CheckoutSession, Event, Payment, Refund
from checkout.store.moves import lock_session, move_session
from checkout.store.oversight import AuditEntry, Difference

log = logging.getLogger(__name__)

ANSWERED_BY = timedelta(minutes=5)  # no call takes so long, nor does a process that has slept
# What is found later explains these together, and then closes the review.
EXPLAINED = frozenset({"payment_returned", "returned_elsewhere", "refund_exceeds", "refund_unknown"})
ENDED_UNPAID = frozenset({SessionStatus.EXPIRED, SessionStatus.CANCELLED})


def open_review_once(
    db: Session, terms: Terms, session_id: str, reason: str, now: datetime, *, since: datetime | None = None
) -> bool:
    """The same for what the gateway says again each time it is asked: a person who has looked is not called again.

    With `since`, only who was called since then has looked.
    """
    about = f"{session_id}:checkout_session.review_opened:{reason}:"
    called = [Event.session_id == session_id, Event.about.startswith(about)]
    if since:
        called.append(Event.created_at >= since)
    if db.scalar(select(Event.id).where(*called).limit(1)):
        return False
    return open_review(db, terms, session_id, reason, now)


def open_review(db: Session, terms: Terms, session_id: str, reason: str, now: datetime) -> bool:
    """Flag the session, once, and tell the merchant. The first reason stays. Commits nothing."""
    version = _flag(db, session_id, reason, only_if=CheckoutSession.review.is_(None))
    if version is None:
        _note_another(db, session_id, reason, now)
        return False
    log.error("session needs review: %s", reason, extra={"session": session_id})
    # With its version: what was closed may open again for the same reason, and that is news.
    announce(db, terms, session_id, "checkout_session.review_opened", now, about=f"{reason}:{version}")
    write_down(db, actor=WORKER, action="review_opened", subject=session_id, details={"because": reason}, now=now)
    return True


def _note_another(db: Session, session_id: str, reason: str, now: datetime) -> None:
    """Under review already, for something else perhaps: what nothing will explain by itself must not go with it."""
    flagged = db.scalar(select(CheckoutSession.review).where(CheckoutSession.id == session_id))
    together = {reason, flagged} <= EXPLAINED
    if reason != flagged and not together and reason not in _other_reasons(db, session_id):
        log.error("session needs review: %s", reason, extra={"session": session_id})
        details = {"because": reason}
        write_down(db, actor=WORKER, action="review_reason_added", subject=session_id, details=details, now=now)


def _other_reasons(db: Session, session_id: str) -> list[str]:
    """Those that came after the one for which the review was opened."""
    its = AuditEntry.subject == session_id
    opened = select(func.max(AuditEntry.id)).where(its, AuditEntry.action == "review_opened").scalar_subquery()
    added = select(AuditEntry.details).where(its, AuditEntry.action == "review_reason_added", AuditEntry.id > opened)
    return [details["because"] for details in db.scalars(added)]


def explain_review(db: Session, terms: Terms, session_id: str, reason: str, now: datetime) -> bool:
    """What we have learnt since explains the flag, so that nobody need look. False: it stays as it was.

    Only if it is there for this reason, and no later one hides behind it: the first reason stays. Commits nothing.
    """
    flagged = db.scalar(select(CheckoutSession.review).where(CheckoutSession.id == session_id)) == reason
    if not flagged or any(db.scalar(select(query.exists())) for query in _reasons_to_look(session_id)):
        return False
    if _other_reasons(db, session_id):
        return False
    return _close(db, terms, session_id, now)


def _reasons_to_look(session_id: str) -> tuple[Select[str], ...]:
    """Whatever the flag says: money that no order stands for, a difference, a refund that failed by itself."""
    return (
        select(Payment.id).where(
            Payment.session_id == session_id, Payment.role != Role.ACCEPTED, Payment.refunded < Payment.amount
        ),
        select(Difference.id).where(Difference.session_id == session_id, Difference.resolved_at.is_(None)),
        select(Refund.id).where(
            Refund.session_id == session_id,
            Refund.status == RefundStatus.FAILED,
            Refund.cause != "merchant",
            func.coalesce(Refund.failure_code, "").not_in(NOTHING_LEFT),
        ),
    )


def open_reviews(db: Session, merchant_id: str | None = None) -> list[dict[str, Any]]:
    """Every session that a person must look at, or one merchant's; the longest waiting first, with the money in it."""
    opened = (
        select(func.max(Event.created_at))
        .where(Event.session_id == CheckoutSession.id, Event.type == "checkout_session.review_opened")
        .correlate(CheckoutSession)
        .scalar_subquery()
    )
    query = select(CheckoutSession, opened).where(CheckoutSession.review.is_not(None)).order_by(opened)
    rows = db.execute(query.where(CheckoutSession.merchant_id == merchant_id) if merchant_id else query)
    return [_listed(db, session, since) for session, since in rows.all()]


def _listed(db: Session, session: CheckoutSession, since: datetime | None) -> dict[str, Any]:
    return {
        "session": session.id,
        "merchant": session.merchant_id,
        "reference": session.reference,
        "support_code": session.support_code,
        "status": public_status(session.status),
        "because": session.review,
        "also": _other_reasons(db, session.id),
        "since": rfc3339(since),
        "amount": session.amount,
        "currency": session.currency,
        "payments": [
            {
                "id": payment.id,
                "role": payment.role,
                "out_trade_no": payment.out_trade_no,
                "syssn": payment.syssn,
                "amount": payment.amount,
                "currency": payment.currency,
                "given_back": payment.refunded,
                "paid_at": rfc3339(payment.paid_at),
            }
            for payment in _payments(db, session.id)
        ],
    }


def close_review(
    db: Session, terms: Terms, session_id: str, *, reason: str, now: datetime, actor: str = OPERATOR
) -> None:
    """A person has looked, and nothing is left to do; commit.

    Raises NotFound, and Refused when there is no review or money that came twice is still with us.
    """
    payments = _locked_payments(db, session_id)
    if any(payment.role is Role.SURPLUS and payment.refunded < payment.amount for payment in payments):
        raise Refused("money that came twice is still here: give it back with `review refund`")
    if not _close(db, terms, session_id, now):
        raise Refused("this session is not under review")
    _decided(db, session_id, {"decision": "closed", "reason": reason}, actor, now)


def give_back_what_is_held(
    db: Session, terms: Terms, session_id: str, *, reason: str, now: datetime, actor: str = OPERATOR
) -> int:
    """Send back the rest of all money that no order stands for, end the review, and commit; how much it is.

    Raises NotFound, and Refused when nothing is held.
    """
    held = [payment for payment in _locked_payments(db, session_id) if payment.role is not Role.ACCEPTED]
    amount = sum(_give_back(db, payment, reason, actor, now) for payment in held)
    if not amount:
        raise Refused("there is no money in this session that is late, came twice or does not fit and is still here")
    _close(db, terms, session_id, now)
    _decided(db, session_id, {"decision": "refunded", "amount": amount, "reason": reason}, actor, now)
    return amount


def send_again(db: Session, session_id: str, *, reason: str, now: datetime, actor: str = OPERATOR) -> int:
    """Let refunds that were sent as often as they may be, and are still unknown, be sent once more; commit; how many.

    Under their own numbers, once the gateway's records have been asked and do not show them. Raises NotFound, and
    Refused when there is none.
    """
    _locked_payments(db, session_id)
    given_up = update(Refund).where(
        Refund.session_id == session_id,
        Refund.status.in_(REFUND_IN_FLIGHT),  # also where a process died before it had heard the answer
        Refund.tries >= MOST_TRIES,
        Refund.sent_at <= now - ANSWERED_BY,
    )
    again = given_up.values(tries=MOST_TRIES - 1, next_at=now).returning(Refund.id)
    number = len(db.scalars(again.execution_options(synchronize_session=False)).all())
    if not number:
        raise Refused("no refund of it was sent as often as it may be and is still unknown")
    _decided(db, session_id, {"decision": "sent_again", "refunds": number, "reason": reason}, actor, now)
    return number


def accept_late_money(
    db: Session, terms: Terms, session_id: str, *, reason: str, now: datetime, actor: str = OPERATOR
) -> None:
    """Take the late payment for the order: the session becomes paid, with the events of the policy `accept`; commit.

    The one change of a booked payment's role that there is. If more than one came late, the first is
    taken and the others go back. Raises NotFound, and Refused when there is none that is whole.
    """
    payments = _locked_payments(db, session_id)
    late = [payment for payment in payments if payment.role is Role.LATE]
    whole = next((payment for payment in late if payment.refunded == 0), None)
    if whole is None:
        raise Refused("there is no late payment in this session that is still here as a whole")
    values = {"paid_at": whole.paid_at or now, "due_at": None}
    if not move_session(db, session_id, SessionStatus.PAID, only_from=ENDED_UNPAID, **values):
        raise Refused("this session has not ended unpaid")
    db.execute(
        update(Payment)
        .where(Payment.id == whole.id, Payment.role == Role.LATE, Payment.refunded == 0)
        .values(role=Role.ACCEPTED)
        .execution_options(synchronize_session=False)
    )
    for other in late:
        if other is not whole:
            _give_back(db, other, reason, actor, now)
    notice_twins(db, db.get_one(CheckoutSession, session_id, populate_existing=True))
    announce(db, terms, session_id, "checkout_session.paid", now)
    if not any(payment.role is Role.MISMATCH and payment.refunded < payment.amount for payment in payments):
        _close(db, terms, session_id, now)  # else there is money left for a person to decide about
    _decided(db, session_id, {"decision": "accepted", "payment": whole.id, "reason": reason}, actor, now)


def _locked_payments(db: Session, session_id: str) -> Sequence[Payment]:
    lock_session(db, session_id)
    if db.get(CheckoutSession, session_id, populate_existing=True) is None:
        raise NotFound("checkout session")
    return _payments(db, session_id)


def _payments(db: Session, session_id: str) -> Sequence[Payment]:
    query = select(Payment).where(Payment.session_id == session_id).order_by(Payment.paid_at, Payment.id)
    return db.scalars(query.execution_options(populate_existing=True)).all()


def _give_back(db: Session, payment: Payment, reason: str, actor: str, now: datetime) -> int:
    """All that is left of it; the payment's role is the cause, as of what goes back by itself (I17)."""
    left = payment.amount - payment.refunded
    refund = reserve(db, payment, left, cause=payment.role.value, reason=reason, now=now, actor=actor)
    return refund.amount if refund else 0


def _close(db: Session, terms: Terms, session_id: str, now: datetime) -> bool:
    version = _flag(db, session_id, None, only_if=CheckoutSession.review.is_not(None))
    if version is not None:
        announce(db, terms, session_id, "checkout_session.review_closed", now, about=str(version))
    return version is not None


def _flag(db: Session, session_id: str, review: str | None, *, only_if: ColumnElement[bool]) -> int | None:
    """The session's new version; None when somebody else was first."""
    return db.execute(
        update(CheckoutSession)
        .where(CheckoutSession.id == session_id, only_if)
        .values(review=review, version=CheckoutSession.version + 1)
        .returning(CheckoutSession.version)
        .execution_options(synchronize_session=False)
    ).scalar()


def _decided(db: Session, session_id: str, details: dict[str, Detail], actor: str, now: datetime) -> None:
    write_down(db, actor=actor, action="review_decided", subject=session_id, details=details, now=now)
    db.commit()
