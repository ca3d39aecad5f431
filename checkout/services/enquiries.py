"""Asking the gateway what became of attempts: all due ones of one credential in one call (design.md section 4)."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, case, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from checkout.crash_points import crash_point
from checkout.domain import schedule
from checkout.domain.errors import GatewayError
from checkout.domain.lifecycle import AttemptStatus, SessionStatus
from checkout.gateway.accounts import Gateways
from checkout.gateway.client import Gateway
from checkout.gateway.months import Window, windows_for
from checkout.gateway.records import Record
from checkout.services import budgets, reviews, words
from checkout.services.hearing import hear
from checkout.services.terms import Terms
from checkout.services.words import Said
from checkout.store.due import merchant_to_ask_about
from checkout.store.models import Attempt, CheckoutSession, Merchant
from checkout.store.moves import move_attempt, touch_session

log = logging.getLogger(__name__)

BATCH = 100
SOON = timedelta(milliseconds=700)  # due this soon: asked along, so that attempts of one shop fall into step
LATEST_RECORD = timedelta(days=1)  # how long after its end a code's late payment is looked for by month
PAID_PAUSE = timedelta(seconds=60)
POSTPONED = timedelta(seconds=2)
LONGEST_CALL = timedelta(seconds=20)


class Lanes:
    """Merchants being asked about by this process: one at a time each, so that a hanging gateway holds up one lane."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    @property
    def busy(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._busy)

    @contextmanager
    def entered(self, merchant_id: str) -> Iterator[bool]:
        with self._lock:
            free = merchant_id not in self._busy
            self._busy.add(merchant_id)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._busy.discard(merchant_id)


@dataclass(frozen=True)
class Asking:
    """What one enquiry needs, bundled because a worker step takes no arguments."""

    reading: Engine
    sessions: sessionmaker[Session]
    gateways: Gateways
    terms: Terms
    clock: Callable[[], datetime]
    lanes: Lanes


def enquire_next(asking: Asking) -> bool:
    """Ask about the due attempts of one merchant. False: none is due."""
    with asking.reading.connect() as connection:
        merchant_id = merchant_to_ask_about(connection, asking.clock(), busy=asking.lanes.busy)
    if merchant_id is None:
        return False
    with asking.lanes.entered(merchant_id) as free, asking.sessions() as db:
        return free and _enquire_for(db, asking, merchant_id)


def _enquire_for(db: Session, asking: Asking, merchant_id: str) -> bool:
    merchant = db.get_one(Merchant, merchant_id)
    gateway = asking.gateways.of(merchant)
    db.rollback()
    asked_at = asking.clock()
    attempts = _claim(db, merchant_id, asked_at)
    crash_point("enquiry.claimed")
    if not attempts:
        return False
    answer = _ask(db, asking, gateway, attempts)
    crash_point("enquiry.answered")
    _take_in(db, asking, attempts, answer, asked_at)
    return True


def _claim(db: Session, merchant_id: str, now: datetime) -> list[Attempt]:
    """Lease due attempts to us: until the lease ends nobody else asks, and if we die they are due again."""
    due = select(Attempt.id).where(Attempt.merchant_id == merchant_id, *_due(now + SOON, now))
    ids = db.scalars(due.order_by(Attempt.next_at).limit(BATCH).with_for_update(skip_locked=True)).all()
    claimed = db.scalars(
        update(Attempt)
        .where(Attempt.id.in_(ids), *_due(now + SOON, now))
        .values(next_at=now + schedule.CLAIM_LEASE, asked_at=now, version=Attempt.version + 1)
        .returning(Attempt)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    for attempt in claimed:
        # A row that is still `created` has outlived its call: whoever made it died before the answer was stored.
        orphaned = attempt.status is AttemptStatus.CREATED and attempt.created_at <= now - LONGEST_CALL
        if orphaned and move_attempt(db, attempt.id, AttemptStatus.UNKNOWN):
            touch_session(db, attempt.session_id)
    db.commit()
    return list(claimed)


def _due(by: datetime, now: datetime) -> tuple[ColumnElement[bool], ...]:
    pause_over = Attempt.asked_at.is_(None) | (Attempt.asked_at <= now - schedule.SHORTEST_PAUSE)
    return (Attempt.next_at <= by, pause_over)


@dataclass
class Answers:
    """What the calls of one round brought. Near a month's edge a number is asked for twice, once for each month."""

    records: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    raw: dict[str, bytes] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    postponed: bool = False


def _ask(db: Session, asking: Asking, gateway: Gateway, attempts: Sequence[Attempt]) -> Answers:
    answers = Answers()
    for window, numbers in _by_window(attempts, asking.clock()).items():
        db.rollback()  # nothing stays open while we call
        key, rate = gateway.budget_key, asking.terms.rate_per_minute
        if not budgets.take(db, key, use=budgets.Use.ENQUIRE, rate_per_minute=rate, now=asking.clock()):
            answers.unanswered.update(numbers)
            answers.postponed = True
            continue
        try:
            answer = gateway.enquire(numbers, window)
        except GatewayError as error:
            log.warning("enquiry got no answer: %s", error, extra={"merchant": attempts[0].merchant_id})
            answers.unanswered.update(numbers)
            continue
        for record in answer.records:
            answers.records[record.out_trade_no].append(record)
            answers.raw[record.out_trade_no] = answer.raw
    return answers


def _by_window(attempts: Sequence[Attempt], now: datetime) -> dict[Window | None, list[str]]:
    grouped: dict[Window | None, list[str]] = defaultdict(list)
    for attempt in attempts:
        for window in windows_for(attempt.created_at, attempt.ends_at + LATEST_RECORD, now):
            grouped[window].append(attempt.out_trade_no)
    return grouped


def _take_in(db: Session, asking: Asking, attempts: Sequence[Attempt], answers: Answers, asked_at: datetime) -> None:
    for attempt in attempts:
        # One unit each: a surprise about one payment must not hold up the others of its batch.
        if attempt.out_trade_no in answers.unanswered:
            _unanswered(db, attempt, asked_at, asking.clock(), postponed=answers.postponed)
            continue
        try:
            _take_in_one(db, asking, attempt, answers, asked_at)
        except IntegrityError:  # another process heard the same news at the same time; ask again soon
            db.rollback()
            _unanswered(db, attempt, asked_at, asking.clock(), postponed=True)


def _take_in_one(db: Session, asking: Asking, attempt: Attempt, answers: Answers, asked_at: datetime) -> None:
    now, number = asking.clock(), attempt.out_trade_no
    heard = hear(db, asking.terms, attempt.id, answers.records[number], asked_at=asked_at, now=now)
    if heard and number in answers.raw:
        said = Said(attempt.merchant_id, "enquiry", answers.raw[number], number)
        words.keep(db, asking.gateways.vault, said, now)
        crash_point("enquiry.before_commit")
    fresh = db.get_one(Attempt, attempt.id, populate_existing=True)
    _flag_the_undecided(db, asking.terms, fresh, asked_at, now)
    next_at = _unless_hinted(asked_at, _next_at(db, fresh, asked_at, now))
    db.execute(update(Attempt).where(Attempt.id == attempt.id).values(next_at=next_at, answered_at=asked_at, tries=0))
    db.commit()


def _unless_hinted(asked_at: datetime, next_at: datetime | None) -> ColumnElement[datetime | None]:
    """The next question, unless a notification or the shopper asked for an earlier one while we were calling.

    Our lease is what stood in `next_at` when we left; anything else is somebody's wish, and stays.
    """
    return case((Attempt.next_at == asked_at + schedule.CLAIM_LEASE, next_at), else_=Attempt.next_at)


def _next_at(db: Session, attempt: Attempt, asked_at: datetime, now: datetime) -> datetime | None:
    watched = attempt.watched_until is not None and attempt.watched_until > now
    next_at = schedule.next_enquiry(now, created_at=attempt.created_at, ends_at=attempt.ends_at, watched=watched)
    if attempt.status is AttemptStatus.PENDING and asked_at >= attempt.ends_at:
        return now + timedelta(seconds=60) if next_at is None else min(next_at, now + timedelta(seconds=60))
    paid = db.scalar(select(CheckoutSession.status).where(CheckoutSession.id == attempt.session_id))
    if paid == SessionStatus.PAID and next_at is not None:  # only a surplus can still come: there is no hurry
        return max(next_at, now + PAID_PAUSE)
    return next_at


def _flag_the_undecided(db: Session, terms: Terms, attempt: Attempt, asked_at: datetime, now: datetime) -> None:
    """A day after its end the gateway still says "processing": a person must ask QFPay; we go on asking too."""
    late = attempt.ends_at + timedelta(seconds=schedule.UNANSWERED_AFTER_END)
    if asked_at >= late and attempt.status in (AttemptStatus.PENDING, AttemptStatus.UNKNOWN):
        reviews.open_review(db, terms, attempt.session_id, "undecided", now)


def _unanswered(db: Session, attempt: Attempt, asked_at: datetime, now: datetime, *, postponed: bool) -> None:
    tries = attempt.tries if postponed else attempt.tries + 1
    next_at = now + POSTPONED if postponed else schedule.unanswered_enquiry(now, tries=tries)
    wish = _unless_hinted(asked_at, next_at)
    db.execute(update(Attempt).where(Attempt.id == attempt.id).values(next_at=wish, tries=tries))
    db.commit()
