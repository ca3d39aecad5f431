"""How many calls one credential may make: a token bucket in the database, shared by all processes.

The documented limit is 400 a minute per credential (qfpay.md section 4). A full bucket and a
minute's refill together never exceed the configured rate, so no minute can. Should the gateway
refuse a call all the same, others use up its limit too: then we make do with half for a minute.
"""

from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import case, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.store.models import Budget

MILLI = 1000
SQUEEZED_FOR = timedelta(seconds=60)
_NONE = timedelta(0)
_BARELY = timedelta(seconds=1)  # clocks of two processes may differ by so much without meaning anything


class Use(Enum):
    """What a call is for, and the share of the bucket it must leave to more urgent calls."""

    CREATE = 0.0  # a shopper waits; a refund can
    REFUND = 0.125
    ENQUIRE = 0.4


def take(db: Session, credential: str, *, use: Use, rate_per_minute: int, now: datetime) -> bool:
    """Take one call's worth and commit. False: wait, the minute is spoken for."""
    size, refill_per_second = _bucket(rate_per_minute)
    # The row lock only spares a crowd from looking again and again; the conditional UPDATE is what counts.
    for _ in range(5):
        bucket = db.get(Budget, credential, populate_existing=True, with_for_update=True)
        if bucket is None:
            _open(db, credential, size, now)
            continue
        # Further ahead than any squeeze: a clock was set back, and nobody shall wait until it has caught up.
        filled_at = bucket.filled_at if bucket.filled_at <= now + SQUEEZED_FOR + _BARELY else now
        elapsed, ahead = max(now - filled_at, _NONE), max(filled_at - now, _NONE)
        # `ahead` is a squeeze: what is stored is what there will be at its end, after refilling at half the rate.
        to_come = int(ahead.total_seconds() * refill_per_second / 2)
        tokens = min(size, bucket.tokens + int(elapsed.total_seconds() * refill_per_second) - to_come)
        if tokens - MILLI < size * use.value:
            db.rollback()
            return False
        taken = db.execute(
            update(Budget)
            .where(
                Budget.credential == credential, Budget.tokens == bucket.tokens, Budget.filled_at == bucket.filled_at
            )
            .values(tokens=tokens - MILLI + to_come, filled_at=max(now, filled_at))
            .returning(Budget.credential)
            .execution_options(synchronize_session=False)
        ).scalar()
        db.commit()
        if taken:
            return True
    return False


def squeeze(db: Session, credential: str, *, rate_per_minute: int, now: datetime) -> bool:
    """The gateway said "too many calls": half of the bucket is gone, and it refills at half the rate for a minute.

    Commits. False: it is squeezed already, so that a crowd that is refused at once squeezes it once.
    """
    size, refill_per_second = _bucket(rate_per_minute)
    at_its_end = int(SQUEEZED_FOR.total_seconds() * refill_per_second / 2)
    left = case((Budget.tokens > size // 2, size // 2), else_=Budget.tokens)
    squeezed = db.execute(
        update(Budget)
        .where(Budget.credential == credential, Budget.filled_at <= now + _BARELY)
        .values(tokens=left + at_its_end, filled_at=now + SQUEEZED_FOR)
        .returning(Budget.credential)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    return squeezed is not None


def _bucket(rate_per_minute: int) -> tuple[int, float]:
    """How much it holds, and its refill a second."""
    size = rate_per_minute * MILLI // 5
    return size, (rate_per_minute * MILLI - size) / 60


def _open(db: Session, credential: str, size: int, now: datetime) -> None:
    db.add(Budget(credential=credential, tokens=size, filled_at=now))
    try:
        db.commit()
    except IntegrityError:  # another process opened it first
        db.rollback()
