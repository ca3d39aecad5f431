"""A session as merchants read it, in an answer and in an event alike (interface.md section 4)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import RefundStatus, Role, public_refund_status, public_status
from checkout.domain.refunding import LATER
from checkout.services.terms import Terms
from checkout.store.models import Attempt, CheckoutSession, Payment, Refund

Row = TypeVar("Row", Attempt, Payment, Refund)

# Statuses move by UPDATE, past the objects that this db session may hold already.
FRESH = {"populate_existing": True}


def rfc3339(moment: datetime | None) -> str | None:
    """UTC to the millisecond, with Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def snapshot(db: Session, terms: Terms, session: CheckoutSession) -> dict[str, Any]:
    """The whole session with its attempts and payments, as the database holds them now."""
    return snapshots(db, terms, [session])[0]


def snapshots(db: Session, terms: Terms, sessions: Sequence[CheckoutSession]) -> list[dict[str, Any]]:
    """The same for a page of them: three questions to the database, however many they are; none for none."""
    if not sessions:
        return []
    # What refers to others first: between two questions somebody may book a payment and send it back.
    refunds, payments, attempts = _of(db, Refund, sessions), _of(db, Payment, sessions), _of(db, Attempt, sessions)
    return [
        _snapshot(terms, one, attempts.get(one.id, []), payments.get(one.id, []), refunds.get(one.id, []))
        for one in sessions
    ]


def _snapshot(
    terms: Terms,
    session: CheckoutSession,
    attempts: Sequence[Attempt],
    payments: Sequence[Payment],
    refunds: Sequence[Refund],
) -> dict[str, Any]:
    by_id = {payment.id: payment for payment in payments}
    return {
        "id": session.id,
        "url": terms.page_of(session.id),
        "status": public_status(session.status),
        "review": session.review is not None,
        "review_reason": session.review,
        "amount": session.amount,
        "currency": session.currency,
        "amount_refunded": _refunded(payments, refunds),
        "reference": session.reference,
        "description": session.description,
        "items": session.items,
        "metadata": session.details,
        "wallets": session.wallets,
        "locale": session.locale,
        "return_url": session.return_url,
        "cancel_url": session.cancel_url,
        "late_payment": session.late_payment,
        "support_code": session.support_code,
        "created_at": rfc3339(session.created_at),
        "expires_at": rfc3339(session.expires_at),
        "paid_at": rfc3339(_paid_at(session)),
        "warnings": session.warnings,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "payments": [_payment(payment) for payment in payments],
        "refunds": [refund_snapshot(refund, by_id[refund.payment_id]) for refund in refunds],
        "version": session.version,
    }


def _paid_at(session: CheckoutSession) -> datetime | None:
    """Never before it was there: the gateway's times have whole seconds. A payment's own stays the gateway's word."""
    return session.paid_at and max(session.paid_at, session.created_at)


def _of(db: Session, model: type[Row], sessions: Sequence[CheckoutSession]) -> dict[str, list[Row]]:
    """The rows of each session, by its id."""
    theirs = model.session_id.in_([session.id for session in sessions])
    found: dict[str, list[Row]] = {}
    for row in db.scalars(select(model).where(theirs).order_by(model.created_at, model.id).execution_options(**FRESH)):
        found.setdefault(row.session_id, []).append(row)
    return found


def _attempt(attempt: Attempt) -> dict[str, Any]:
    failure = {"code": attempt.failure_code, "reason": attempt.failure} if attempt.failure else None
    return {
        "id": attempt.id,
        "wallet": attempt.wallet,
        "pay_type": attempt.pay_type,
        "status": attempt.status,
        "out_trade_no": attempt.out_trade_no,
        "created_at": rfc3339(attempt.created_at),
        "failure": failure,
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "attempt": payment.attempt_id,
        "role": payment.role,
        "out_trade_no": payment.out_trade_no,
        "syssn": payment.syssn,
        "amount": payment.amount,
        "currency": payment.currency,
        "paid_at": rfc3339(payment.paid_at),
    }


def _refunded(payments: Sequence[Payment], refunds: Sequence[Refund]) -> int:
    """What went back of the accepted payment; a surplus that is returned is none of the shop's money."""
    accepted = {payment.id for payment in payments if payment.role is Role.ACCEPTED}
    done = (r.amount for r in refunds if r.payment_id in accepted and r.status is RefundStatus.SUCCEEDED)
    return sum(done)


def refund_snapshot(refund: Refund, payment: Payment) -> dict[str, Any]:
    """A refund as merchants read it; pending until the gateway has spoken."""
    failed = refund.status is RefundStatus.FAILED
    told_to_wait = refund.status is RefundStatus.RESERVED and refund.failure_code in LATER
    return {
        "id": refund.id,
        "session": refund.session_id,
        "payment": refund.payment_id,
        "amount": refund.amount,
        "currency": payment.currency,
        "reason": refund.reason or refund.cause,
        "cause": refund.cause,
        "status": public_refund_status(refund.status),
        "failure": {"code": refund.failure_code} if failed else None,
        "waits_until": rfc3339(refund.next_at) if told_to_wait else None,
        "out_trade_no": refund.out_trade_no,
        "syssn": refund.syssn,
        "created_at": rfc3339(refund.created_at),
    }
