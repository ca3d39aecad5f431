"""Taking in what the gateway says about an attempt. Safe to repeat, in any order, by several processes at once."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import FINAL_SESSION, AttemptStatus, Role, SessionStatus
from checkout.gateway.codes import NUMBER_USED, Says
from checkout.gateway.records import Record
from checkout.services import reviews
from checkout.services.events import announce
from checkout.services.failures import reason_for
from checkout.services.portal_refunds import hear_refunds
from checkout.services.refunds import reserve
from checkout.services.terms import Terms
from checkout.services.twins import notice_twins
from checkout.store.models import Attempt, CheckoutSession, Payment
from checkout.store.moves import lock_session, move_attempt, move_session, touch_session, wake_closing

log = logging.getLogger(__name__)

# After its end of life a record may for ever read 1143, "not paid, password being entered"
# (qfpay.md section 11, "Expired order"). Five minutes later nobody is entering one any more.
PASSWORD_ENTRY = timedelta(minutes=5)
STILL_OPEN_CODES = {"1143"}
CONTRADICTED_FOR = timedelta(days=1)


def hear(
    db: Session, terms: Terms, attempt_id: str, records: Sequence[Record], *, asked_at: datetime, now: datetime
) -> bool:
    """Apply all records of one attempt's number, as an enquiry sent at `asked_at` found them.

    True when anything changed, so that the answer is worth keeping. Commits nothing. Raises
    IntegrityError when another process is booking the same payment at this moment.
    """
    attempt = db.get_one(Attempt, attempt_id, populate_existing=True)
    lock_session(db, attempt.session_id)
    payments = [r for r in records if r.kind == "payment" and r.out_trade_no == attempt.out_trade_no]
    moved_money = sorted(
        (r for r in payments if r.says in (Says.SUCCEEDED, Says.RETURNED)), key=lambda r: (r.paid_at or now, r.syssn)
    )
    changed = hear_refunds(db, terms, attempt.merchant_id, records, now)
    if payments and attempt.failure_code in NUMBER_USED:  # it is ours after all
        changed |= reviews.explain_review(db, terms, attempt.session_id, "number_used", now)
    for record in moved_money:  # the earliest success is accepted, the rest is surplus
        changed |= _settle(db, terms, attempt, record, now)
    if not moved_money:
        changed |= _note(db, terms, attempt, payments, asked_at=asked_at, now=now)
    return _doubt(db, terms, attempt, asked_at, now) or changed


def believe(db: Session, terms: Terms, attempt_id: str, record: Record, now: datetime) -> bool:
    """Settle by a genuine notification alone, because nobody answers enquiries; only if it says exactly what we asked.

    Asking goes on until an enquiry confirms it. Commits nothing; raises IntegrityError as `hear` does.
    """
    attempt = db.get_one(Attempt, attempt_id, populate_existing=True)
    lock_session(db, attempt.session_id)
    session = db.get_one(CheckoutSession, attempt.session_id, populate_existing=True)
    if record.kind != "payment" or record.says is not Says.SUCCEEDED or _mismatch(session, attempt, record):
        return False
    return _settle(db, terms, attempt, record, now, proof="notification")


def _settle(
    db: Session, terms: Terms, attempt: Attempt, record: Record, now: datetime, *, proof: str = "enquiry"
) -> bool:
    """Book one payment, once; the unique syssn refuses a second process that books it at the same time."""
    if not record.syssn:
        if not attempt.syssn:  # money without a name cannot be booked once, so a person must find out which it is
            return reviews.open_review_once(db, terms, attempt.session_id, "nameless_payment", now)
        record = replace(record, syssn=attempt.syssn)
    if not _storable(record):
        return reviews.open_review(db, terms, attempt.session_id, "unreadable_answer", now)
    known = select(Payment).where(Payment.merchant_id == attempt.merchant_id, Payment.syssn == record.syssn)
    if booked := db.scalar(known.execution_options(populate_existing=True)):
        return _compare(db, terms, attempt, booked, record, now=now, proof=proof)
    session = db.get_one(CheckoutSession, attempt.session_id, populate_existing=True)
    mismatch = _mismatch(session, attempt, record)
    role = Role.MISMATCH if mismatch else _claim(db, session, record, now)
    payment = _payment(attempt, session, record, role, now)
    payment.proof = proof
    crash_point("payment.before_fact")
    db.add(payment)
    db.flush()
    crash_point("payment.booked")
    move_attempt(db, attempt.id, AttemptStatus.SUCCEEDED, syssn=record.syssn)
    touch_session(db, session.id)
    log.info("payment is %s", role, extra={"session": session.id, "attempt": attempt.id, "syssn": record.syssn})
    _tell(db, terms, session, record, payment, mismatch=mismatch, now=now)
    crash_point("payment.announced")
    return True


def _compare(
    db: Session, terms: Terms, attempt: Attempt, booked: Payment, record: Record, *, now: datetime, proof: str
) -> bool:
    """The same payment again: it confirms what is booked, or a person must find out why it differs."""
    if booked.attempt_id != attempt.id:
        return reviews.open_review_once(db, terms, attempt.session_id, "syssn_of_another", now)
    theirs = (record.amount, record.currency, record.pay_type)
    if theirs != (booked.amount, booked.currency, booked.pay_type):
        return reviews.open_review_once(db, terms, attempt.session_id, "contradicted", now)
    if record.says is Says.RETURNED and booked.refunded < booked.amount and booked.role is not Role.MISMATCH:
        return reviews.open_review(db, terms, attempt.session_id, "returned_elsewhere", now)
    if proof == "enquiry" and booked.proof == "notification" and booked.confirmed_at is None:
        db.execute(update(Payment).where(Payment.id == booked.id).values(confirmed_at=now))
        log.info("an enquiry confirms the notification", extra={"attempt": attempt.id, "syssn": record.syssn})
        return True
    return False


def unconfirmed(db: Session, attempt_id: str) -> Payment | None:
    """A payment that only a notification vouches for."""
    alone = select(Payment).where(
        Payment.attempt_id == attempt_id, Payment.proof == "notification", Payment.confirmed_at.is_(None)
    )
    return db.scalar(alone.limit(1).execution_options(populate_existing=True))


def _doubt(db: Session, terms: Terms, attempt: Attempt, asked_at: datetime, now: datetime) -> bool:
    """For a day the gateway's own enquiries have known nothing of what its notification said: no flip, a person."""
    if attempt.status is not AttemptStatus.SUCCEEDED:
        return False
    alone = unconfirmed(db, attempt.id)
    if alone is None or alone.created_at > asked_at - CONTRADICTED_FOR:
        return False
    return reviews.open_review_once(db, terms, attempt.session_id, "contradicted", now)


def _storable(record: Record) -> bool:
    """Whether it names an amount, and our columns and PostgreSQL can hold its words letter for letter.

    What it does not say is never filled in from our own order: a booked payment is the gateway's word alone.
    """
    if not record.amount:
        return False
    texts = ((record.syssn, 64), (record.currency, 3), (record.pay_type, 6))
    return all(len(text) <= longest and text.isascii() and text.isprintable() for text, longest in texts)


def _mismatch(session: CheckoutSession, attempt: Attempt, record: Record) -> str | None:
    """Only the gateway's record of exactly what we asked for proves a payment (design.md section 3, rule 3)."""
    if record.says is Says.RETURNED:
        return "returned"
    for what, theirs, ours in (
        ("amount", record.amount, session.amount),
        ("currency", record.currency, session.currency),
        ("pay_type", record.pay_type, attempt.pay_type),
    ):
        if theirs != ours:
            return f"{what}_mismatch"
    return None


def _claim(db: Session, session: CheckoutSession, record: Record, now: datetime) -> Role:
    """Try to make this payment the accepted one: one UPDATE, and the database decides."""
    in_time = record.paid_at is None or record.paid_at <= session.expires_at
    accepts_late = session.late_payment == "accept"
    sources = {SessionStatus.OPEN, SessionStatus.CLOSING} if in_time or accepts_late else set()
    if accepts_late:
        sources |= {SessionStatus.EXPIRED, SessionStatus.CANCELLED}
    if sources and move_session(
        db, session.id, SessionStatus.PAID, only_from=sources, paid_at=record.paid_at or now, due_at=None
    ):
        return Role.ACCEPTED
    status = db.scalar(select(CheckoutSession.status).where(CheckoutSession.id == session.id))
    return Role.SURPLUS if status == SessionStatus.PAID else Role.LATE


def _payment(attempt: Attempt, session: CheckoutSession, record: Record, role: Role, now: datetime) -> Payment:
    return Payment(
        id=new_ordered_id("py_"),
        merchant_id=attempt.merchant_id,
        session_id=session.id,
        attempt_id=attempt.id,
        role=role,
        out_trade_no=record.out_trade_no,
        syssn=record.syssn,
        amount=record.amount,
        currency=record.currency,
        pay_type=record.pay_type,
        paid_at=record.paid_at,
        system_at=record.system_at,
        created_at=now,
    )


def _tell(
    db: Session,
    terms: Terms,
    session: CheckoutSession,
    record: Record,
    payment: Payment,
    *,
    mismatch: str | None,
    now: datetime,
) -> None:
    role = payment.role
    late = role is Role.ACCEPTED and (
        session.status in FINAL_SESSION or (record.paid_at is not None and record.paid_at > session.expires_at)
    )
    if late or role is Role.LATE:
        announce(db, terms, session.id, "payment.late", now, about=record.syssn)
    if role is Role.ACCEPTED:
        notice_twins(db, session)
        announce(db, terms, session.id, "checkout_session.paid", now)
    elif role is Role.SURPLUS:
        crash_point("surplus.booked")
        _send_back(db, payment, "surplus", now)
        crash_point("surplus.reserved")
        announce(db, terms, session.id, "payment.surplus", now, about=record.syssn)
    elif role is Role.LATE and session.late_payment == "refund":
        _send_back(db, payment, "late", now)
    else:
        reviews.open_review(db, terms, session.id, mismatch or "late", now)


def _send_back(db: Session, payment: Payment, cause: str, now: datetime) -> None:
    """What nobody may keep goes back by itself, booked in the same transaction as the payment."""
    if reserve(db, payment, payment.amount, cause=cause, reason="", now=now) is None:
        raise AssertionError("a payment that was just booked has all of itself left")


def _note(
    db: Session, terms: Terms, attempt: Attempt, records: Sequence[Record], *, asked_at: datetime, now: datetime
) -> bool:
    """No money moved: what the records, or their absence, say about the attempt."""
    ended = asked_at >= attempt.ends_at
    unpaid_for_good = asked_at >= attempt.ends_at + PASSWORD_ENTRY
    pending = [r for r in records if r.says is Says.PENDING]
    if any(r.code not in STILL_OPEN_CODES for r in pending) or (pending and not unpaid_for_good):
        return _moved(db, attempt, AttemptStatus.PENDING)
    if (ended and not pending) or unpaid_for_good or (records and all(r.says is Says.CLOSED for r in records)):
        changed = _moved(db, attempt, AttemptStatus.CLOSED)
        wake_closing(db, attempt.session_id, now)
        if not records and attempt.failure_code in NUMBER_USED:  # used, and not by anything that we may see
            changed |= reviews.open_review_once(db, terms, attempt.session_id, "number_used", now)
        return changed
    if failed := next((r for r in records if r.says is Says.FAILED), None):
        changed = _moved(db, attempt, AttemptStatus.FAILED, failure=reason_for(failed.code), failure_code=failed.code)
        if changed:
            announce(db, terms, attempt.session_id, "attempt.failed", now, about=attempt.id)
        return changed
    return False


def _moved(db: Session, attempt: Attempt, news: AttemptStatus, **values: str) -> bool:
    if not move_attempt(db, attempt.id, news, **values):
        return False
    touch_session(db, attempt.session_id)
    return True
