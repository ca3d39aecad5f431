"""The one way to change a status: the table of lifecycle.py inside the WHERE of one UPDATE.

No read, no lock, no loop: repeated, late or impossible news changes no row, and exactly one
caller is told True. Who is told True announces the news, in the same transaction.
"""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    REFUND_COMES_FROM,
    SESSION_COMES_FROM,
    AttemptStatus,
    DeliveryStatus,
    RefundStatus,
    SessionStatus,
)
from checkout.store.models import Attempt, CheckoutSession, Delivery, Refund


def move_session(
    db: Session, session_id: str, news: SessionStatus, *, only_from: Set[SessionStatus] | None = None, **values: Any
) -> bool:
    """Apply news to a session and raise its version. True only for the one caller that changed it."""
    sources = SESSION_COMES_FROM[news] if only_from is None else SESSION_COMES_FROM[news] & only_from
    return _move(
        db, CheckoutSession, session_id, sources, {"status": news, "version": CheckoutSession.version + 1} | values
    )


def move_attempt(db: Session, attempt_id: str, news: AttemptStatus, **values: Any) -> bool:
    """Apply news to an attempt. True only for the one caller that changed it."""
    return _move(
        db, Attempt, attempt_id, ATTEMPT_COMES_FROM[news], {"status": news, "version": Attempt.version + 1} | values
    )


def move_delivery(
    db: Session, delivery_id: str, news: DeliveryStatus, *, only_if: Sequence[ColumnElement[bool]] = (), **values: Any
) -> bool:
    """Apply news to a delivery, if all of this holds of the row. True only for the one caller that changed it."""
    sources = DELIVERY_COMES_FROM[news]
    return _move(db, Delivery, delivery_id, sources, {"status": news} | values, only_if=only_if)


def move_refund(db: Session, refund_id: str, news: RefundStatus, **values: Any) -> bool:
    """Apply news to a refund. True only for the one caller that changed it."""
    return _move(db, Refund, refund_id, REFUND_COMES_FROM[news], {"status": news} | values)


def _move(
    db: Session,
    model: type[CheckoutSession | Attempt | Delivery | Refund],
    row_id: str,
    sources: Set[SessionStatus] | Set[AttemptStatus] | Set[DeliveryStatus] | Set[RefundStatus],
    values: dict[str, Any],
    *,
    only_if: Sequence[ColumnElement[bool]] = (),
) -> bool:
    moved = db.execute(
        update(model)
        .where(model.id == row_id, model.status.in_(sources), *only_if)
        .values(values)
        .returning(model.id)
        .execution_options(synchronize_session=False)
    )
    return moved.scalar() is not None


def lock_session(db: Session, session_id: str) -> None:
    """Take the session's row first, always: whoever then moves its attempts, payments and refunds meets no deadlock.

    Order, not correctness: that is the conditional UPDATEs' business. SQLite has one writer anyway.
    """
    db.execute(select(CheckoutSession.id).where(CheckoutSession.id == session_id).with_for_update())


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
