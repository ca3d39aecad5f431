"""Refunds that somebody made in QFPay's portal, past us: found in the gateway's records, booked as what they are."""

import logging
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import RefundStatus
from checkout.domain.refunding import NOTHING_LEFT
from checkout.gateway.records import Record
from checkout.services import differences, reviews
from checkout.services.chronicle import WORKER, Detail, write_down
from checkout.services.differences import Finding
from checkout.services.events import announce
from checkout.services.refunds import take_from_what_is_left
from checkout.services.terms import Terms
from checkout.store.models import Payment, Refund, TradeNo
from checkout.store.moves import lock_session, touch_session
from checkout.store.numbers import storable, write_with_its_number
from checkout.store.oversight import Difference

log = logging.getLogger(__name__)

PORTAL = "portal"
DONE = "0000"


class Portal(Enum):
    """What became of one record of a refund that is not ours."""

    BOOKED = "booked"  # just now
    KNOWN = "known"
    EXCEEDS = "exceeds"  # more than what is left: a person must look
    STILL_EXCEEDS = "still exceeds"  # as we have written down before
    STRANGE = "strange"  # it cannot be read, or we did not book its payment


def hear_refunds(db: Session, terms: Terms, merchant_id: str, records: Sequence[Record], now: datetime) -> bool:
    """Book those of these records that are refunds made in the portal, of payments of ours; pass over all others.

    True when anything changed, so that the answer is worth keeping. Commits nothing. Raises IntegrityError when
    another process is booking the same refund at this moment.
    """
    strangers = [record for record in records if record.kind == "refund" and not _is_ours(db, merchant_id, record)]
    met = {book_portal_refund(db, terms, merchant_id, record, now) for record in strangers}
    return not met.isdisjoint((Portal.BOOKED, Portal.EXCEEDS))


def _is_ours(db: Session, merchant_id: str, record: Record) -> bool:
    ours = select(Refund.id).where(Refund.merchant_id == merchant_id, Refund.out_trade_no == record.out_trade_no)
    return storable(record.out_trade_no, 128) and db.scalar(ours) is not None


def book_portal_refund(db: Session, terms: Terms, merchant_id: str, record: Record, now: datetime) -> Portal:
    """Book one record of a refund that we did not make, once per syssn, and never beyond what was paid.

    The reservation is the same conditional UPDATE that all refunds go by. Commits nothing; raises
    IntegrityError when another process is booking it at this moment.
    """
    origin = record.orig_syssn or ""
    if not storable(origin, 64):
        return Portal.STRANGE
    payment = db.scalar(select(Payment).where(Payment.merchant_id == merchant_id, Payment.syssn == origin))
    if payment is None:
        return Portal.STRANGE
    met = book_what_went_back(db, terms, payment, record, now)
    if met is Portal.EXCEEDS and differences.note(db, terms, _excess(payment, record), now).found_at != now:
        return Portal.STILL_EXCEEDS
    if met is Portal.EXCEEDS:
        _ask_about_ours(db, payment, now)
    return met


def book_what_went_back(db: Session, terms: Terms, payment: Payment, record: Record, now: datetime) -> Portal:
    """Count what no refund of ours stands for as one that succeeded, so that it cannot be given back once more.

    Takes, books and raises as above; what exceeds is the caller's to write down.
    """
    if not (record.amount and record.code == DONE and storable(record.syssn, 64)):
        return Portal.STRANGE
    merchant_id = payment.merchant_id
    lock_session(db, payment.session_id)
    booked = select(Refund.id).where(Refund.merchant_id == merchant_id, Refund.syssn == record.syssn)
    if db.scalar(booked.where(Refund.status != RefundStatus.FAILED)):  # what failed holds nothing
        return Portal.KNOWN
    if not take_from_what_is_left(db, payment.id, record.amount):
        return Portal.EXCEEDS
    refund = _insert(db, payment, record, record.amount, now)
    touch_session(db, payment.session_id)
    announce(db, terms, payment.session_id, "refund.succeeded", now, about=refund.id)
    differences.explain(db, merchant_id, record.syssn, "booked since", now, kinds=("refund_exceeds", "refund_unknown"))
    _explain_the_return(db, terms, payment, refund, now)
    details: dict[str, Detail] = {
        "session": refund.session_id,
        "amount": refund.amount,
        "currency": payment.currency,
        "cause": PORTAL,
    }
    write_down(db, actor=WORKER, action="refund_found", subject=refund.id, details=details, now=now)
    log.warning("refund made past us", extra={"session": payment.session_id, "refund": refund.id})
    return Portal.BOOKED


def _explain_the_return(db: Session, terms: Terms, payment: Payment, refund: Refund, now: datetime) -> None:
    """The payment's own record may have told us before that all of it went back, without saying how."""
    db.refresh(payment)
    if _sent_back(db, payment) == payment.amount:  # not what is only reserved: that may still fail
        how = f"went back by refund {refund.syssn}, booked since"
        differences.explain(db, payment.merchant_id, payment.syssn, how, now, kinds=("payment_returned",))
        reviews.explain_review(db, terms, payment.session_id, "payment_returned", now)
    if payment.refunded == payment.amount:
        reviews.explain_review(db, terms, payment.session_id, "returned_elsewhere", now)


def left_nothing_for(db: Session, refund: Refund) -> bool:
    """Whether it is proven that a refund of ours, of which an enquiry has just found no record, was never made.

    The gateway has refused it, because nothing is left; and other refunds of its payment, each of which the gateway
    has shown us, are exactly all that was paid.
    """
    if refund.status is not RefundStatus.UNKNOWN or refund.failure_code not in NOTHING_LEFT:
        return False
    payment = db.get_one(Payment, refund.payment_id, populate_existing=True)
    return _sent_back(db, payment) + sum(one.amount or 0 for one in _exceeding(db, payment)) == payment.amount


def book_what_exceeded(db: Session, terms: Terms, payment_id: str, now: datetime) -> None:
    """Room was made in this transaction for what was found before and exceeded what was left. Commits nothing.

    Raises as `book_what_went_back` does.
    """
    payment = db.get_one(Payment, payment_id, populate_existing=True)
    for one in _exceeding(db, payment):
        book_what_went_back(db, terms, payment, _as_recorded(payment, one), now)
    db.refresh(payment)
    if payment.refunded == payment.amount:
        for reason in ("refund_exceeds", "refund_unknown"):
            reviews.explain_review(db, terms, payment.session_id, reason, now)


def _ask_about_ours(db: Session, payment: Payment, now: datetime) -> None:
    """What the gateway has refused for want of money may be proven void now: an enquiry decides, at once."""
    refused = update(Refund).where(
        Refund.payment_id == payment.id,
        Refund.status == RefundStatus.UNKNOWN,
        Refund.failure_code.in_(NOTHING_LEFT),
        Refund.next_at > now,
    )
    db.execute(refused.values(next_at=now).execution_options(synchronize_session=False))


def _sent_back(db: Session, payment: Payment) -> int:
    done = Refund.payment_id == payment.id, Refund.status == RefundStatus.SUCCEEDED
    return db.scalar(select(func.sum(Refund.amount)).where(*done)) or 0


def _exceeding(db: Session, payment: Payment) -> list[Difference]:
    """Portal refunds of this payment that stand written down, and are not booked because a reserve was in their way."""
    booked = select(Refund.syssn).where(
        Refund.merchant_id == payment.merchant_id, Refund.syssn.is_not(None), Refund.status != RefundStatus.FAILED
    )
    found = db.scalars(
        select(Difference)
        .where(
            Difference.merchant_id == payment.merchant_id,
            Difference.kind == "refund_exceeds",
            Difference.session_id == payment.session_id,
            Difference.currency.in_(("", payment.currency)),
            Difference.syssn.not_in(booked),
        )
        .order_by(Difference.id)
    )
    return [one for one in found if one.details.get("payment") == payment.id and one.syssn.isalnum()]


def _as_recorded(payment: Payment, excess: Difference) -> Record:
    at = excess.details.get("at")
    return Record(
        kind="refund",
        out_trade_no=excess.out_trade_no if excess.out_trade_no.isalnum() else "",
        syssn=excess.syssn,
        orig_syssn=payment.syssn,
        amount=excess.amount,
        currency=excess.currency,
        pay_type=payment.pay_type,
        code=DONE,
        cancel="",
        paid_at=None,
        system_at=datetime.fromisoformat(at) if at else None,
        mchid=None,
    )


def has_invented_number(refund: Refund) -> bool:
    """Whether the gateway has never heard of the refund's number: only its syssn tells it apart there."""
    return refund.cause == PORTAL and refund.out_trade_no in _inventions(refund.id, refund.syssn or "")


def _excess(payment: Payment, record: Record) -> Finding:
    at = record.system_at or record.paid_at
    return Finding(
        payment.merchant_id,
        "refund_exceeds",
        record.out_trade_no,
        record.syssn,
        session_id=payment.session_id,
        amount=record.amount,
        currency=payment.currency,
        details={"payment": payment.id, "paid": payment.amount, "at": at.isoformat() if at else ""},
    )


def _insert(db: Session, payment: Payment, record: Record, amount: int, now: datetime) -> Refund:
    refund = Refund(
        id=new_ordered_id("rf_"),
        merchant_id=payment.merchant_id,
        session_id=payment.session_id,
        payment_id=payment.id,
        cause=PORTAL,
        reason="",
        amount=amount,
        status=RefundStatus.SUCCEEDED,
        syssn=record.syssn,
        created_at=now,
        sent_at=record.system_at or record.paid_at,
    )
    refund.out_trade_no = _free_number(db, refund.id, record)
    write_with_its_number(db, refund)
    return refund


def _free_number(db: Session, refund_id: str, record: Record) -> str:
    """Its own number when it has one that nobody used; the portal may give none, or the payment's."""
    wishes = (record.out_trade_no, *_inventions(refund_id, record.syssn))
    taken = select(func.count()).select_from(TradeNo)
    return next(wish for wish in wishes if storable(wish, 128) and not db.scalar(taken.where(TradeNo.number == wish)))


def _inventions(refund_id: str, syssn: str) -> tuple[str, str]:
    return f"portal_{syssn}", f"portal_{refund_id}"
