"""How the service is doing, read from the books at one moment: what waits, what has failed, what a person must see."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from checkout.domain.lifecycle import DeliveryStatus
from checkout.store.models import Attempt, Budget, CheckoutSession, Delivery, Merchant, Refund
from checkout.store.oversight import Breaker, Difference
from checkout.store.searching import STILL_OPEN

RECENT = timedelta(minutes=1)  # a bucket that nobody used for so long is full again

# fmt: off
QUEUES: dict[str, InstrumentedAttribute[datetime | None]] = {
    "enquiry":  Attempt.next_at,
    "ending":   CheckoutSession.due_at,
    "refund":   Refund.next_at,
    "delivery": Delivery.next_at,
}
# fmt: on


@dataclass(frozen=True)
class Gauges:
    """Counts, and ages in seconds; `waiting` and `oldest` by the name of the queue."""

    waiting: dict[str, int]
    oldest: dict[str, float]
    open_sessions: int
    reviews: int
    differences: int
    dead_deliveries: int
    blocked_deliveries: int
    open_breakers: int
    scarcest_budget: float | None  # gateway calls that were left after the last one; None: all buckets are full


def read_gauges(db: Session, now: datetime) -> Gauges:
    """One question to the database; every part of it is answered from an index that holds little else."""
    wanted: dict[str, ScalarSelect[Any]] = {f"{name}_waiting": _count(due <= now) for name, due in QUEUES.items()}
    wanted |= {
        f"{name}_oldest": select(func.min(due)).where(due <= now).scalar_subquery() for name, due in QUEUES.items()
    }
    wanted |= {
        "open_sessions": select(func.count()).select_from(CheckoutSession).where(STILL_OPEN).scalar_subquery(),
        "reviews": _count(CheckoutSession.review.is_not(None)),
        "differences": _count(Difference.resolved_at.is_(None)),
        "dead": _deliveries(DeliveryStatus.DEAD),
        "blocked": _deliveries(DeliveryStatus.BLOCKED),
        "breakers": _count(Breaker.probe_at.is_not(None)),
        "budget": select(func.min(Budget.tokens)).where(Budget.filled_at > now - RECENT).scalar_subquery(),
    }
    found = db.execute(select(*(query.label(name) for name, query in wanted.items()))).one()._mapping
    return Gauges(
        waiting={name: found[f"{name}_waiting"] for name in QUEUES},
        oldest={name: _age(found[f"{name}_oldest"], now) for name in QUEUES},
        open_sessions=found["open_sessions"],
        reviews=found["reviews"],
        differences=found["differences"],
        dead_deliveries=found["dead"] or 0,
        blocked_deliveries=found["blocked"] or 0,
        open_breakers=found["breakers"],
        scarcest_budget=None if found["budget"] is None else found["budget"] / 1000,
    )


def _count(condition: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).where(condition).scalar_subquery()


def _deliveries(status: DeliveryStatus) -> ScalarSelect[int]:
    """Merchant by merchant, for so they are indexed."""
    theirs = (
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.merchant_id == Merchant.id, Delivery.status == status)
        .correlate(Merchant)
        .scalar_subquery()
    )
    return select(func.sum(theirs)).select_from(Merchant).scalar_subquery()


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max((now - moment).total_seconds(), 0.0)
