"""The one way to change a status: the table of lifecycle.py inside the WHERE of one UPDATE.

No read, no lock, no loop: repeated, late or impossible news changes no row, and exactly one
caller is told True. Who is told True announces the news, in the same transaction.
"""

from collections.abc import Set
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    SESSION_COMES_FROM,
    AttemptStatus,
    DeliveryStatus,
    SessionStatus,
)
from checkout.store.models import Attempt, CheckoutSession, Delivery


def move_session(
    db: Session, session_id: str, news: SessionStatus, *, only_from: Set[SessionStatus] | None = None, **values: Any
) -> bool:
    """Apply news to a session and raise its version. True only for the one caller that changed it."""
    sources = SESSION_COMES_FROM[news] & (only_from if only_from is not None else SESSION_COMES_FROM[news])
    changed = db.execute(
        update(CheckoutSession)
        .where(CheckoutSession.id == session_id, CheckoutSession.status.in_(sources))
        .values(status=news, version=CheckoutSession.version + 1, **values)
        .returning(CheckoutSession.id)
        .execution_options(synchronize_session=False)
    )
    return changed.scalar() is not None


def move_attempt(db: Session, attempt_id: str, news: AttemptStatus, **values: Any) -> bool:
    """Apply news to an attempt. True only for the one caller that changed it."""
    changed = db.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.status.in_(ATTEMPT_COMES_FROM[news]))
        .values(status=news, version=Attempt.version + 1, **values)
        .returning(Attempt.id)
        .execution_options(synchronize_session=False)
    )
    return changed.scalar() is not None


def move_delivery(db: Session, delivery_id: str, news: DeliveryStatus, **values: Any) -> bool:
    """Apply news to a delivery. True only for the one caller that changed it."""
    changed = db.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.status.in_(DELIVERY_COMES_FROM[news]))
        .values(status=news, **values)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return changed.scalar() is not None


def touch_session(db: Session, session_id: str, **values: Any) -> None:
    """Something that outsiders see has changed beside the status: raise the version, so that they notice."""
    db.execute(
        update(CheckoutSession)
        .where(CheckoutSession.id == session_id)
        .values(version=CheckoutSession.version + 1, **values)
        .execution_options(synchronize_session=False)
    )


def wake_closing(db: Session, session_id: str, now: datetime) -> None:
    """An attempt of a closing session is over, which is what its end waits for: let the sweep look now."""
    db.execute(
        update(CheckoutSession)
        .where(CheckoutSession.id == session_id, CheckoutSession.status == SessionStatus.CLOSING)
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )
