"""Slowing down whoever guesses, without shutting out the person whose account it is (safety.md S27)."""

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Update, and_, case, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.domain.errors import TooManyAttempts
from checkout.services.forgetting import forget
from checkout.store.people import WrongTries


@dataclass(frozen=True)
class Limit:
    """So many tries within so long, then none until the time is over."""

    tries: int
    within: timedelta


HERE = Limit(10, timedelta(minutes=5))  # one account from one address
ACCOUNT = Limit(50, timedelta(minutes=15))  # one account from all addresses but those where its person has been
ADDRESS = Limit(100, timedelta(minutes=5))  # all accounts from one address: an office shares one
# Wrong codes of one account, wherever they come from and whatever else was right. There are only a million codes.
CODES = (Limit(10, timedelta(minutes=5)), Limit(50, timedelta(days=1)))
KNOWN_FOR = timedelta(days=365)  # since they last signed in from there
QUESTIONS = Limit(300, timedelta(minutes=5))  # asked of authenticators at one address: each is a row for minutes


@dataclass(frozen=True)
class Caller:
    """Somebody who says that an account is theirs. What is kept of both is a digest."""

    email: str
    address: str

    @property
    def here(self) -> str:
        return _digest("here", self.email, neighbourhood(self.address))

    @property
    def account(self) -> str:
        return _digest("account", self.email)

    @property
    def place(self) -> str:
        return _digest("address", neighbourhood(self.address))


def neighbourhood(address: str) -> str:
    """The address, or its network where one customer has a whole network to himself (IPv6)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def count_try(db: Session, caller: Caller, now: datetime) -> None:
    """Count one try before its outcome is known, so that a crowd at once is counted too, and commit.

    Raises TooManyAttempts. Guesses of strangers never keep out a person at an address where they signed in before.
    """
    known_here = db.scalar(select(WrongTries.right_at).where(WrongTries.who == caller.here)) is not None
    limits = [(caller.here, HERE), (caller.place, ADDRESS)] if known_here else [
        (caller.here, HERE), (caller.account, ACCOUNT), (caller.place, ADDRESS),
    ]  # fmt: skip
    waits = [_count(db, who, limit, now) for who, limit in limits]
    db.commit()
    if longest := max(waits):
        raise TooManyAttempts("too many tries; wait a little", longest)


def forgive(db: Session, caller: Caller, now: datetime) -> None:
    """The try was right: it and those before it here do not count. Commits nothing."""
    db.execute(_of(caller.here).values(tries=0, right_at=now))
    for who in (caller.account, caller.place):
        _take_back(db, who)


@dataclass(frozen=True)
class Codes:
    """Codes of one person at one step. Each step has a count of its own: whoever may try at one closes no other."""

    person_id: str
    step: str

    def count(self, db: Session, now: datetime) -> None:
        """Count one before it is known whether it is right, and commit. Raises TooManyAttempts.

        What the shorter limit refuses does not count against the longer one: it was not looked at.
        """
        waits = (_count(db, self._digest(limit), limit, now) for limit in CODES)
        wait = next(filter(None, waits), 0)
        db.commit()
        if wait:
            raise TooManyAttempts("too many codes; wait a little", wait)

    def was_right(self, db: Session) -> None:
        """It does not count. The wrong ones before it do: a guesser could wait for the person. Commits nothing."""
        for limit in CODES:
            _take_back(db, self._digest(limit))

    def _digest(self, limit: Limit) -> str:
        return _digest("codes", self.step, str(limit.within), self.person_id)


def count_question(db: Session, address: str, now: datetime) -> None:
    """Somebody there asks to be asked for a passkey. Raises TooManyAttempts. Commits."""
    wait = _count(db, _digest("questions", neighbourhood(address)), QUESTIONS, now)
    db.commit()
    if wait:
        raise TooManyAttempts("too many questions; wait a little", wait)


def forget_tries(db: Session, now: datetime) -> None:
    """Drop counts that limit nothing any more, and commit: whoever guesses e-mail addresses leaves a row for each."""
    over = WrongTries.since <= now - max(limit.within for limit in (HERE, ACCOUNT, ADDRESS, *CODES, QUESTIONS))
    stranger = or_(WrongTries.right_at.is_(None), WrongTries.right_at <= now - KNOWN_FOR)
    forget(db, WrongTries, and_(over, stranger))


def tally(db: Session, what: tuple[str, ...], within: timedelta, now: datetime) -> int:
    """Count one more of anything, by a digest; how many there have been within that time. Commits nothing."""
    return _counted(db, _digest(*what), within, now)[0]


def _count(db: Session, who: str, limit: Limit, now: datetime) -> int:
    """Seconds to wait; 0: go on."""
    tries, since = _counted(db, who, limit.within, now)
    left = (since + limit.within - now).total_seconds()
    return max(math.ceil(left), 1) if tries > limit.tries else 0


def _counted(db: Session, who: str, within: timedelta, now: datetime) -> tuple[int, datetime]:
    """How many there have been since when, this one included."""
    over = WrongTries.since <= now - within
    counting = (
        _of(who)
        .values(tries=case((over, 1), else_=WrongTries.tries + 1), since=case((over, now), else_=WrongTries.since))
        .returning(WrongTries.tries, WrongTries.since)
    )
    counted = db.execute(counting).first()
    if counted is None:
        try:
            with db.begin_nested():
                db.add(WrongTries(who=who, tries=1, since=now, right_at=None))
                db.flush()
            return 1, now
        except IntegrityError:  # somebody else counted the first one a moment ago
            counted = db.execute(counting).one()
    return counted.tries, counted.since


def _take_back(db: Session, who: str) -> None:
    db.execute(_of(who).where(WrongTries.tries > 0).values(tries=WrongTries.tries - 1))


def _of(who: str) -> Update:
    return update(WrongTries).where(WrongTries.who == who).execution_options(synchronize_session=False)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
