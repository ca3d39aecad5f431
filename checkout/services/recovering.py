"""After a restored backup: first hold what must not be sent blindly, then fetch back from the gateway what was lost."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import LIVE_ATTEMPT, REFUND_IN_FLIGHT, AttemptStatus, RefundStatus
from checkout.gateway.months import day_of
from checkout.services.chronicle import OPERATOR, Detail, write_down
from checkout.services.enquiries import Asking
from checkout.services.reconciling import Reconciled, look
from checkout.services.refund_news import OF_A_NEW_SENDING
from checkout.services.statements import Span
from checkout.store.engine import unhurried
from checkout.store.models import Attempt, Merchant, Refund
from checkout.store.moves import move_refund
from checkout.store.payable import HAD_AN_ORDER

log = logging.getLogger(__name__)

# A record is filed under the moment at which its code was made, and a code may be paid for two hours and some minutes.
LONGEST_LIFE = timedelta(hours=3)
ASKED_AFTER_END = timedelta(days=1)  # so long the ordinary enquiries would have gone on
SKEW = timedelta(minutes=5)  # between our clock and the gateway's
AT_A_TIME = 500


@dataclass(frozen=True)
class Recovered:
    """What was done. `looked` has one entry for each merchant."""

    since: datetime
    refunds_held: int
    attempts_due: int
    looked: Sequence[Reconciled]

    @property
    def clean(self) -> bool:
        return all(one.clean for one in self.looked)


def recover(asking: Asking, since: datetime, *, patience: Callable[[float], object] = time.sleep) -> Recovered:
    """Bring books that were restored to the state of `since` up to what the gateway knows. Safe to repeat.

    To be run before web and worker are started again. What cannot be explained stays as open differences.
    """
    now, due = asking.clock(), _to_ask_again(asking, since)
    with asking.sessions() as db:
        held = _hold_refunds(db, now)
        details: dict[str, Detail] = {"since": since.isoformat(), "refunds_held": held, "attempts_due": len(due)}
        write_down(db, actor=OPERATOR, action="books_recovered", subject="books", details=details, now=now)
        db.commit()  # from here no worker can send what may have been sent before
        _ask_again(db, due, now)
        merchants = db.scalars(select(Merchant.id).order_by(Merchant.id)).all()
        db.commit()
        span = Span(since - LONGEST_LIFE, now + SKEW, now + SKEW)
        looked = [
            look(db, asking, merchant_id, span, day=day_of(since), patience=patience, restored=True)
            for merchant_id in merchants
        ]
    log.warning("books recovered", extra=details | {"open": sum(len(one.open) for one in looked)})
    return Recovered(since, held, len(due), looked)


def _hold_refunds(db: Session, now: datetime) -> int:
    """What waits to be sent may have been sent since the backup, under this very number: it is asked about first.

    What was being asked about begins anew, because "not found" was said to a past that is gone.
    """
    waiting = db.scalars(select(Refund.id).where(Refund.status == RefundStatus.RESERVED)).all()
    held = [one for one in waiting if move_refund(db, one, RefundStatus.UNKNOWN, failure_code=OF_A_NEW_SENDING)]
    db.execute(
        update(Refund)
        .where(Refund.status.in_(REFUND_IN_FLIGHT))
        .values(next_at=now, missing_since=None)
        .execution_options(synchronize_session=False)
    )
    return len(held)


def _to_ask_again(asking: Asking, since: datetime) -> Sequence[str]:
    """Every attempt that the gateway may have something new about, whatever we believe of it.

    One that ended long before has nothing new; one that the payment call refused cannot have been paid.
    """
    lately = Attempt.ends_at >= since - ASKED_AFTER_END
    payable = or_(Attempt.status != AttemptStatus.FAILED, HAD_AN_ORDER)
    asked = select(Attempt.id).where(or_(Attempt.status.in_(LIVE_ATTEMPT), lately & payable))
    with unhurried(asking.reading).connect() as connection:  # all attempts there ever were are looked through
        return connection.scalars(asked.order_by(Attempt.id)).all()


def _ask_again(db: Session, attempts: Sequence[str], now: datetime) -> None:
    """Make them due, so many at a time that no statement takes long. Commits."""
    for start in range(0, len(attempts), AT_A_TIME):
        some = Attempt.id.in_(attempts[start : start + AT_A_TIME])
        db.execute(
            update(Attempt).where(some).values(next_at=now, tries=0).execution_options(synchronize_session=False)
        )
        db.commit()
