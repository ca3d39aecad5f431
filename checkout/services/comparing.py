"""Comparing our books with the gateway's, both ways: what it holds and we do not is heard, all else is written down."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import RefundStatus
from checkout.gateway.client import Says
from checkout.gateway.months import windows_between
from checkout.services.catching_up import Comparison, hear_payments, hear_refund, keep_lost_numbers
from checkout.services.differences import LONGEST_SYSSN, plain
from checkout.services.portal_refunds import has_invented_number
from checkout.services.statements import Reader, Span, Told
from checkout.store.models import Merchant, Payment, Refund

A_DAY = timedelta(days=1)
SETTLING = timedelta(minutes=10)  # the gateway may list later what it has said in an answer or a notification


def compare(reader: Reader, merchant_id: str, span: Span, *, restored: bool = False) -> Comparison:
    """Everything of one merchant in a span, unit by unit, each committed. Raises GatewayError before anything is done.

    What ours the span's statement lacks is asked about by number in the months around it, before it is called
    missing: a record near midnight may be filed under the neighbouring day. With `restored` books, numbers that
    only the gateway remembers are taken for good, paid or not.
    """
    outcome = Comparison(reader.db, reader.asking, merchant_id, _twins(reader.db, merchant_id))
    told = reader.statement(span.windows)
    payments, refunds = _ours(reader.db, merchant_id, span, min(span.settled_by, reader.asking.clock() - SETTLING))
    refunds = [refund for refund in refunds if not has_invented_number(refund)]  # it cannot be asked about
    around = windows_between(span.start - A_DAY, max(span.end, min(span.end + A_DAY, reader.asking.clock())))
    told += reader.about(_not_listed(payments, refunds, told), around)
    settled = [one for one in told if one.before(span.settled_by)]
    hear_payments(outcome, [one for one in settled if one.paid])
    for one in settled:
        if one.refunded:
            hear_refund(outcome, one)
    if restored:
        keep_lost_numbers(outcome, told)
    _miss_payments(outcome, payments, told)
    _miss_refunds(outcome, refunds, told)
    _explain_returns(outcome, reader, span, told)
    outcome.payments, outcome.refunds = len({*_paid(settled)}), len({*_refunded(settled)})
    return outcome


def _twins(db: Session, merchant_id: str) -> frozenset[str]:
    """Whose records the gateway mixes with ours: an app code asked without mchid tells of all its shops."""
    me = db.get_one(Merchant, merchant_id)
    same = select(Merchant.id).where(
        Merchant.app_code == me.app_code, Merchant.base_url == me.base_url, Merchant.id != me.id
    )
    return frozenset(db.scalars(same if me.mchid is None else same.where(Merchant.mchid == me.mchid)))


def _paid(told: Sequence[Told]) -> Iterator[str]:
    return (one.record.syssn for one in told if one.paid)


def _refunded(told: Sequence[Told]) -> Iterator[str]:
    return (one.record.syssn for one in told if one.refunded)


def _ours(db: Session, merchant_id: str, span: Span, listed_by: datetime) -> tuple[Sequence[Payment], Sequence[Refund]]:
    """What we booked in this span, by the same moment as the gateway's own: when its record was made.

    Without what the gateway has not listed yet, and need not have listed by then.
    """
    listed = or_(Payment.proof == "enquiry", Payment.confirmed_at.is_not(None), Payment.created_at <= listed_by)
    made = func.coalesce(Payment.system_at, Payment.paid_at, Payment.created_at)
    payments = select(Payment).where(
        Payment.merchant_id == merchant_id, made >= span.start, made < span.end, Payment.created_at <= span.settled_by,
        listed,
    )  # fmt: skip
    refunds = select(Refund).where(
        Refund.merchant_id == merchant_id,
        Refund.status == RefundStatus.SUCCEEDED,
        Refund.sent_at >= span.start,
        Refund.sent_at < span.end,
        Refund.sent_at <= listed_by,
    )
    found = db.scalars(payments).all(), db.scalars(refunds).all()
    db.commit()
    return found


def _not_listed(payments: Sequence[Payment], refunds: Sequence[Refund], told: Sequence[Told]) -> list[str]:
    paid, refunded = {*_paid(told)}, {*_refunded(told)}
    missing = [payment.out_trade_no for payment in payments if payment.syssn not in paid]
    missing += [refund.out_trade_no for refund in refunds if refund.syssn not in refunded]
    return list(dict.fromkeys(missing))


def _miss_payments(outcome: Comparison, payments: Sequence[Payment], told: Sequence[Told]) -> None:
    """A record without a name is its attempt's, so that here a number that succeeded speaks for its payment too."""
    paid = {*_paid(told)} | {one.record.out_trade_no for one in told if one.paid and not one.record.syssn}
    codes = {one.record.syssn: one.record.code for one in told}
    for payment in payments:
        if payment.syssn not in paid and payment.out_trade_no not in paid:
            facts = _facts(payment, payment.syssn, codes) | {"currency": payment.currency}
            outcome.unit(partial(outcome.note, "payment_missing_at_gateway", **facts))


def _miss_refunds(outcome: Comparison, refunds: Sequence[Refund], told: Sequence[Told]) -> None:
    done = {*_refunded(told)} | {one.record.out_trade_no for one in told if one.refunded}
    codes = {one.record.out_trade_no: one.record.code for one in told if one.record.kind == "refund"}
    for refund in refunds:
        if refund.syssn not in done and refund.out_trade_no not in done:
            facts = _facts(refund, refund.syssn or "", codes)
            outcome.unit(partial(outcome.note, "refund_missing_at_gateway", **facts))


def _facts(row: Payment | Refund, syssn: str, codes: dict[str, str]) -> dict[str, Any]:
    code = codes.get(syssn) or codes.get(row.out_trade_no)
    return {
        "out_trade_no": row.out_trade_no,
        "syssn": syssn,
        "session_id": row.session_id,
        "amount": row.amount,
        "details": {"code": code} if code else {},
    }


def _explain_returns(outcome: Comparison, reader: Reader, span: Span, told: Sequence[Told]) -> None:
    """A payment that went back whole has refunds that say so; made in the portal, perhaps on a later day."""
    returned = [one for one in told if one.record.says is Says.RETURNED and one.before(span.settled_by)]
    if not any(_unexplained(outcome, one) for one in returned):
        return
    later = reader.statement(windows_between(span.end, outcome.asking.clock()))
    for one in later:
        if one.refunded and one.before(span.settled_by):
            hear_refund(outcome, one)
    explained = {one.record.orig_syssn for one in (*told, *later) if one.refunded}
    for one in returned:
        if one.record.syssn not in explained and (payment := _unexplained(outcome, one)):
            facts = {"session_id": payment.session_id, "syssn": payment.syssn}
            outcome.unit(partial(outcome.note, "payment_returned", one, **facts))


def _unexplained(outcome: Comparison, told: Told) -> Payment | None:
    payment = outcome.db.scalar(
        select(Payment)
        .where(Payment.merchant_id == outcome.merchant_id, Payment.syssn == plain(told.record.syssn, LONGEST_SYSSN))
        .execution_options(populate_existing=True)
    )
    outcome.db.commit()
    return payment if payment and payment.refunded < payment.amount else None
