"""The log of what merchants were told, and sending it again."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from checkout.domain.endpoints import TEST_EVENT, ResendWish
from checkout.domain.errors import NotFound, Refused
from checkout.domain.lifecycle import DeliveryStatus
from checkout.domain.moments import next_printed
from checkout.services.chronicle import write_down
from checkout.services.endpoints import Errand
from checkout.services.events import queue_again
from checkout.services.hearers import hearers_of, locked_merchant, public_id, silenced, wants
from checkout.services.snapshots import rfc3339
from checkout.store.models import Delivery, Event
from checkout.store.telling import DeliveryTry, EndpointTest

Position = tuple[datetime, str]
Row = TypeVar("Row", Event, EndpointTest)
MOST_AT_ONCE = 1000  # events that one call sends again

# What merchants read; a delivery is held while its endpoint is switched off, deleted, or may not be called.
PUBLIC = {
    DeliveryStatus.DUE: "pending",
    DeliveryStatus.DONE: "delivered",
    DeliveryStatus.DEAD: "failed",
    DeliveryStatus.BLOCKED: "held",
}
FAILED = (DeliveryStatus.DEAD, DeliveryStatus.BLOCKED)


@dataclass(frozen=True)
class Resent:
    """How much one call has queued; `more`: there are further events in the range, to be asked for by another call."""

    events: int
    deliveries: int
    more: bool
    last: datetime | None  # when the last one of them happened

    def as_dict(self) -> dict[str, Any]:
        until = rfc3339(self.last) if self.more else None
        return {"events": self.events, "deliveries": self.deliveries, "more": self.more, "continue_after": until}


def list_events(
    db: Session, merchant_id: str, *, filters: dict[str, Any], limit: int, after: Position | None
) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of events, newest first, and the position of its last one unless nothing follows.

    `statuses` keeps those of which a delivery has one of them; tests are no deliveries.
    """
    found: list[Event | EndpointTest] = []
    if filters.get("type") != TEST_EVENT:
        events = select(Event).where(Event.merchant_id == merchant_id)
        for name, column in (("session", Event.session_id), ("type", Event.type)):
            if filters.get(name):
                events = events.where(column == filters[name])
        if filters.get("statuses"):
            events = events.where(Event.id.in_(_with_delivery(merchant_id, filters["statuses"])))
        found += db.scalars(_page(events, Event, filters, limit, after))
    if filters.get("type") in (None, TEST_EVENT) and not (filters.get("session") or filters.get("statuses")):
        tests = select(EndpointTest).where(EndpointTest.merchant_id == merchant_id)
        found += db.scalars(_page(tests, EndpointTest, filters, limit, after))
    found.sort(key=lambda row: row.created_at, reverse=True)  # keeps the order in which the database compares ids
    page = found[:limit]
    deliveries = _deliveries_of(db, [row.id for row in page])
    rows = [_as_dict(row, deliveries.get(row.id, [])) for row in page]
    last = page[-1] if len(found) > limit else None
    return rows, (last.created_at, last.id) if last else None


def _with_delivery(merchant_id: str, statuses: Collection[DeliveryStatus]) -> Select[str]:
    return select(Delivery.event_id).where(Delivery.merchant_id == merchant_id, Delivery.status.in_(statuses))


def _page(
    query: Select[Row],
    table: type[Event] | type[EndpointTest],
    filters: dict[str, Any],
    limit: int,
    after: Position | None,
) -> Select[Row]:
    """One row more than asked for: then there is a next page."""
    if filters.get("created_after"):
        query = query.where(table.created_at >= next_printed(filters["created_after"]))
    if after:
        moment, row_id = after
        query = query.where(or_(table.created_at < moment, and_(table.created_at == moment, table.id < row_id)))
    return query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)


def event_of(db: Session, merchant_id: str, event_id: str) -> dict[str, Any]:
    """One event with every try that we still know of. Raises NotFound, for another merchant's too."""
    row = _find(db, merchant_id, event_id)
    deliveries = _deliveries_of(db, [row.id]).get(row.id, [])
    return _as_dict(row, deliveries, tries=_tries_of(db, [delivery.id for delivery in deliveries]))


def _find(db: Session, merchant_id: str, event_id: str) -> Event | EndpointTest:
    own = select(Event).where(Event.id == event_id, Event.merchant_id == merchant_id)
    test = select(EndpointTest).where(EndpointTest.id == event_id, EndpointTest.merchant_id == merchant_id)
    row = db.scalar(own) or db.scalar(test)
    if row is None:
        raise NotFound("event")
    return row


def body_of(db: Session, event_id: str) -> str | None:
    """What we sent, whoever's it is: for the operator. None: no event has this id."""
    return db.scalar(select(Event.body).where(Event.id == event_id)) or db.scalar(
        select(EndpointTest.body).where(EndpointTest.id == event_id)
    )


def redeliver(db: Session, errand: Errand, event_id: str) -> None:
    """Send one event again, heard or not, to the endpoints that its merchant has now, and commit.

    It keeps its id and its body. Raises NotFound, Refused (nobody is there to hear it).
    """
    locked_merchant(db, errand.merchant_id)
    event = _find(db, errand.merchant_id, event_id)
    if isinstance(event, EndpointTest):
        raise Refused("A test event is not sent again; send another test")
    hearers = _listening(db, errand.merchant_id)
    if not any(wants(hearer, event.type) for hearer in hearers):
        raise Refused(f"None of your webhook endpoints is for {event.type}")
    queued = queue_again(db, errand.merchant_id, {event.id: event.type}, hearers, errand.now)
    _write_down(db, errand, Resent(1, queued, more=False, last=None))
    db.commit()


def redeliver_all(db: Session, errand: Errand, wish: ResendWish) -> Resent:
    """Send again a range of events, oldest first and a thousand at most, and commit. Raises Refused."""
    locked_merchant(db, errand.merchant_id)
    hearers = _listening(db, errand.merchant_id)
    query = select(Event.id, Event.type, Event.created_at).where(
        Event.merchant_id == errand.merchant_id, Event.created_at > wish.created_after
    )
    if wish.created_before:
        query = query.where(Event.created_at < wish.created_before)
    if wish.status == "failed":
        query = query.where(Event.id.in_(_with_delivery(errand.merchant_id, FAILED)))
    found = db.execute(query.order_by(Event.created_at, Event.id).limit(MOST_AT_ONCE + 1)).all()
    page = found[:MOST_AT_ONCE]
    queued = queue_again(db, errand.merchant_id, {row[0]: row[1] for row in page}, hearers, errand.now)
    resent = Resent(len(page), queued, more=len(found) > len(page), last=page[-1][2] if page else None)
    _write_down(db, errand, resent)
    db.commit()
    return resent


def _listening(db: Session, merchant_id: str) -> list[Any]:
    hearers = hearers_of(db, merchant_id)
    if not hearers:
        raise Refused("You have no webhook endpoint to send it to; add one first")
    if not (listening := [hearer for hearer in hearers if not silenced(hearer)]):
        raise Refused("All your webhook endpoints are switched off or have answered 410 Gone; enable one first")
    return listening


def _write_down(db: Session, errand: Errand, resent: Resent) -> None:
    details = {"events": resent.events, "deliveries": resent.deliveries}
    subject = errand.merchant_id
    write_down(db, actor=errand.actor, action="events_sent_again", subject=subject, details=details, now=errand.now)


def _deliveries_of(db: Session, event_ids: Collection[str]) -> dict[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = {}
    for delivery in db.scalars(select(Delivery).where(Delivery.event_id.in_(event_ids)).order_by(Delivery.id)):
        found.setdefault(delivery.event_id, []).append(delivery)
    return found


def _tries_of(db: Session, delivery_ids: Collection[str]) -> dict[str, list[DeliveryTry]]:
    """The newest first."""
    found: dict[str, list[DeliveryTry]] = {}
    query = select(DeliveryTry).where(DeliveryTry.delivery_id.in_(delivery_ids))
    for one in db.scalars(query.order_by(DeliveryTry.at.desc(), DeliveryTry.id.desc())):
        found.setdefault(one.delivery_id, []).append(one)
    return found


def _as_dict(
    row: Event | EndpointTest, deliveries: Collection[Delivery], *, tries: dict[str, list[DeliveryTry]] | None = None
) -> dict[str, Any]:
    """As merchants read it; with `tries` each delivery has its `log`."""
    said = json.loads(row.body)
    if isinstance(row, EndpointTest):
        told = [_test_as_dict(row, log=tries is not None)]
    else:
        told = [
            _delivery_as_dict(delivery, None if tries is None else tries.get(delivery.id, []))
            for delivery in deliveries
        ]
    return {
        "id": row.id,
        "type": said["type"],
        "created_at": rfc3339(row.created_at),
        "data": said["data"],
        "deliveries": told,
    }


def _delivery_as_dict(delivery: Delivery, log: list[DeliveryTry] | None) -> dict[str, Any]:
    due = delivery.status is DeliveryStatus.DUE
    return {
        "id": delivery.id,
        "endpoint": public_id(delivery.merchant_id, delivery.endpoint_id),
        "url": delivery.url,
        "status": PUBLIC[delivery.status],
        "tries": delivery.tries,
        "answer_status": delivery.answer_status,
        "answer_excerpt": delivery.answer_excerpt,
        "error": delivery.error,
        "latency_ms": delivery.milliseconds,
        "tried_at": rfc3339(delivery.tried_at),
        "delivered_at": rfc3339(delivery.delivered_at),
        "next_try_at": rfc3339(delivery.next_at) if due else None,
    } | ({} if log is None else {"log": [_try_as_dict(one, one.at) for one in log]})


def _test_as_dict(test: EndpointTest, *, log: bool) -> dict[str, Any]:
    heard = test.error is None
    return {
        "id": "dlv_" + test.id.partition("_")[2],
        "endpoint": public_id(test.merchant_id, test.endpoint_id),
        "url": test.url,
        "status": "delivered" if heard else "failed",
        "tries": 1,
        "answer_status": test.answer_status,
        "answer_excerpt": test.answer_excerpt,
        "error": test.error,
        "latency_ms": test.milliseconds,
        "tried_at": rfc3339(test.created_at),
        "delivered_at": rfc3339(test.created_at) if heard else None,
        "next_try_at": None,
    } | ({"log": [_try_as_dict(test, test.created_at)]} if log else {})


def _try_as_dict(one: DeliveryTry | EndpointTest, at: datetime) -> dict[str, Any]:
    return {
        "at": rfc3339(at),
        "url": one.url,
        "request_headers": one.request_headers,
        "answer_status": one.answer_status,
        "answer_excerpt": one.answer_excerpt,
        "error": one.error,
        "latency_ms": one.milliseconds,
    }
