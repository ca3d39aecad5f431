"""How many calls one credential may make: a token bucket in the database, shared by all processes.

The documented limit is 400 a minute per credential (qfpay.md section 4). A full bucket and a
minute's refill together never exceed the configured rate, so no minute can.
"""

from datetime import datetime
from enum import Enum

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.store.models import Budget

MILLI = 1000


class Use(Enum):
    """What a call is for, and the share of the bucket it must leave to more urgent calls."""

    REFUND = 0.0
    CREATE = 0.125
    ENQUIRE = 0.4


def take(db: Session, credential: str, *, use: Use, rate_per_minute: int, now: datetime) -> bool:
    """Take one call's worth and commit. False: wait, the minute is spoken for."""
    size = rate_per_minute * MILLI // 5
    refill_per_second = (rate_per_minute * MILLI - size) / 60
    # The row lock only spares a crowd from looking again and again; the conditional UPDATE is what counts.
    for _ in range(5):
        bucket = db.get(Budget, credential, populate_existing=True, with_for_update=True)
        if bucket is None:
            _open(db, credential, size, now)
            continue
        elapsed = max((now - bucket.filled_at).total_seconds(), 0.0)
        tokens = min(size, bucket.tokens + int(elapsed * refill_per_second))
        if tokens - MILLI < size * use.value:
            db.rollback()
            return False
        taken = db.execute(
            update(Budget)
            .where(
                Budget.credential == credential, Budget.tokens == bucket.tokens, Budget.filled_at == bucket.filled_at
            )
            .values(tokens=tokens - MILLI, filled_at=max(now, bucket.filled_at))
            .returning(Budget.credential)
            .execution_options(synchronize_session=False)
        ).scalar()
        db.commit()
        if taken:
            return True
    return False


def _open(db: Session, credential: str, size: int, now: datetime) -> None:
    db.add(Budget(credential=credential, tokens=size, filled_at=now))
    try:
        db.commit()
    except IntegrityError:  # another process opened it first
        db.rollback()
