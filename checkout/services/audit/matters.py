"""What breaks no invariant and still waits for a person."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import DeliveryStatus, RefundStatus, Role
from checkout.store.models import CheckoutSession, Delivery, Payment, Refund
from checkout.store.oversight import Difference

SURPLUS_IS_BACK_IN = timedelta(days=1)


def count(db: Session, now: datetime) -> dict[str, int]:
    back = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == Payment.id, Refund.status == RefundStatus.SUCCEEDED
    )
    kinds = {
        "sessions under review": select(func.count()).where(CheckoutSession.review.is_not(None)),
        "unresolved differences from the gateway's books": select(func.count()).where(Difference.resolved_at.is_(None)),
        "surplus payments not back after a day": select(func.count()).where(
            Payment.role == Role.SURPLUS,
            Payment.created_at < now - SURPLUS_IS_BACK_IN,
            back.correlate(Payment).scalar_subquery() < Payment.amount,
        ),
        "webhooks given up": select(func.count()).where(Delivery.status == DeliveryStatus.DEAD),
    }
    counted = {what: db.scalar(query) or 0 for what, query in kinds.items()}
    return {what: number for what, number in counted.items() if number}
