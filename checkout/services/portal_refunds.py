"""Refunds that somebody made in QFPay's portal, past us: found in the gateway's records, booked as what they are."""

import logging
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import RefundStatus
from checkout.gateway.records import Record
from checkout.services import differences, reviews
from checkout.services.chronicle import WORKER, Detail, write_down
from checkout.services.differences import Finding
from checkout.services.events import announce
from checkout.services.refunds import take_from_what_is_left, write_with_its_number
from checkout.services.terms import Terms
from checkout.store.models import Payment, Refund, TradeNo
from checkout.store.moves import lock_session, touch_session

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
    return _storable(record.out_trade_no, 128) and db.scalar(ours) is not None


def book_portal_refund(db: Session, terms: Terms, merchant_id: str, record: Record, now: datetime) -> Portal:
    """Book one record of a refund that we did not make, once per syssn, and never beyond what was paid.

    The reservation is the same conditional UPDATE that all refunds go by. Commits nothing; raises
    IntegrityError when another process is booking it at this moment.
    """
    origin = record.orig_syssn or ""
    if not _storable(origin, 64):
        return Portal.STRANGE
    payment = db.scalar(select(Payment).where(Payment.merchant_id == merchant_id, Payment.syssn == origin))
    if payment is None:
        return Portal.STRANGE
    met = book_what_went_back(db, terms, payment, record, now)
    if met is Portal.EXCEEDS and differences.note(db, terms, _excess(payment, record), now).found_at != now:
        return Portal.STILL_EXCEEDS
    return met


def book_what_went_back(db: Session, terms: Terms, payment: Payment, record: Record, now: datetime) -> Portal:
    """Count what no refund of ours stands for as one that succeeded, so that it cannot be given back once more.

    Takes, books and raises as above; what exceeds is the caller's to write down.
    """
    if not (record.amount and record.code == DONE and _storable(record.syssn, 64)):
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
    db.refresh(payment)
    if payment.refunded == payment.amount:  # the record of the payment may have told us before, without saying how
        reviews.explain_review(db, terms, payment.session_id, "returned_elsewhere", now)
    details: dict[str, Detail] = {
        "session": refund.session_id,
        "amount": refund.amount,
        "currency": payment.currency,
        "cause": PORTAL,
    }
    write_down(db, actor=WORKER, action="refund_found", subject=refund.id, details=details, now=now)
    log.warning("refund made past us", extra={"session": payment.session_id, "refund": refund.id})
    return Portal.BOOKED


def has_invented_number(refund: Refund) -> bool:
    """Whether the gateway has never heard of the refund's number: only its syssn tells it apart there."""
    return refund.cause == PORTAL and refund.out_trade_no in _inventions(refund.id, refund.syssn or "")


def _excess(payment: Payment, record: Record) -> Finding:
    return Finding(
        payment.merchant_id,
        "refund_exceeds",
        record.out_trade_no,
        record.syssn,
        session_id=payment.session_id,
        amount=record.amount,
        currency=payment.currency,
        details={"payment": payment.id, "paid": payment.amount},
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
    return next(wish for wish in wishes if _storable(wish, 128) and not db.scalar(taken.where(TradeNo.number == wish)))


def _inventions(refund_id: str, syssn: str) -> tuple[str, str]:
    return f"portal_{syssn}", f"portal_{refund_id}"


def _storable(text: str, longest: int) -> bool:
    return 1 <= len(text) <= longest and text.isascii() and text.isprintable()
