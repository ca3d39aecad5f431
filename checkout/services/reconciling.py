"""Every night each merchant's last two days are compared with the gateway's books, and put right or written down."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import GatewayError
from checkout.domain.vault import CannotOpen
from checkout.gateway.months import day_of, midnight
from checkout.services.comparing import SETTLING, compare
from checkout.services.enquiries import Asking
from checkout.services.statements import Reader, Span
from checkout.store.models import Merchant
from checkout.store.oversight import Difference, Reconciliation

log = logging.getLogger(__name__)

A_DAY = timedelta(days=1)
AFTER_MIDNIGHT = timedelta(minutes=90)  # QFPay's own night, and the last codes' enquiries, are over by then
LEASE = timedelta(minutes=30)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True)
class Reconciled:
    """What one merchant's day came to. `trouble`: why nothing, or not everything, could be compared."""

    merchant_id: str
    day: date
    payments: int = 0
    refunds: int = 0
    differences: Sequence[Difference] = field(default=())
    trouble: str | None = None

    @property
    def open(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.resolved_at is None]

    @property
    def clean(self) -> bool:
        return not self.trouble and not self.open


def last_days(now: datetime) -> tuple[date, date]:
    """The two days that are due, the older one first; a day's books are closed an hour and a half after midnight."""
    latest = day_of(now - AFTER_MIDNIGHT) - A_DAY
    return latest - A_DAY, latest


def reconcile_day(
    asking: Asking,
    merchant_id: str,
    day: date,
    *,
    settling: timedelta = SETTLING,
    patience: Callable[[float], object] = time.sleep,
) -> Reconciled:
    """Compare one merchant's Hong Kong day with the gateway's books, and note how it went. Safe to repeat, any day.

    What is younger than `settling` is left to the ordinary enquiries. A gateway that gives no answer is trouble, no
    exception.
    """
    now = asking.clock()
    span = Span(midnight(day), min(midnight(day + A_DAY), now), now - settling)
    with asking.sessions() as db:
        done = look(db, asking, merchant_id, span, day=day, patience=patience)
        crash_point("reconciliation.compared")
        _write_down(db, done, now=asking.clock())
    crash_point("reconciliation.written")
    return done


def look(
    db: Session,
    asking: Asking,
    merchant_id: str,
    span: Span,
    *,
    day: date,
    patience: Callable[[float], object],
    restored: bool = False,
) -> Reconciled:
    """One merchant's span compared, whatever the gateway does. What happened before it was with us is passed over."""
    try:
        merchant = db.get_one(Merchant, merchant_id)
        gateway = asking.gateways.of(merchant)
        since = replace(span, start=max(span.start, merchant.created_at))
        outcome = compare(Reader(db, asking, gateway, patience), merchant_id, since, restored=restored)
    except CannotOpen:  # SECRET_KEY was changed; other merchants are compared all the same
        log.exception("the client key cannot be opened", extra={"merchant": merchant_id})
        return Reconciled(merchant_id, day, trouble="the client key cannot be opened: SECRET_KEY was changed")
    except GatewayError as error:
        log.warning("the gateway gave no statement: %s", error, extra={"merchant": merchant_id})
        return Reconciled(merchant_id, day, trouble=f"the gateway gave no statement: {error}")
    trouble = f"{outcome.surprises} records could not be taken in; the log says why" if outcome.surprises else None
    return Reconciled(
        merchant_id, day, outcome.payments, outcome.refunds, list(outcome.found.values()), trouble=trouble
    )


def merchants_on(db: Session, day: date) -> Sequence[str]:
    """Who was with us before that day was over."""
    known = select(Merchant.id).where(Merchant.created_at < midnight(day + A_DAY))
    return db.scalars(known.order_by(Merchant.created_at, Merchant.id)).all()


def reconcile_next(asking: Asking, *, patience: Callable[[float], object] = time.sleep) -> bool:
    """Reconcile one merchant's day that is due. False: none is."""
    now = asking.clock()
    with asking.sessions() as db:
        _plan(db, now)
        due = _claim(db, now)
    if due is None:
        return False
    crash_point("reconciliation.claimed")
    merchant_id, day = due
    done = reconcile_day(asking, merchant_id, date.fromisoformat(day), patience=patience)
    facts = {"merchant": merchant_id, "day": day, "open": len(done.open), "trouble": done.trouble}
    log.info("reconciled", extra=facts)
    return True


def _plan(db: Session, now: datetime) -> None:
    """A row for each merchant and each of the last two days: the row is the job."""
    missing = [pair for day in last_days(now) for pair in _unplanned(db, day)]
    for merchant_id, day in missing:
        db.add(Reconciliation(merchant_id=merchant_id, day=day.isoformat(), next_at=now))
    try:
        db.commit()
    except IntegrityError:  # another process planned them at this moment
        db.rollback()


def _unplanned(db: Session, day: date) -> Iterator[tuple[str, date]]:
    planned = select(Reconciliation.merchant_id).where(Reconciliation.day == day.isoformat())
    merchants = select(Merchant.id).where(Merchant.created_at < midnight(day + A_DAY), Merchant.id.not_in(planned))
    return ((merchant_id, day) for merchant_id in db.scalars(merchants).all())


def _claim(db: Session, now: datetime) -> tuple[str, str] | None:
    """Lease the row that has waited longest: if we die it is due again."""
    due = select(Reconciliation.merchant_id, Reconciliation.day, Reconciliation.next_at).where(
        Reconciliation.next_at <= now
    )
    row = db.execute(due.order_by(Reconciliation.next_at, Reconciliation.day).limit(1)).first()
    if row is None:
        db.rollback()
        return None
    claimed = db.execute(
        update(Reconciliation)
        .where(
            Reconciliation.merchant_id == row.merchant_id,
            Reconciliation.day == row.day,
            Reconciliation.next_at == row.next_at,
        )
        .values(next_at=now + LEASE)
        .returning(Reconciliation.day)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    return (row.merchant_id, row.day) if claimed else None


def _write_down(db: Session, done: Reconciled, *, now: datetime) -> None:
    """How it went, and when to look again: after trouble ever later, else on the second night, else never."""
    key = (done.merchant_id, done.day.isoformat())
    row = db.get(Reconciliation, key, populate_existing=True) or Reconciliation(merchant_id=key[0], day=key[1], tries=0)
    if done.trouble:
        row.tries += 1
        row.next_at = now + min(timedelta(minutes=2 ** min(row.tries, 10)), LONGEST_PAUSE)
    else:
        row.payments, row.refunds, row.differences = done.payments, done.refunds, len(done.open)
        row.tries, row.next_at = 0, _next_night(done.day, now)
        row.done_at = now if now >= midnight(done.day + A_DAY) else None
    db.add(row)
    try:
        db.commit()
    except IntegrityError:  # another process has just written the same first row
        db.rollback()


def _next_night(day: date, now: datetime) -> datetime | None:
    first = midnight(day + A_DAY) + AFTER_MIDNIGHT
    return next((night for night in (first, first + A_DAY) if night > now), None)
