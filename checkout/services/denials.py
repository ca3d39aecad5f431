"""Tries that were denied, in the audit log: told soon, and never more often than a reader can bear (safety.md S43)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from checkout.domain.api_keys import digest_of
from checkout.domain.roles import May
from checkout.services import throttling
from checkout.services.chronicle import STRANGER, Detail, by_merchant, write_down
from checkout.store.people import Person
from checkout.store.telling import ApiKey

WITHIN = timedelta(minutes=15)  # for people
AN_HOUR = timedelta(hours=1)  # for keys: a shop's server tries again and again what it was denied


class Denied(StrEnum):
    """What was denied, as the log calls it."""

    PASSWORD = "denied_password"  # noqa: S105 - the name of an action. At the sign-in, for somebody whom we know
    CODE = "denied_code"  # the second factor, after the right password
    PASSKEY = "denied_passkey"  # an answer in the name of a passkey of theirs that was none
    PROOF = "denied_proof"  # what needs a fresh proof, without one
    ROLE = "denied_role"
    SHOP = "denied_shop"  # one where they do not work, or that is not there: the log cannot tell which either

    KEY = "denied_key"  # a call of the API with a key that was revoked, or whose last day is over
    SCOPE = "denied_scope"  # one that its key may not make
    OBJECT = "denied_object"  # one about a thing of another shop, or that is not there: the log cannot tell either


SIGNED_IN = frozenset({Denied.PROOF, Denied.ROLE, Denied.SHOP})


@dataclass(frozen=True)
class Denial:
    """One try. `email` is how the person is known, `needed` what their role did not include."""

    what: Denied
    email: str
    address: str
    needed: May | None = None


@dataclass(frozen=True)
class DeniedCall:
    """One call of the API. `key` is what was sent as one, `call` the method and the rule, without what was typed."""

    what: Denied
    key: str
    call: str
    address: str


def note(db: Session, denial: Denial, now: datetime) -> None:
    """Count one try and, if it is the 1st, 10th, 100th … of its kind and person in 15 minutes, write it down. Commits.

    So whoever reads learns of the first at once and of a flood by its size, while a stranger who knows an address
    makes the log longer by an entry for each tenfold effort. Nothing is kept by network address, of which some have
    very many; and nothing at all about people who do not exist.
    """
    person_id = db.scalar(select(Person.id).where(Person.email == denial.email))
    if person_id is None:
        return
    needed = denial.needed.value if denial.needed else ""
    times = throttling.tally(db, ("denied", denial.what, needed, person_id), WITHIN, now)
    if is_told(times):
        details: dict[str, Detail] = {"times": times, "address": denial.address[:45]}
        if needed:
            details["needed"] = needed
        actor = f"person/{person_id}" if denial.what in SIGNED_IN else STRANGER
        write_down(db, actor=actor, action=denial.what.value, subject=person_id, details=details, now=now)
    db.commit()


def was_given_out(connection: Connection, key: str) -> bool:
    """Whether this is, or once was, a key of the API."""
    return connection.scalar(select(ApiKey.id).where(ApiKey.digest == digest_of(key))) is not None


def note_call(db: Session, denied: DeniedCall, now: datetime) -> None:
    """The same for a call of the API, by key and within an hour; nothing about what is nobody's key. Commits.

    Only the key's own shop reads of it. It never learns whether a thing is there and another shop's, and the other
    shop's log cannot be filled by this one.
    """
    key = db.scalar(select(ApiKey).where(ApiKey.digest == digest_of(denied.key)))
    if key is None:
        return
    times = throttling.tally(db, ("denied", denied.what, key.id), AN_HOUR, now)
    if is_told(times):
        details: dict[str, Detail] = {
            "times": times,
            "address": denied.address[:45],
            "key": key.id,
            "call": denied.call,
        }
        actor = STRANGER if denied.what is Denied.KEY else by_merchant(key.merchant_id)
        write_down(db, actor=actor, action=denied.what.value, subject=key.merchant_id, details=details, now=now)
    db.commit()


def is_told(times: int) -> bool:
    """Whether this is a power of ten."""
    return str(times).rstrip("0") == "1"
