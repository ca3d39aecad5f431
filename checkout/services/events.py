"""News for the merchant, queued in the transaction that makes it true."""

import json
import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import false, insert, or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import DELIVERY_COMES_FROM, UNHEARD, DeliveryStatus
from checkout.services.hearers import FIRST, Hearer, endpoint_id_of, hearers_of, wants
from checkout.services.snapshots import rfc3339, snapshot
from checkout.services.terms import Terms
from checkout.store.models import CheckoutSession, Delivery, Event

log = logging.getLogger(__name__)

DELETED = "held back: the endpoint was deleted"


def announce(db: Session, terms: Terms, session_id: str, kind: str, now: datetime, *, about: str = "") -> None:
    """Write the event and its deliveries. The caller has made it true in this transaction, and commits.

    `about` tells apart news of one type about one session, such as two surplus payments; a unique
    index on it makes the same news said twice fail instead of being sent twice.
    """
    session = db.get_one(CheckoutSession, session_id, populate_existing=True)
    hearers = [hearer for hearer in hearers_of(db, session.merchant_id) if wants(hearer, kind)]
    body = {"type": kind, "timestamp": rfc3339(now), "data": snapshot(db, terms, session)}
    event = Event(
        id=new_ordered_id("evt_"),
        merchant_id=session.merchant_id,
        session_id=session.id,
        type=kind,
        about=f"{session.id}:{kind}:{about}",
        version=session.version,
        to_deliver=bool(hearers),
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        created_at=now,
    )
    db.add(event)
    db.flush()
    _queue_first(db, [event.id], session.merchant_id, hearers, now)
    log.info("event %s", kind, extra={"session": session.id, "event_id": event.id})


def _queue_first(
    db: Session, event_ids: Collection[str], merchant_id: str, hearers: Collection[Hearer], now: datetime
) -> None:
    rows = [
        {
            "id": new_ordered_id("dlv_"),
            "event_id": event_id,
            "merchant_id": merchant_id,
            "endpoint_id": endpoint_id_of(hearer),
            "url": hearer.webhook_url,
            "status": DeliveryStatus.DUE,
            "next_at": now,
        }
        for event_id in event_ids
        for hearer in hearers
    ]
    if rows:
        db.execute(insert(Delivery), rows)


def send_again(
    db: Session, merchant_id: str, url: str, now: datetime, *, since: datetime | None = None, endpoint_id: str = FIRST
) -> int:
    """Queue, oldest first and for this address, all that one of a merchant's endpoints has not heard; how many.

    That is what waits, what was held back or blocked, what was answered 410, and with `since` also what
    we gave up on, of events from then on. The caller holds the merchant's row. Commits nothing.
    """
    wanted = or_(
        Delivery.status != DeliveryStatus.DEAD,
        Delivery.answer_status == 410,
        Delivery.event_id.in_(select(Event.id).where(Event.created_at >= since)) if since else false(),
    )
    queued = db.execute(
        update(Delivery)
        .where(Delivery.merchant_id == merchant_id, Delivery.endpoint_id == endpoint_id)
        .where(Delivery.status.in_(UNHEARD), wanted)
        .values(status=DeliveryStatus.DUE, url=url, next_at=now, tries=0, error=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(queued.all())


def queue_again(
    db: Session, merchant_id: str, events: Mapping[str, str], hearers: Collection[Hearer], now: datetime
) -> int:
    """Queue these events, ids with their types, for everybody of these who wants them, heard or not; how many that is.

    The caller holds the merchant's row. Commits nothing.
    """
    queued = 0
    for hearer in hearers:
        wanted = [event_id for event_id, kind in events.items() if wants(hearer, kind)]
        again = db.execute(
            update(Delivery)
            .where(Delivery.event_id.in_(wanted), Delivery.endpoint_id == endpoint_id_of(hearer))
            .where(Delivery.status.in_(DELIVERY_COMES_FROM[DeliveryStatus.DUE] | {DeliveryStatus.DUE}))
            .values(status=DeliveryStatus.DUE, url=hearer.webhook_url, next_at=now, tries=0, error=None)
            .returning(Delivery.event_id)
            .execution_options(synchronize_session=False)
        )
        known = set(again.scalars())
        _queue_first(db, [one for one in wanted if one not in known], merchant_id, [hearer], now)
        queued += len(wanted)
    return queued


def hold_back(db: Session, merchant_id: str, endpoint_id: str) -> None:
    """Take out of the queue what waits for an endpoint that is being deleted. Commits nothing."""
    db.execute(
        update(Delivery)
        .where(Delivery.merchant_id == merchant_id, Delivery.endpoint_id == endpoint_id)
        .where(Delivery.status.in_(DELIVERY_COMES_FROM[DeliveryStatus.BLOCKED]))
        .values(status=DeliveryStatus.BLOCKED, next_at=None, error=DELETED)
        .execution_options(synchronize_session=False)
    )
