"""Passkeys: made and removed by their person, and used to sign in or to show again who one is (safety.md S27).

A passkey whose person was verified by its authenticator is both factors in one. Every question is asked once, of one
browser and for one purpose, and our own rows decide what comes of an answer: a browser brings nothing but a signature.
"""

import hashlib
import logging
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotFound
from checkout.domain.ids import new_id
from checkout.domain.text import plain
from checkout.services import authenticators, sign_ins, throttling
from checkout.services.authenticators import Answer, Site
from checkout.services.chronicle import write_down
from checkout.services.sign_ins import Browser, Visitor
from checkout.services.throttling import Caller
from checkout.store.passkeys import Challenge, Passkey
from checkout.store.people import Person

log = logging.getLogger(__name__)

ANSWERED_WITHIN = timedelta(minutes=5)
MOST = 20  # of one person
LONGEST_NAME = 60


class NotAccepted(Invalid):
    """Somebody answered for a passkey of `email`, and did not prove it. For the log alone: who asks is not told."""

    def __init__(self, email: str) -> None:
        super().__init__({"passkey": "refused"})
        self.email = email


def of(db: Session, person: Person) -> list[Passkey]:
    """The oldest first."""
    query = select(Passkey).where(Passkey.person_id == person.id).order_by(Passkey.created_at, Passkey.id)
    return list(db.scalars(query))


def has_any(db: Session, person: Person) -> bool:
    """Whether there is one to be asked for; costs those nothing who never had any."""
    if person.passkey_handle is None:
        return False
    return db.scalar(select(Passkey.id).where(Passkey.person_id == person.id).limit(1)) is not None


# --- the questions


def ask_to_add(db: Session, site: Site, visitor: Visitor, name: str, now: datetime) -> str:
    """What the browser must be told to have one made, as JSON; commits. Raises Invalid naming `passkey`."""
    _refuse_name(name)
    person = _with_handle(db, visitor.person)
    known = of(db, person)
    if len(known) >= MOST:
        raise Invalid({"passkey": "most"})
    challenge = _ask(db, _adding(visitor), now)
    return authenticators.ask_for_a_new_one(site, person, known, challenge)


def ask_to_sign_in(db: Session, site: Site, browser: Browser, before: str, now: datetime) -> str:
    """The same for anybody, whose browser holds `before`; commits. It names no passkey. Raises TooManyAttempts."""
    throttling.count_question(db, browser.address, now)
    challenge = _ask(db, _signing_in(before), now)
    return authenticators.ask_for_a_known_one(site, [], challenge)


def ask_to_prove(db: Session, site: Site, visitor: Visitor, now: datetime) -> str:
    """The same for somebody who is signed in, with the passkeys that would do; commits. Raises TooManyAttempts."""
    throttling.count_question(db, visitor.address, now)
    challenge = _ask(db, _proving(visitor), now)
    return authenticators.ask_for_a_known_one(site, of(db, visitor.person), challenge)


def _adding(visitor: Visitor) -> str:
    return f"add/{visitor.sign_in.id}"


def _proving(visitor: Visitor) -> str:
    return f"prove/{visitor.sign_in.id}"


def _signing_in(before: str) -> str:
    """Before a sign-in there is only what the cookie holds against forged forms; we keep its digest."""
    return f"sign_in/{hashlib.sha256(before.encode()).hexdigest()}"


def _ask(db: Session, asked_of: str, now: datetime) -> bytes:
    challenge = secrets.token_bytes(32)
    db.execute(delete(Challenge).where(Challenge.ends_at <= now).execution_options(synchronize_session=False))
    db.add(Challenge(digest=_digest(challenge), asked_of=asked_of, ends_at=now + ANSWERED_WITHIN))
    db.commit()
    return challenge


def _with_handle(db: Session, person: Person) -> Person:
    """Made with the first question and kept: authenticators know the person by it. Commits nothing."""
    db.execute(
        update(Person)
        .where(Person.id == person.id, Person.passkey_handle.is_(None))
        .values(passkey_handle=secrets.token_bytes(64))
        .execution_options(synchronize_session=False)
    )
    return db.get_one(Person, person.id, populate_existing=True)


# --- the answers


def add(db: Session, site: Site, visitor: Visitor, said: str, now: datetime, *, name: str) -> Passkey:
    """Keep the passkey that was made, and commit. Raises Invalid naming `passkey`."""
    _refuse_name(name)
    answer = _answer_to(db, _adding(visitor), authenticators.read(said), now)
    made = authenticators.new_key(site, answer)
    if made is None:
        raise Invalid({"passkey": "refused"})
    passkey = Passkey(
        id=new_id("pk_"),
        person_id=visitor.person.id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        uses=made.uses,
        transports=made.transports,
        name=plain(name),
        created_at=now,
        used_at=None,
    )
    try:
        with db.begin_nested():
            db.add(passkey)
            db.flush()
    except IntegrityError:  # no honest authenticator gives one id twice
        raise Invalid({"passkey": "refused"}) from None
    _write(db, visitor.actor, "passkey_added", passkey, now)
    db.commit()
    return passkey


def sign_in(db: Session, site: Site, said: str, browser: Browser, before: str, *, now: datetime) -> tuple[Visitor, str]:
    """A complete sign-in and the token for the cookie, and commit. Raises Invalid naming `passkey`, TooManyAttempts.

    Counted like passwords, but by the passkey that is named: who guesses a password keeps no passkey out.
    An unknown one is refused in the same words as a wrong signature.
    """
    answer = authenticators.read(said)
    named = answer.credential_id.hex() if answer else ""
    caller = Caller(f"passkey/{named}", browser.address)
    throttling.count_try(db, caller, now)
    answer = _answer_to(db, _signing_in(before), answer, now)
    person = _used(db, site, answer, now)
    throttling.forgive(db, caller, now)
    return sign_ins.complete(db, person, browser, now, how="signed_in_by_passkey")


def prove(db: Session, site: Site, visitor: Visitor, said: str, now: datetime) -> str:
    """Show again who one is, and commit: the new token. Raises Invalid naming `passkey`, TooManyAttempts."""
    throttling.count_try(db, visitor.caller, now)
    answer = _answer_to(db, _proving(visitor), authenticators.read(said), now)
    _used(db, site, answer, now, person_id=visitor.person.id)
    return sign_ins.proven(db, visitor, now)


def _answer_to(db: Session, asked_of: str, answer: Answer | None, now: datetime) -> Answer:
    """The answer, if this was asked just now. Whatever becomes of it, the question is answered by it, and commits."""
    if answer is None:
        raise Invalid({"passkey": "refused"})
    taken = db.execute(
        delete(Challenge)
        .where(Challenge.digest == _digest(answer.challenge), Challenge.asked_of == asked_of, Challenge.ends_at > now)
        .returning(Challenge.digest)
        .execution_options(synchronize_session=False)
    )
    known = taken.scalar() is not None
    db.commit()
    if not known:
        raise Invalid({"passkey": "late"})
    return answer


def _used(db: Session, site: Site, answer: Answer, now: datetime, *, person_id: str | None = None) -> Person:
    """Whose passkey it is, once it has proved itself. Commits nothing, unless it looks like a copy: that is kept."""
    passkey = db.scalar(select(Passkey).where(Passkey.credential_id == answer.credential_id))
    if passkey is None or person_id not in (None, passkey.person_id):
        raise Invalid({"passkey": "refused"})
    person = db.get_one(Person, passkey.person_id, populate_existing=True)
    uses = authenticators.uses_proven(site, answer, passkey.public_key)
    # Who was known by the question may be left unsaid; a passkey that somebody picked says whose it is.
    handles = (person.passkey_handle, None) if person_id else (person.passkey_handle,)
    if uses is None or answer.user_handle not in handles:
        raise NotAccepted(person.email)
    if not _take_use(db, passkey, uses, now):
        _tell_of_a_copy(db, passkey, now)
        raise NotAccepted(person.email)
    return person


def _take_use(db: Session, passkey: Passkey, uses: int, now: datetime) -> bool:
    """The database is the referee: a count is taken once. Authenticators that do not count say 0 each time."""
    taken = db.execute(
        update(Passkey)
        .where(Passkey.id == passkey.id, or_(Passkey.uses < uses, (Passkey.uses == 0) & (uses == 0)))
        .values(uses=uses, used_at=now)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    return taken.scalar() is not None


def _tell_of_a_copy(db: Session, passkey: Passkey, now: datetime) -> None:
    """Its counter did not rise: two devices may hold the key. One that was removed a moment ago has no counter."""
    if db.scalar(select(Passkey.id).where(Passkey.id == passkey.id)) is None:
        return
    log.warning("the counter of a passkey went backwards: there may be a copy of it", extra={"passkey": passkey.id})
    _write(db, f"person/{passkey.person_id}", "passkey_copied", passkey, now)
    db.commit()


# --- the end of one


def remove(db: Session, visitor: Visitor, passkey_id: str, now: datetime) -> None:
    """It opens nothing any more; commits. Raises NotFound, for somebody else's too."""
    passkey = db.get(Passkey, passkey_id)
    if passkey is None or passkey.person_id != visitor.person.id:
        raise NotFound("passkey")
    db.execute(delete(Passkey).where(Passkey.id == passkey.id).execution_options(synchronize_session=False))
    _write(db, visitor.actor, "passkey_removed", passkey, now)
    db.commit()


def remove_all(db: Session, person: Person, now: datetime, *, actor: str) -> list[str]:
    """The names of those that are no more; commits."""
    gone = of(db, person)
    db.execute(delete(Passkey).where(Passkey.person_id == person.id).execution_options(synchronize_session=False))
    for passkey in gone:
        _write(db, actor, "passkey_removed", passkey, now)
    db.commit()
    return [passkey.name for passkey in gone]


def _refuse_name(name: str) -> None:
    if not 0 < len(plain(name)) <= LONGEST_NAME:
        raise Invalid({"passkey": "name"})


def _write(db: Session, actor: str, action: str, passkey: Passkey, now: datetime) -> None:
    write_down(db, actor=actor, action=action, subject=passkey.person_id, details={"passkey": passkey.id}, now=now)


def _digest(challenge: bytes) -> str:
    """It has 256 random bits, so a fast digest is enough."""
    return hashlib.sha256(challenge).hexdigest()
