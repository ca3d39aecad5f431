"""Asking the gateway what became of attempts: all due ones of one credential in one call (design.md section 4)."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, case, or_, select, update
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain import schedule
from checkout.domain.errors import GatewayError
from checkout.domain.lifecycle import AttemptStatus, SessionStatus
from checkout.domain.vault import CannotOpen
from checkout.gateway.client import PAGE_SIZE, Gateway, Says
from checkout.gateway.months import Window, windows_for
from checkout.gateway.records import Record
from checkout.services import breakers, calls, reviews, words
from checkout.services.believing import settle_unanswered
from checkout.services.budgets import Use
from checkout.services.calls import NotNow
from checkout.services.hearing import hear, unconfirmed
from checkout.services.lanes import Asking, Lanes
from checkout.services.terms import Terms
from checkout.services.words import Said
from checkout.store import retrying
from checkout.store.due import merchant_to_ask_about
from checkout.store.models import Attempt, CheckoutSession, GatewayWord, Merchant
from checkout.store.moves import lock_session, move_attempt, touch_session
from checkout.store.payable import had_an_order

__all__ = ["Asking", "Lanes", "enquire_next"]

log = logging.getLogger(__name__)

# An answer of so many records, with all documented fields, stays below the 64 KiB that we read; and with a record
# each they do not fill a page, after which another would be asked for: one question more than the budget knows of.
BATCH = PAGE_SIZE - 1
SOON = timedelta(milliseconds=700)  # due this soon: asked along, so that attempts of one shop fall into step
LATEST_RECORD = timedelta(days=1)  # how long after its end a code's late payment is looked for by month
PAID_PAUSE = timedelta(seconds=60)
STORE_TROUBLE = (OperationalError, InterfaceError, PoolTimeout)
POSTPONED = timedelta(seconds=2)
LONGEST_CALL = timedelta(seconds=20)
NEVER = datetime.max.replace(tzinfo=UTC)


def enquire_next(asking: Asking, *, first_tries_only: bool = False) -> bool:
    """Ask about the due attempts of one merchant. False: none is due.

    With `first_tries_only` merchants whose last question went unanswered are left to other threads,
    so that gateways that hang, however many, never take them all.
    """
    with asking.reading.connect() as connection:
        merchant_id = merchant_to_ask_about(
            connection, asking.clock(), busy=asking.lanes.busy, first_tries_only=first_tries_only
        )
    if merchant_id is None:
        return False
    with asking.lanes.entered(merchant_id) as free, asking.sessions() as db:
        return free and _enquire_for(db, asking, merchant_id)


def _enquire_for(db: Session, asking: Asking, merchant_id: str) -> bool:
    asked_at = asking.clock()
    try:
        gateway = asking.gateways.of(db.get_one(Merchant, merchant_id))
    except CannotOpen:  # SECRET_KEY was changed; others' payments are followed all the same
        log.exception("the client key cannot be opened", extra={"merchant": merchant_id})
        gateway = None
    if gateway and (until := breakers.open_until(db, gateway.budget_key, asked_at)):
        return _put_off(db, asking, merchant_id, until, asked_at)
    attempts = _claim(db, merchant_id, asked_at)
    crash_point("enquiry.claimed")
    if not attempts:
        return False
    unanswered = Answers(unanswered={attempt.out_trade_no for attempt in attempts})
    answers = _ask(db, asking, gateway, attempts) if gateway else unanswered
    crash_point("enquiry.answered")
    _take_in(db, asking, attempts, answers, asked_at)
    return True


def _put_off(db: Session, asking: Asking, merchant_id: str, until: datetime, now: datetime) -> bool:
    """The gateway is known to be dead: nothing is asked, and all that is due waits for the next probe."""
    due = update(Attempt).where(Attempt.merchant_id == merchant_id, Attempt.next_at <= now)
    waiting = db.scalars(
        due.values(next_at=until).returning(Attempt.id).execution_options(synchronize_session=False)
    ).all()
    db.commit()  # sessions are locked before their attempts, so nothing stays locked here
    noticed = select(GatewayWord.out_trade_no).where(
        GatewayWord.merchant_id == merchant_id, GatewayWord.source == "notification"
    )
    late = Attempt.ends_at <= now - timedelta(seconds=schedule.UNANSWERED_AFTER_END)
    matters = select(Attempt).where(
        Attempt.merchant_id == merchant_id,
        Attempt.next_at == until,
        Attempt.status != AttemptStatus.SUCCEEDED,
        Attempt.out_trade_no.in_(noticed) | late,
    )
    for attempt in db.scalars(matters.execution_options(populate_existing=True)).all():
        _flag_the_undecided(db, asking.terms, attempt, now, now)
        db.commit()
        _believe_notices(db, asking, attempt, until)
    db.commit()
    return bool(waiting)


def _believe_notices(db: Session, asking: Asking, attempt: Attempt, next_at: datetime) -> None:
    """Let a notification that is a minute old settle it; look again earlier than `next_at` if one will soon be."""
    try:
        later = settle_unanswered(db, asking.gateways, asking.terms, attempt, asking.clock())
    except IntegrityError:  # another process books it at this moment
        db.rollback()
        return
    if later and later < next_at:
        sooner = update(Attempt).where(Attempt.id == attempt.id, Attempt.next_at > later)
        db.execute(sooner.values(next_at=later).execution_options(synchronize_session=False))
        db.commit()


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
    crash_point("enquiry.before_claim")
    db.commit()
    for attempt in claimed:
        # A row that is still `created` has outlived its call: whoever made it died before the answer was stored.
        if attempt.status is AttemptStatus.CREATED and attempt.created_at <= now - LONGEST_CALL:
            lock_session(db, attempt.session_id)
            if move_attempt(db, attempt.id, AttemptStatus.UNKNOWN):
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
    postponed: datetime | None = None  # nothing was asked; when to try instead

    def money_in(self, number: str) -> list[Record]:
        """The records that say money moved: news that counts even when another month's call failed."""
        return [record for record in self.records[number] if record.says in (Says.SUCCEEDED, Says.RETURNED)]

    def paid_first(self, number: str) -> datetime:
        """When money first moved: of two payments that one answer brings, the earlier is the accepted one."""
        return min((record.paid_at for record in self.money_in(number) if record.paid_at), default=NEVER)


def _ask(db: Session, asking: Asking, gateway: Gateway, attempts: Sequence[Attempt]) -> Answers:
    answers = Answers()
    for window, numbers in _by_window(attempts, asking.clock()).items():
        question = partial(gateway.enquire, numbers, window)
        try:
            answer = calls.ask(db, asking.terms, gateway, question, use=Use.ENQUIRE, clock=asking.clock)
        except NotNow as reason:
            answers.unanswered.update(numbers)
            answers.postponed = reason.until
            continue
        except GatewayError as error:
            log.warning("enquiry got no answer: %s", error, extra={"merchant": attempts[0].merchant_id})
            answers.unanswered.update(numbers)
            # Known to be dead now: the next probe is a better moment than this attempt's own pause.
            answers.postponed = breakers.open_until(db, gateway.budget_key, asking.clock()) or answers.postponed
            continue
        for record in answer.records:
            answers.records[record.out_trade_no].append(record)
        for number in {record.out_trade_no for record in answer.records}:
            answers.raw[number] = b"\n".join(filter(None, (answers.raw.get(number), answer.raw)))
    return answers


def _by_window(attempts: Sequence[Attempt], now: datetime) -> dict[Window | None, list[str]]:
    grouped: dict[Window | None, list[str]] = defaultdict(list)
    for attempt in attempts:
        for window in windows_for(attempt.created_at, attempt.ends_at + LATEST_RECORD, now):
            grouped[window].append(attempt.out_trade_no)
    return grouped


def _take_in(db: Session, asking: Asking, attempts: Sequence[Attempt], answers: Answers, asked_at: datetime) -> None:
    """One unit each: a surprise about one payment must not hold up the others of its batch."""
    for attempt in sorted(attempts, key=lambda one: answers.paid_first(one.out_trade_no)):
        number = attempt.out_trade_no
        if number in answers.unanswered and not answers.money_in(number):
            _unanswered(db, asking, attempt, asked_at, postponed=answers.postponed)
            continue
        try:
            take_in = partial(_take_in_one, db, asking, attempt, answers, asked_at)
            retrying.run(db, take_in, finds_itself=True)
        except STORE_TROUBLE:  # the database and not the answer: what is leased is due again
            raise
        except IntegrityError:  # another process heard the same news at the same time; ask again soon
            db.rollback()
            _unanswered(db, asking, attempt, asked_at, postponed=asking.clock() + POSTPONED)
        except Exception:
            log.exception("an answer could not be taken in", extra={"attempt": attempt.id})
            db.rollback()
            reviews.open_review(db, asking.terms, attempt.session_id, "unreadable_answer", asking.clock())
            _unanswered(db, asking, attempt, asked_at, postponed=None)


def _take_in_one(db: Session, asking: Asking, attempt: Attempt, answers: Answers, asked_at: datetime) -> None:
    now, number = asking.clock(), attempt.out_trade_no
    heard = hear(db, asking.terms, attempt.id, answers.records[number], asked_at=asked_at, now=now)
    if heard and number in answers.raw:
        said = Said(attempt.merchant_id, "enquiry", answers.raw[number], number)
        words.keep(db, asking.gateways.vault, said, now)
        crash_point("enquiry.before_commit")
    fresh = db.get_one(Attempt, attempt.id, populate_existing=True)
    _flag_the_undecided(db, asking.terms, fresh, asked_at, now)
    if heard:  # what was decided was decided by a question of that moment, whoever has asked since (safety.md I9)
        older = or_(Attempt.answered_at.is_(None), Attempt.answered_at < asked_at)
        evidence = update(Attempt).where(Attempt.id == attempt.id, older).values(answered_at=asked_at)
        db.execute(evidence.execution_options(synchronize_session=False))
    next_at = _unless_hinted(asked_at, _next_at(db, fresh, asked_at, now))
    # `asked_at` moves to the end of the call: whatever slowed it, two seconds lie between two on the wire.
    values = {"next_at": next_at, "asked_at": now, "answered_at": asked_at, "tries": 0}
    # Who slept past the lease while another asked has nothing to say about when was asked and answered.
    ours = update(Attempt).where(Attempt.id == attempt.id, Attempt.asked_at == asked_at)
    db.execute(ours.values(values).execution_options(synchronize_session=False))
    db.commit()
    crash_point("enquiry.between_rows")


def _unless_hinted(asked_at: datetime, next_at: datetime | None) -> ColumnElement[datetime | None]:
    """The next question, unless a notification or the shopper asked for an earlier one while we were calling.

    Our lease is what stood in `next_at` when we left; anything else is somebody's wish, and stays.
    """
    return case((Attempt.next_at == asked_at + schedule.CLAIM_LEASE, next_at), else_=Attempt.next_at)


def _next_at(db: Session, attempt: Attempt, asked_at: datetime, now: datetime) -> datetime | None:
    watched = attempt.watched_until is not None and attempt.watched_until > now
    if _undecided(attempt) and asked_at >= attempt.ends_at:
        return schedule.undecided_enquiry(now, ends_at=attempt.ends_at)
    if attempt.status is AttemptStatus.SUCCEEDED and (alone := unconfirmed(db, attempt.id)):
        return schedule.undecided_enquiry(now, ends_at=alone.created_at)  # until an enquiry says so too
    next_at = schedule.next_enquiry(now, created_at=attempt.created_at, ends_at=attempt.ends_at, watched=watched)
    status = db.scalar(select(CheckoutSession.status).where(CheckoutSession.id == attempt.session_id))
    if status == SessionStatus.PAID and next_at is not None:  # only a surplus can still come: there is no hurry
        return max(next_at, now + PAID_PAUSE)
    return next_at


def _undecided(attempt: Attempt) -> bool:
    """Neither paid nor surely unpaid: a failed one too, whose code somebody has and may scan again."""
    failed = attempt.status is AttemptStatus.FAILED and had_an_order(attempt)
    return failed or attempt.status in (AttemptStatus.PENDING, AttemptStatus.UNKNOWN)


def _flag_the_undecided(db: Session, terms: Terms, attempt: Attempt, asked_at: datetime, now: datetime) -> None:
    """A day after its end the gateway has not said how it ended: a person must ask QFPay; we go on asking too."""
    late = attempt.ends_at + timedelta(seconds=schedule.UNANSWERED_AFTER_END)
    if asked_at >= late and _undecided(attempt):
        reviews.open_review_once(db, terms, attempt.session_id, "undecided", now)


def _unanswered(
    db: Session, asking: Asking, attempt: Attempt, asked_at: datetime, *, postponed: datetime | None
) -> None:
    now = asking.clock()
    fresh = db.get_one(Attempt, attempt.id, populate_existing=True)
    tries = fresh.tries if postponed else fresh.tries + 1
    next_at = postponed or schedule.unanswered_enquiry(now, tries=tries)
    if asked_at >= fresh.ends_at and not postponed:
        next_at = max(next_at, schedule.undecided_enquiry(now, ends_at=fresh.ends_at))
    _flag_the_undecided(db, asking.terms, fresh, asked_at, now)
    wish = _unless_hinted(asked_at, next_at)
    ours = update(Attempt).where(Attempt.id == attempt.id, Attempt.asked_at == asked_at)
    values = {"next_at": wish, "asked_at": now, "tries": tries}
    db.execute(ours.values(values).execution_options(synchronize_session=False))
    db.commit()
    _believe_notices(db, asking, fresh, next_at)
