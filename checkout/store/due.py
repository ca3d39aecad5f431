"""Is anything due? Asked twice a second by each kind of thread, so it only reads and takes no lock."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from checkout.domain.schedule import SHORTEST_PAUSE
from checkout.store.models import Attempt, CheckoutSession, Delivery, Refund


def merchant_to_ask_about(
    connection: Connection, now: datetime, *, busy: Collection[str], first_tries_only: bool = False
) -> str | None:
    """The merchant whose attempt has waited longest, of those that nobody in this process is asking about."""
    pause_over = Attempt.asked_at.is_(None) | (Attempt.asked_at <= now - SHORTEST_PAUSE)
    query = select(Attempt.merchant_id).where(Attempt.next_at <= now, pause_over, Attempt.merchant_id.not_in(busy))
    if first_tries_only:
        query = query.where(Attempt.tries == 0)
    return connection.execute(query.order_by(Attempt.next_at).limit(1)).scalar()


def delivery_to_try(
    connection: Connection, now: datetime, *, busy: Collection[str], first_tries_only: bool = False
) -> tuple[str, str] | None:
    """The delivery that has waited longest, with its endpoint, of those that nobody in this process is calling."""
    endpoint = Delivery.merchant_id + Delivery.endpoint_id
    query = select(Delivery.id, endpoint).where(Delivery.next_at <= now, endpoint.not_in(busy))
    if first_tries_only:
        query = query.where(Delivery.tries == 0)
    row = connection.execute(query.order_by(Delivery.next_at, Delivery.id).limit(1)).first()
    return None if row is None else (row[0], row[1])


def session_to_close(connection: Connection, now: datetime) -> str | None:
    query = select(CheckoutSession.id).where(CheckoutSession.due_at <= now).order_by(CheckoutSession.due_at).limit(1)
    return connection.execute(query).scalar()


def refund_to_move(connection: Connection, now: datetime, *, busy: Collection[str]) -> tuple[str, str] | None:
    """The refund that has waited longest, with its merchant."""
    query = select(Refund.id, Refund.merchant_id).where(Refund.next_at <= now, Refund.merchant_id.not_in(busy))
    row = connection.execute(query.order_by(Refund.next_at, Refund.id).limit(1)).first()
    return None if row is None else (row[0], row[1])
