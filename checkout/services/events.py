"""News for the merchant, queued in the transaction that makes it true."""

import json
import logging
from datetime import datetime

from sqlalchemy import false, or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import DELIVERY_COMES_FROM, DeliveryStatus
from checkout.services.snapshots import rfc3339, snapshot
from checkout.services.terms import Terms
from checkout.store.models import CheckoutSession, Delivery, Event, Merchant

log = logging.getLogger(__name__)


def announce(db: Session, terms: Terms, session_id: str, kind: str, now: datetime, *, about: str = "") -> None:
    """Write the event and its delivery. The caller has made it true in this transaction, and commits.

    `about` tells apart news of one type about one session, such as two surplus payments; a unique
    index on it makes the same news said twice fail instead of being sent twice.
    """
    session = db.get_one(CheckoutSession, session_id, populate_existing=True)
    merchant = db.get_one(Merchant, session.merchant_id)
    body = {"type": kind, "timestamp": rfc3339(now), "data": snapshot(db, terms, session)}
    event = Event(
        id=new_ordered_id("evt_"),
        merchant_id=merchant.id,
        session_id=session.id,
        type=kind,
        about=f"{session.id}:{kind}:{about}",
        version=session.version,
        to_deliver=merchant.webhook_url is not None,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        created_at=now,
    )
    db.add(event)
    db.flush()
    if merchant.webhook_url:
        db.add(
            Delivery(
                id=new_ordered_id("dlv_"),
                event_id=event.id,
                merchant_id=merchant.id,
                url=merchant.webhook_url,
                status=DeliveryStatus.DUE,
                next_at=now,
            )
        )
        db.flush()
    log.info("event %s", kind, extra={"session": session.id, "event_id": event.id})


def send_again(db: Session, merchant_id: str, url: str, now: datetime, *, since: datetime | None = None) -> int:
    """Queue, oldest first and for this address, all that a merchant's endpoint has not heard; how many those are.

    That is what waits, what was held back or blocked, what was answered 410, and with `since` also what
    we gave up on, of events from then on. The caller holds the merchant's row. Commits nothing.
    """
    unheard = DELIVERY_COMES_FROM[DeliveryStatus.DUE] | {DeliveryStatus.DUE}
    wanted = or_(
        Delivery.status != DeliveryStatus.DEAD,
        Delivery.answer_status == 410,
        Delivery.event_id.in_(select(Event.id).where(Event.created_at >= since)) if since else false(),
    )
    queued = db.execute(
        update(Delivery)
        .where(Delivery.merchant_id == merchant_id, Delivery.status.in_(unheard), wanted)
        .values(status=DeliveryStatus.DUE, url=url, next_at=now, tries=0, error=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(queued.all())
