"""Which attempts the gateway may hold an order for, so that its code can be paid, whoever has seen it."""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus, RefundStatus
from checkout.store.models import Attempt, Refund

# A refusal of the payment call leaves neither: no code, and nothing that was ever worth an enquiry. When that call's
# answer was lost, the code is known to the gateway and to whoever it was sent to, and one failed try does not end it.
HAD_AN_ORDER = or_(Attempt.target.is_not(None), Attempt.answered_at.is_not(None))
# A failed one too: its code may be scanned again after a payment that failed.
STILL_PAYABLE = or_(Attempt.status.in_(LIVE_ATTEMPT), and_(Attempt.status == AttemptStatus.FAILED, HAD_AN_ORDER))


def had_an_order(attempt: Attempt) -> bool:
    return attempt.target is not None or attempt.answered_at is not None


def under_way(db: Session, merchant_id: str) -> tuple[int, int]:
    """How many codes are still asked about, and refunds have not ended: only the present account knows of them."""
    codes = select(func.count()).where(Attempt.merchant_id == merchant_id, Attempt.next_at.is_not(None))
    over = (RefundStatus.SUCCEEDED, RefundStatus.FAILED)
    refunds = select(func.count()).where(Refund.merchant_id == merchant_id, Refund.status.not_in(over))
    return db.scalar(codes) or 0, db.scalar(refunds) or 0
