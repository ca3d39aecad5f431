"""Tries that were denied, in the audit log: told soon, and never more often than a reader can bear (safety.md S43)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.roles import May
from checkout.services import throttling
from checkout.services.chronicle import STRANGER, Detail, write_down
from checkout.store.people import Person

WITHIN = timedelta(minutes=15)


class Denied(StrEnum):
    """What was denied, as the log calls it."""

    PASSWORD = "denied_password"  # noqa: S105 - the name of an action. At the sign-in, for somebody whom we know
    CODE = "denied_code"  # the second factor, after the right password
    PASSKEY = "denied_passkey"  # an answer in the name of a passkey of theirs that was none
    PROOF = "denied_proof"  # what needs a fresh proof, without one
    ROLE = "denied_role"
    SHOP = "denied_shop"  # one where they do not work, or that is not there: the log cannot tell which either


SIGNED_IN = frozenset({Denied.PROOF, Denied.ROLE, Denied.SHOP})


@dataclass(frozen=True)
class Denial:
    """One try. `email` is how the person is known, `needed` what their role did not include."""

    what: Denied
    email: str
    address: str
    needed: May | None = None


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


def is_told(times: int) -> bool:
    """Whether this is a power of ten."""
    return str(times).rstrip("0") == "1"
