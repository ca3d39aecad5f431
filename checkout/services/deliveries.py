"""Events on their way to merchants: at least once, one endpoint at a time, whatever dies in between."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session, sessionmaker

from checkout.crash_points import crash_point
from checkout.domain.lifecycle import DeliveryStatus
from checkout.domain.vault import CannotOpen, Vault
from checkout.services.enquiries import Lanes
from checkout.services.merchants import webhook_secret_of
from checkout.services.webhooks import Answer, WebhookSender, next_try
from checkout.store.due import delivery_to_try
from checkout.store.models import Delivery, Event, Merchant
from checkout.store.moves import move_delivery

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)  # three times the longest try: a crash leaves the row due


@dataclass(frozen=True)
class Posting:
    """What one delivery needs, bundled because a worker step takes no arguments."""

    reading: Engine
    sessions: sessionmaker[Session]
    vault: Vault
    sender: WebhookSender
    clock: Callable[[], datetime]
    lanes: Lanes
    jitter: Callable[[], float] = lambda: random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing


def deliver_next(posting: Posting, *, first_tries_only: bool = False) -> bool:
    """Try one due delivery. False: none is due that another thread is not already busy with.

    With `first_tries_only` endpoints that failed before are left to other threads.
    """
    with posting.reading.connect() as connection:
        due = delivery_to_try(connection, posting.clock(), busy=posting.lanes.busy, first_tries_only=first_tries_only)
    if due is None:
        return False
    delivery_id, merchant_id = due
    with posting.lanes.entered(merchant_id) as free, posting.sessions() as db:
        return free and _deliver(db, posting, delivery_id)


def _deliver(db: Session, posting: Posting, delivery_id: str) -> bool:
    now = posting.clock()
    claimed = db.scalar(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.next_at <= now, Delivery.status == DeliveryStatus.DUE)
        .values(next_at=now + LEASE, tries=Delivery.tries + 1, tried_at=now)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    db.commit()  # the claim holds from here, also if we crash
    if claimed is None:
        return False
    crash_point("delivery.claimed")
    delivery = db.get_one(Delivery, delivery_id, populate_existing=True)
    event = db.get_one(Event, delivery.event_id)
    merchant = db.get_one(Merchant, delivery.merchant_id)
    db.commit()  # nothing stays open while we call, and what was read stays readable
    try:
        secret = webhook_secret_of(posting.vault, merchant)
    except CannotOpen:
        answer = Answer(error="our own SECRET_KEY no longer opens the webhook secret")
    else:
        answer = posting.sender.send(delivery.url, event_id=event.id, body=event.body, secrets=[secret], now=now)
    crash_point("delivery.sent")
    _note(db, posting, delivery, answer)
    return True


def _note(db: Session, posting: Posting, delivery: Delivery, answer: Answer) -> None:
    now = posting.clock()
    said = {
        "answer_status": answer.status,
        "answer_excerpt": answer.excerpt,
        "error": answer.error,
        "milliseconds": answer.milliseconds,
    }
    again = next_try(delivery.tries, answer, now, posting.jitter())
    if answer.ok:
        move_delivery(db, delivery.id, DeliveryStatus.DONE, next_at=None, delivered_at=now, **said)
    elif again is None:
        move_delivery(db, delivery.id, DeliveryStatus.DEAD, next_at=None, **said)
        log.error("gave up on a webhook", extra={"delivery": delivery.id, "merchant": delivery.merchant_id})
    else:
        db.execute(
            update(Delivery)
            .where(Delivery.id == delivery.id, Delivery.status == DeliveryStatus.DUE)
            .values(next_at=again, **said)
        )
        log.warning("webhook failed: %s", answer.error, extra={"delivery": delivery.id, "tries": delivery.tries})
    db.commit()
