"""Which attempts the gateway may hold an order for, so that its code can be paid, whoever has seen it."""

from sqlalchemy import and_, or_

from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus
from checkout.store.models import Attempt

# A refusal of the payment call leaves neither: no code, and nothing that was ever worth an enquiry. When that call's
# answer was lost, the code is known to the gateway and to whoever it was sent to, and one failed try does not end it.
HAD_AN_ORDER = or_(Attempt.target.is_not(None), Attempt.answered_at.is_not(None))
# A failed one too: its code may be scanned again after a payment that failed.
STILL_PAYABLE = or_(Attempt.status.in_(LIVE_ATTEMPT), and_(Attempt.status == AttemptStatus.FAILED, HAD_AN_ORDER))


def had_an_order(attempt: Attempt) -> bool:
    return attempt.target is not None or attempt.answered_at is not None
