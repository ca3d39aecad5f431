"""Counting calls, for all processes together: one row a caller, one statement a call, no lock kept beyond it.

A row holds the moment at which everything that was used will have come back (GCRA, a token bucket
without a tank). One INSERT … ON CONFLICT … WHERE both asks and takes, so two processes that call at
the same time cannot both have the last one; and a row in the past means the same as no row.
"""

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from checkout.domain.rates import Rate

_SECOND = 1_000_000
_TIDY_UP = 1 / 500  # so seldom does a call sweep out rows of those who have not called for a while

# Beyond a whole window nothing was ever written, unless a clock was set back: then it counts as nothing.
_TAKE = text(
    """
    INSERT INTO rate_limit (caller, spent_until) VALUES (:caller, :now + :each)
    ON CONFLICT (caller) DO UPDATE SET spent_until = :each + CASE
        WHEN rate_limit.spent_until BETWEEN :now AND :now + :window THEN rate_limit.spent_until ELSE :now END
    WHERE rate_limit.spent_until + :each <= :now + :window OR rate_limit.spent_until > :now + :window
    RETURNING spent_until
    """
)
_LOOK = text("SELECT spent_until FROM rate_limit WHERE caller = :caller")
_TIDY = text(
    "DELETE FROM rate_limit WHERE caller IN (SELECT caller FROM rate_limit WHERE spent_until < :now LIMIT 500)"
)


@dataclass(frozen=True)
class Verdict:
    """What one call was told: seconds are whole, rounded up."""

    allowed: bool
    left: int
    all_back_in: int
    retry_after: int = 0


def take(db: Session, caller: str, rate: Rate, now: datetime) -> Verdict:
    """Count one call, and commit. Refused calls are not counted, so who keeps calling is not kept out for ever."""
    moment, window = round(now.timestamp() * _SECOND), rate.seconds * _SECOND
    asked = {"caller": caller, "now": moment, "each": rate.each, "window": window}
    spent_until = db.execute(_TAKE, asked).scalar()
    allowed = spent_until is not None
    if spent_until is None:
        spent_until = db.execute(_LOOK, {"caller": caller}).scalar() or moment
    if random.random() < _TIDY_UP:  # noqa: S311 - tidiness needs no secret
        db.execute(_TIDY, {"now": moment})
    db.commit()
    ahead = max(spent_until - moment, 0)
    wait = 0 if allowed else max(_up(ahead + rate.each - window), 1)
    return Verdict(allowed, max((window - ahead) // rate.each, 0), _up(ahead), wait)


def untouched(rate: Rate) -> Verdict:
    """What somebody is told who is not counted."""
    return Verdict(allowed=True, left=rate.count, all_back_in=0)


def _up(microseconds: int) -> int:
    return -(-microseconds // _SECOND)
