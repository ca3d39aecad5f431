"""Signing in, staying signed in, showing again who one is, and signing out (safety.md S27, S28)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id
from checkout.domain.vault import Vault
from checkout.services import passwords, second_factor, throttling
from checkout.services.chronicle import write_down
from checkout.services.throttling import Caller, Codes
from checkout.store.people import Person, SignIn

IDLE = timedelta(minutes=30)
AT_MOST = timedelta(hours=12)
PROVEN_FOR = timedelta(minutes=5)  # so long after somebody has shown who they are they may do what needs it
SECOND_STEP = timedelta(minutes=10)  # between the password and the code
BOTH_TOKENS = timedelta(seconds=30)
SEEN_EACH = timedelta(minutes=1)  # a write for each page would tell nobody more
MOST_WRONG_CODES = 5


@dataclass(frozen=True)
class Visitor:
    """Somebody at the back office: a browser's sign-in and whose it is. `complete`: nothing is missing any more."""

    person: Person
    sign_in: SignIn
    address: str

    @property
    def complete(self) -> bool:
        return self.sign_in.complete

    @property
    def actor(self) -> str:
        return f"person/{self.person.id}"

    @property
    def caller(self) -> Caller:
        return Caller(self.person.email, self.address)

    def proven(self, now: datetime) -> bool:
        return self.complete and now - self.sign_in.proven_at < PROVEN_FOR


@dataclass(frozen=True)
class Browser:
    address: str
    name: str


def normal_email(email: str) -> str:
    return email.strip().lower()


def by_password(db: Session, email: str, password: str, browser: Browser, now: datetime) -> tuple[Visitor, str] | None:
    """Sign in, and commit: the visitor and the token for the cookie. None: there is no such address and password.

    Who has a second factor is not complete yet, and until then their tries count: a password may be stolen.
    Raises TooManyAttempts. An unknown address takes as long as a wrong password, and reads the same.
    """
    caller = Caller(normal_email(email), browser.address)
    throttling.count_try(db, caller, now)
    person = db.scalar(select(Person).where(Person.email == caller.email).execution_options(populate_existing=True))
    digest = person.password_digest if person else None
    db.rollback()  # nothing stays open while the password is worked on, which is slow on purpose
    if not passwords.is_password(digest, password) or person is None:
        return None
    _renew_digest(db, person, password)
    visitor, token = _open(db, person, browser, now, complete=not person.has_second_factor)
    if visitor.complete:
        throttling.forgive(db, caller, now)
        _write(db, visitor, "signed_in", now)
    db.commit()
    return visitor, token


def by_code(db: Session, vault: Vault, visitor: Visitor, code: str, now: datetime) -> tuple[Visitor, str] | None:
    """The second factor, or a recovery code: a complete sign-in under a new token, and commit. None: it was wrong.

    After five wrong ones the password is asked for again. Raises TooManyAttempts. Nobody gets as far as to be
    counted here who does not know the password.
    """
    codes = Codes(visitor.person.id, "sign_in")
    codes.count(db, now)
    person = db.get_one(Person, visitor.person.id, populate_existing=True)
    right = second_factor.use_code(db, vault, person, code, now) or second_factor.use_recovery_code(
        db, person, code, now
    )
    if not right:
        _count_wrong_code(db, visitor)
        db.commit()
        return None
    codes.was_right(db)
    throttling.forgive(db, visitor.caller, now)
    db.execute(delete(SignIn).where(SignIn.id == visitor.sign_in.id))
    return complete(db, person, Browser(visitor.sign_in.address, visitor.sign_in.browser), now)


def complete(
    db: Session, person: Person, browser: Browser, now: datetime, *, how: str = "signed_in"
) -> tuple[Visitor, str]:
    """A sign-in of somebody who has shown both factors, and commit. `how` stands in the audit log."""
    visitor, token = _open(db, person, browser, now, complete=True)
    _write(db, visitor, how, now)
    db.commit()
    return visitor, token


def open_for(db: Session, person: Person, browser: Browser, now: datetime) -> tuple[Visitor, str]:
    """Who has just chosen a password need not type it again; a second factor is still asked for. Commits."""
    visitor, token = _open(db, person, browser, now, complete=not person.has_second_factor)
    if visitor.complete:
        _write(db, visitor, "signed_in", now)
    db.commit()
    return visitor, token


def visitor_with(db: Session, token: str, address: str, now: datetime) -> Visitor | None:
    """Whose token this is. None: nobody's, or of a sign-in that has ended."""
    digest = _digest(token)
    found = db.execute(
        select(SignIn, Person)
        .join(Person, Person.id == SignIn.person_id)
        .where(or_(SignIn.digest == digest, SignIn.former_digest == digest))
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    sign_in, person = found
    current = secrets.compare_digest(sign_in.digest, digest) or now - sign_in.renewed_at < BOTH_TOKENS
    alive = now < sign_in.ends_at and now - sign_in.seen_at < IDLE
    return Visitor(person, sign_in, address) if current and alive else None


def seen(db: Session, visitor: Visitor, now: datetime) -> None:
    """A sign of life, a minute apart at least; commits."""
    if now - visitor.sign_in.seen_at < SEEN_EACH:
        return
    db.execute(
        update(SignIn)
        .where(SignIn.id == visitor.sign_in.id, SignIn.seen_at < now)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )
    db.commit()


def prove(db: Session, vault: Vault, visitor: Visitor, said: str, now: datetime) -> str | None:
    """Show again who one is, by the password or a code of the app, and commit: the new token. None: it was wrong.

    Raises TooManyAttempts.
    """
    throttling.count_try(db, visitor.caller, now)
    person = db.get_one(Person, visitor.person.id, populate_existing=True)
    if person.has_second_factor and second_factor.reads_as_code(said):
        right = _proves_by_code(db, vault, person, said, now)
    else:
        digest = person.password_digest
        db.rollback()  # nothing stays open while the password is worked on
        right = passwords.is_password(digest, said)
    return proven(db, visitor, now) if right else None


def _proves_by_code(db: Session, vault: Vault, person: Person, code: str, now: datetime) -> bool:
    """Raises TooManyAttempts; the password still proves it then. Commits the count alone."""
    codes = Codes(person.id, "proof")
    codes.count(db, now)
    right = second_factor.use_code(db, vault, person, code, now)
    if right:
        codes.was_right(db)
    return right


def proven(db: Session, visitor: Visitor, now: datetime) -> str:
    """They have shown it: the sign-in goes on under a new token, which this returns, and commits."""
    throttling.forgive(db, visitor.caller, now)
    token = secrets.token_urlsafe(32)
    db.execute(
        update(SignIn)
        .where(SignIn.id == visitor.sign_in.id)
        .values(former_digest=SignIn.digest, digest=_digest(token), renewed_at=now, proven_at=now)
        .execution_options(synchronize_session=False)
    )
    db.commit()
    return token


def sign_out(db: Session, visitor: Visitor, now: datetime) -> None:
    db.execute(delete(SignIn).where(SignIn.id == visitor.sign_in.id))
    _write(db, visitor, "signed_out", now)
    db.commit()


def sign_out_everywhere(db: Session, visitor: Visitor, now: datetime) -> None:
    """Also in the browser that asks; commits."""
    end_all_of(db, visitor.person.id)
    _write(db, visitor, "signed_out_everywhere", now)
    db.commit()


def end_all_of(db: Session, person_id: str) -> None:
    """No browser of theirs is signed in any more. Commits nothing."""
    db.execute(delete(SignIn).where(SignIn.person_id == person_id))


def open_ones(db: Session, person: Person, now: datetime) -> list[SignIn]:
    """The browsers in which somebody is signed in, the latest first."""
    query = select(SignIn).where(
        SignIn.person_id == person.id, SignIn.complete, SignIn.ends_at > now, SignIn.seen_at > now - IDLE
    )
    return list(db.scalars(query.order_by(SignIn.seen_at.desc(), SignIn.id)))


def _open(db: Session, person: Person, browser: Browser, now: datetime, *, complete: bool) -> tuple[Visitor, str]:
    db.execute(delete(SignIn).where(SignIn.person_id == person.id, SignIn.ends_at <= now))
    token = secrets.token_urlsafe(32)
    sign_in = SignIn(
        id=new_id("si_"),
        digest=_digest(token),
        former_digest=None,
        renewed_at=now,
        person_id=person.id,
        complete=complete,
        wrong_codes=0,
        address=browser.address[:45],
        browser=browser.name[:200],
        created_at=now,
        seen_at=now,
        ends_at=now + (AT_MOST if complete else SECOND_STEP),
        proven_at=now,
    )
    db.add(sign_in)
    db.flush()
    return Visitor(person, sign_in, browser.address), token


def _count_wrong_code(db: Session, visitor: Visitor) -> None:
    wrong = db.execute(
        update(SignIn)
        .where(SignIn.id == visitor.sign_in.id)
        .values(wrong_codes=SignIn.wrong_codes + 1)
        .returning(SignIn.wrong_codes)
        .execution_options(synchronize_session=False)
    ).scalar()
    if wrong is not None and wrong >= MOST_WRONG_CODES:
        db.execute(delete(SignIn).where(SignIn.id == visitor.sign_in.id))


def _renew_digest(db: Session, person: Person, password: str) -> None:
    if person.password_digest and passwords.is_outdated(person.password_digest):
        db.execute(
            update(Person)
            .where(Person.id == person.id, Person.password_digest == person.password_digest)
            .values(password_digest=passwords.digest_of(password))
            .execution_options(synchronize_session=False)
        )


def _digest(token: str) -> str:
    """Tokens have 256 random bits, so a fast digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _write(db: Session, visitor: Visitor, action: str, now: datetime) -> None:
    write_down(db, actor=visitor.actor, action=action, subject=visitor.person.id, details={}, now=now)
