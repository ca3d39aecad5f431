"""News for the merchant, queued in the transaction that makes it true."""

import json
import logging
from datetime import datetime

from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import DeliveryStatus
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
