"""Reasons to ask the gateway sooner: a notification, the shopper who comes back, an open page."""

from datetime import datetime, timedelta

from sqlalchemy import case, func, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from checkout.domain import schedule
from checkout.domain.lifecycle import LIVE_ATTEMPT, REFUND_IN_FLIGHT, AttemptStatus
from checkout.store import retrying
from checkout.store.models import Attempt, Refund
from checkout.store.payable import HAD_AN_ORDER


def make_due(db: Session, session_id: str, now: datetime) -> int:
    """Somebody says that something happened: ask soon, but never twice within two seconds. Commits nothing."""
    earliest = func.coalesce(Attempt.asked_at, Attempt.created_at)
    changed = 0
    for soonest, condition in (
        (now, earliest <= now - schedule.SHORTEST_PAUSE),
        (now + schedule.SHORTEST_PAUSE, earliest > now - schedule.SHORTEST_PAUSE),
    ):
        result = db.execute(
            update(Attempt)
            .where(
                Attempt.session_id == session_id,
                Attempt.status.in_(LIVE_ATTEMPT | {AttemptStatus.FAILED, AttemptStatus.CLOSED}),
                HAD_AN_ORDER | (Attempt.status == AttemptStatus.UNKNOWN),
                condition,
                Attempt.next_at.is_(None) | (Attempt.next_at > soonest),
            )
            .values(next_at=soonest)
            .returning(Attempt.id)
            .execution_options(synchronize_session=False)
        )
        changed += len(result.all())
    return changed


def make_number_due(db: Session, attempt_id: str, now: datetime) -> None:
    """The gateway itself spoke of this number: ask about it soon, whatever we believe of it. Commits nothing."""
    attempt = db.get_one(Attempt, attempt_id)
    soonest = max(now, (attempt.asked_at or now - schedule.SHORTEST_PAUSE) + schedule.SHORTEST_PAUSE)
    db.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.next_at.is_(None) | (Attempt.next_at > soonest))
        .values(next_at=soonest)
        .execution_options(synchronize_session=False)
    )


def make_refund_due(db: Session, refund_id: str, now: datetime) -> None:
    """The gateway spoke of this refund: ask about it now, if we do not know already. Commits nothing."""
    db.execute(
        update(Refund)
        .where(Refund.id == refund_id, Refund.status.in_(REFUND_IN_FLIGHT), Refund.next_at > now)
        .values(next_at=now)
        .execution_options(synchronize_session=False)
    )


def ask_soon(db: Session, session_id: str, now: datetime) -> None:
    """The shopper came back, or says that the payment is made: make an enquiry due, and commit."""
    retrying.run(db, lambda: _ask_soon(db, session_id, now), finds_itself=True)


def _ask_soon(db: Session, session_id: str, now: datetime) -> None:
    make_due(db, session_id, now)
    db.commit()


def needs_sign_of_life(watched_until: datetime | None, now: datetime) -> bool:
    """Whether a page that polls should be written down again: seldom, so that polling stays reading."""
    return watched_until is None or watched_until < now + schedule.WATCHED_FOR / 2


def sign_of_life(db: Session, attempt_id: str, now: datetime) -> None:
    """Somebody looks at this attempt's page: ask at the lively pace. Commits, or lets it be when the books are busy."""
    soon = now + timedelta(seconds=schedule.LIVELY[0][1])
    looked_at = (
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.status.in_(LIVE_ATTEMPT))
        .values(
            watched_until=now + schedule.WATCHED_FOR,
            next_at=case((Attempt.answered_at.is_not(None) & (Attempt.next_at > soon), soon), else_=Attempt.next_at),
        )
        .execution_options(synchronize_session=False)
    )
    try:
        db.execute(looked_at)
        db.commit()
    except DBAPIError:  # the books are busy, full, or only read at the moment; the next poll says it again
        db.rollback()
