"""Events on their way to merchants: at least once, one endpoint at a time, whatever dies in between."""

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, select, update
from sqlalchemy.orm import Session, sessionmaker

from checkout.crash_points import crash_point
from checkout.domain.lifecycle import DeliveryStatus
from checkout.domain.vault import CannotOpen, Vault
from checkout.services.chronicle import WORKER, write_down
from checkout.services.enquiries import Lanes
from checkout.services.events import DELETED
from checkout.services.hearers import Hearer, hearer_of, locked_hearer, public_id, silenced, take_over
from checkout.services.tries import keep_try
from checkout.services.webhook_secrets import Pens, forget_former_secret, pens_of
from checkout.services.webhooks import Answer, WebhookSender, next_try
from checkout.store.due import delivery_to_try
from checkout.store.models import Delivery, Event
from checkout.store.moves import move_delivery

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=45)  # three times the longest try: a crash leaves the row due
PATIENCE = 0.1  # seconds that a step waits for an endpoint; then it goes on, and the try ends on a thread of its own
MOST_AT_ONCE = 100  # tries under way in one process; beyond that a step waits until its own has ended
IDLE_SECONDS = 0.5
GONE = "held back: the endpoint has answered 410 Gone"
OFF = "held back: the endpoint is switched off"


class Crew:
    """Tries under way, each on a thread of its own: endpoints that hang, however many, hold up nobody else's.

    The threads are no daemons: a process that is told to stop ends when its last try has.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[Future[None]] = set()

    def send_off(self, work: Callable[[], None]) -> None:
        """Start it and be patient for a moment. What it raises meanwhile is raised here, and later on is logged."""
        future: Future[None] = Future()
        threading.Thread(target=self._run, args=(work, future), name="delivery").start()
        with self._lock:
            if not future.done():
                self._under_way.add(future)
            crowded = len(self._under_way) > MOST_AT_ONCE
        wait_for([future], None if crowded else PATIENCE)
        if future.done():
            future.result()
        else:
            future.add_done_callback(_say_if_it_failed)

    def under_way(self) -> list[Future[None]]:
        """The tries that have not ended. Look before you look for what is due, since what ends may make more due."""
        with self._lock:
            return list(self._under_way)

    def wait(self, tries: list[Future[None]]) -> bool:
        """There is nothing else to do: give these a moment. False: there are none."""
        wait_for(tries, IDLE_SECONDS, return_when=FIRST_COMPLETED)
        return bool(tries)

    def _run(self, work: Callable[[], None], future: "Future[None]") -> None:
        try:
            work()
        except BaseException as error:  # handed to whoever waits
            failure: BaseException | None = error
        else:
            failure = None
        with self._lock:
            self._under_way.discard(future)
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(None)


def _say_if_it_failed(future: "Future[None]") -> None:
    if error := future.exception():
        log.error("a delivery failed on our side", exc_info=error)


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
    crew: Crew = field(default_factory=Crew)


def deliver_next(posting: Posting, *, first_tries_only: bool = False) -> bool:
    """Start one due delivery. False: none is due, and none is under way.

    With `first_tries_only` endpoints that failed before are left to other threads.
    """
    under_way = posting.crew.under_way()
    with posting.reading.connect() as connection:
        due = delivery_to_try(connection, posting.clock(), busy=posting.lanes.busy, first_tries_only=first_tries_only)
    if due is None:
        return posting.crew.wait(under_way)
    delivery_id, endpoint = due
    with ExitStack() as stack:
        if not stack.enter_context(posting.lanes.entered(endpoint)):
            return False
        lane = stack.pop_all()  # the endpoint is busy until the try has ended, not until we have lost our patience

    def work() -> None:
        with lane, posting.sessions() as db:
            _deliver(db, posting, delivery_id)

    try:
        posting.crew.send_off(work)
    except BaseException:
        lane.close()  # if not even a thread could be had; closed twice it does nothing
        raise
    return True


def _deliver(db: Session, posting: Posting, delivery_id: str) -> None:
    now = posting.clock()
    merchant_id, endpoint_id = db.execute(
        select(Delivery.merchant_id, Delivery.endpoint_id).where(Delivery.id == delivery_id)
    ).one()
    hearer = hearer_of(db, merchant_id, endpoint_id)
    if hearer is None or silenced(hearer):
        _hold(db, delivery_id, merchant_id, endpoint_id)
        return
    forget_former_secret(db, hearer, now)
    claimed = _claim(db, delivery_id, now)
    if claimed and hearer.webhook_url != claimed.url:
        db.rollback()
        _follow(db, delivery_id, merchant_id, endpoint_id)
        return
    crash_point("delivery.before_claim")
    db.commit()  # the claim holds from here, also if we crash
    if claimed is None:
        return
    crash_point("delivery.claimed")
    event = db.get_one(Event, claimed.event_id)
    pens = _pens_of(db, posting.vault, hearer, now)
    db.commit()  # nothing stays open while we call, and what was read stays readable
    answer = _post(posting, pens, claimed, event, now)
    crash_point("delivery.sent")
    _note(db, posting, claimed, answer)


def _claim(db: Session, delivery_id: str, now: datetime) -> Delivery | None:
    """The row as it was claimed: a moment later it may have been queued again, for another address."""
    return db.scalar(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.next_at <= now, Delivery.status == DeliveryStatus.DUE)
        .values(next_at=now + LEASE, tries=Delivery.tries + 1, tried_at=now)
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )


def _follow(db: Session, delivery_id: str, merchant_id: str, endpoint_id: str) -> None:
    """The event was written while its endpoint moved, who did not see it yet: it goes to the new address too."""
    hearer = locked_hearer(db, merchant_id, endpoint_id)
    if hearer:
        take_over(db, hearer)
        due = update(Delivery).where(Delivery.id == delivery_id, Delivery.status == DeliveryStatus.DUE)
        db.execute(due.values(url=hearer.webhook_url).execution_options(synchronize_session=False))
    db.commit()


def _pens_of(db: Session, vault: Vault, hearer: Hearer, now: datetime) -> Pens | None:
    """None if our own SECRET_KEY opens none."""
    try:
        return pens_of(db, vault, hearer, now)
    except CannotOpen:
        return None


def _post(posting: Posting, pens: Pens | None, delivery: Delivery, event: Event, now: datetime) -> Answer:
    if pens is None:
        return Answer(error="our own SECRET_KEY no longer opens the webhook secret")
    crash_point("delivery.before_send")
    return posting.sender.send(
        delivery.url,
        event_id=event.id,
        body=event.body,
        secrets=pens.secrets,
        private_keys=pens.private_keys,
        now=now,
    )


def _hold(db: Session, delivery_id: str, merchant_id: str, endpoint_id: str) -> None:
    """Take it out of the queue, where everybody can see it: enabling the endpoint queues it again.

    Under the merchant's lock, so that whoever enables the endpoint meanwhile finds the row before or after us.
    """
    hearer = locked_hearer(db, merchant_id, endpoint_id)
    if hearer is None or silenced(hearer):
        reason = DELETED if hearer is None else GONE if hearer.webhook_gone_at else OFF
        move_delivery(db, delivery_id, DeliveryStatus.BLOCKED, next_at=None, error=reason)
    db.commit()


def _still_this_try(delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
    """Nobody has claimed it after us, and nobody has queued it again.

    The number alone would not tell: who queues it again lets the tries begin anew.
    """
    return (
        Delivery.url == delivery.url,
        Delivery.tries == delivery.tries,
        Delivery.tried_at == delivery.tried_at,
    )


def _note(db: Session, posting: Posting, delivery: Delivery, answer: Answer) -> None:
    """Heard is heard, however late we learn of it. Any other answer counts only while the row is still at this try."""
    now = posting.clock()
    said = {
        "answer_status": answer.status,
        "answer_excerpt": answer.excerpt,
        "error": answer.error,
        "milliseconds": answer.milliseconds,
    }
    again = next_try(delivery.tries, answer, now, posting.jitter())
    ids = {"delivery": delivery.id, "merchant": delivery.merchant_id}
    this_try = _still_this_try(delivery)
    if answer.ok:
        here = (Delivery.url == delivery.url,)  # whoever has moved was promised to hear it at the new address
        move_delivery(db, delivery.id, DeliveryStatus.DONE, only_if=here, next_at=None, delivered_at=now, **said)
    elif answer.gone:
        _give_up_the_endpoint(db, delivery, said, now)
    elif answer.blocked:
        move_delivery(db, delivery.id, DeliveryStatus.BLOCKED, only_if=this_try, next_at=None, **said)
        log.error("a webhook may not go there: %s", answer.error, extra=ids)
    elif again is None:
        if move_delivery(db, delivery.id, DeliveryStatus.DEAD, only_if=this_try, next_at=None, **said):
            log.error("gave up on a webhook", extra=ids)
    else:
        waiting = update(Delivery).where(Delivery.status == DeliveryStatus.DUE, *this_try)
        db.execute(waiting.where(Delivery.id == delivery.id).values(next_at=again, **said))
        log.warning("webhook failed: %s", answer.error, extra=ids | {"tries": delivery.tries})
    keep_try(db, delivery, answer)
    crash_point("delivery.before_mark")
    db.commit()
    crash_point("delivery.marked")


def _give_up_the_endpoint(db: Session, delivery: Delivery, said: dict[str, Any], now: datetime) -> None:
    """It asks never to be called again. Nobody is, until it is enabled again; what happens meanwhile waits."""
    hearer = locked_hearer(db, delivery.merchant_id, delivery.endpoint_id)
    this_try = _still_this_try(delivery)
    if not move_delivery(db, delivery.id, DeliveryStatus.DEAD, only_if=this_try, next_at=None, **said):
        return  # it was enabled since we called, or has moved: this delivery is due there, and brings its own answer
    if hearer is None or hearer.webhook_url != delivery.url or hearer.webhook_gone_at is not None:
        return
    hearer.webhook_gone_at = now
    db.flush()
    log.error("an endpoint is gone; it hears nothing more", extra={"merchant": delivery.merchant_id})
    details = {"reason": "410 Gone", "endpoint": public_id(delivery.merchant_id, delivery.endpoint_id)}
    subject = delivery.merchant_id
    write_down(db, actor=WORKER, action="webhook_disabled", subject=subject, details=details, now=now)
