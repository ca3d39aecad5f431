"""A breaker per credential: while its gateway is dead nobody waits for a time-out, and one call at a time tries again.

Five calls in a row without any answer open it; from then on one call each 30 s is the probe, and
the first answer, whatever it says, closes it (safety.md F15). It only ever saves time: what is not
asked now stays due.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.store.oversight import Breaker

log = logging.getLogger(__name__)

MOST_FAULTS = 5
BETWEEN_PROBES = timedelta(seconds=30)
STALE = 4 * BETWEEN_PROBES
BARELY = timedelta(seconds=1)  # clocks of two processes may differ by so much without meaning anything


def closed_until(db: Session, credential: str, now: datetime) -> datetime | None:
    """None: call. Otherwise nobody calls until this moment; whoever is told None while it is open is the probe."""
    breaker = _read(db, credential)
    if breaker is None or breaker.probe_at is None:
        return None
    if _waits(breaker, now):
        return breaker.probe_at
    probing = db.execute(
        update(Breaker)
        .where(Breaker.credential == credential, Breaker.probe_at == breaker.probe_at)
        .values(probe_at=now + BETWEEN_PROBES)
        .returning(Breaker.credential)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    return None if probing else now + BETWEEN_PROBES


def open_until(db: Session, credential: str, now: datetime) -> datetime | None:
    """The same without becoming the probe: the moment until which nobody calls, or None."""
    breaker = _read(db, credential)
    return breaker.probe_at if breaker and _waits(breaker, now) else None


def is_silent(connection: Connection, credential: str, now: datetime) -> bool:
    """Whether nobody has answered of late, for shoppers who are about to choose: one indexed read, nothing written.

    An open breaker that no probe has moved for minutes says nothing any more: nobody has asked since.
    """
    probe_at = connection.execute(select(Breaker.probe_at).where(Breaker.credential == credential)).scalar()
    return probe_at is not None and probe_at > now - STALE


def _waits(breaker: Breaker, now: datetime) -> bool:
    """A probe further ahead than any pause was set by a clock that has been put back since: it is due."""
    return breaker.probe_at is not None and now < breaker.probe_at <= now + BETWEEN_PROBES + BARELY


def pass_on(db: Session, credential: str, now: datetime) -> None:
    """Who was to be the probe and may not call lets the next one try at once; commits."""
    waiting = update(Breaker).where(Breaker.credential == credential, Breaker.probe_at.is_not(None))
    db.execute(waiting.values(probe_at=now).execution_options(synchronize_session=False))
    db.commit()


def note(db: Session, credential: str, now: datetime, *, answered: bool) -> None:
    """What became of a call, at once and committed: nothing is written while all is well."""
    breaker = _read(db, credential)
    if answered:
        if breaker is not None and (breaker.faults or breaker.probe_at):
            _close(db, breaker)
        return
    if breaker is None:
        _make(db, credential)
    faults = db.execute(
        update(Breaker)
        .where(Breaker.credential == credential)
        .values(faults=Breaker.faults + 1)
        .returning(Breaker.faults)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    if faults >= MOST_FAULTS:
        _open(db, credential, now)
    db.commit()


def _open(db: Session, credential: str, now: datetime) -> None:
    opened = db.execute(
        update(Breaker)
        .where(Breaker.credential == credential, Breaker.opened_at.is_(None))
        .values(opened_at=now, probe_at=now + BETWEEN_PROBES)
        .returning(Breaker.credential)
        .execution_options(synchronize_session=False)
    ).scalar()
    if opened:
        log.error("the gateway does not answer; one call in %s tries again", BETWEEN_PROBES)


def _close(db: Session, breaker: Breaker) -> None:
    db.execute(
        update(Breaker)
        .where(Breaker.credential == breaker.credential)
        .values(faults=0, opened_at=None, probe_at=None)
        .execution_options(synchronize_session=False)
    )
    db.commit()
    if breaker.opened_at:
        log.warning("the gateway answers again", extra={"since": breaker.opened_at.isoformat()})


def _read(db: Session, credential: str) -> Breaker | None:
    query = select(Breaker).where(Breaker.credential == credential).execution_options(populate_existing=True)
    breaker = db.scalar(query)
    db.commit()  # nothing stays open while we call
    return breaker


def _make(db: Session, credential: str) -> None:
    db.add(Breaker(credential=credential, faults=0))
    try:
        db.commit()
    except IntegrityError:  # another process was first
        db.rollback()
