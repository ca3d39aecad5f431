"""Invitations: what a link opens, for whom, and that it does so once (safety.md S3, I22).

Nobody has shown us whose an e-mail address is, so neither an account nor another shop's link says anything about it.
Somebody works for a shop from the moment on at which they use the link that this very shop handed to them.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from checkout.domain.errors import NotFound, Refused
from checkout.domain.roles import StaffRole
from checkout.services.chronicle import write_down
from checkout.store.models import Merchant
from checkout.store.people import Invitation, Membership, Person

INVITED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Offer:
    """What a link opens that works: a role in one shop or, without a shop, another password."""

    person: Person
    merchant: Merchant | None
    role: StaffRole | None

    @property
    def sets_password(self) -> bool:
        """A shop's link sets the first one only: whose account it is already signs in, and accepts."""
        return self.merchant is None or self.person.password_digest is None


def make(db: Session, person: Person, merchant_id: str | None, role: StaffRole | None, now: datetime) -> str:
    """What a new link ends with; the earlier ones of the same shop end. Commits nothing.

    Whoever makes one for a shop holds its row, so that two at once leave one link.
    """
    end(db, person.id, merchant_id)
    token = secrets.token_urlsafe(32)
    db.add(
        Invitation(
            digest=_digest(token),
            person_id=person.id,
            merchant_id=merchant_id,
            role=role,
            created_at=now,
            ends_at=now + INVITED_FOR,
        )
    )
    db.flush()
    return token


def end(db: Session, person_id: str, merchant_id: str | None) -> bool:
    """Whether there was a link that nobody had used; it opens nothing any more. Commits nothing."""
    ended = delete(Invitation).where(*_waiting(merchant_id), Invitation.person_id == person_id)
    return bool(db.scalars(ended.returning(Invitation.digest).execution_options(synchronize_session=False)).all())


def waiting(db: Session, merchant_id: str) -> list[tuple[Person, Invitation]]:
    """Whom a shop has invited and who has not accepted, also when the link has ended meanwhile; by address."""
    query = select(Person, Invitation).join(Invitation, Invitation.person_id == Person.id)
    return [(person, one) for person, one in db.execute(query.where(*_waiting(merchant_id)).order_by(Person.email))]


def waiting_for(db: Session, person: Person) -> list[Invitation]:
    """Of all shops that have invited somebody who has not accepted."""
    query = select(Invitation).where(
        Invitation.person_id == person.id, Invitation.merchant_id.is_not(None), Invitation.used_at.is_(None)
    )
    return list(db.scalars(query.order_by(Invitation.merchant_id)))


def _waiting(merchant_id: str | None) -> tuple[ColumnElement[bool], ...]:
    return Invitation.merchant_id == merchant_id, Invitation.used_at.is_(None)


def offered(db: Session, token: str, now: datetime) -> Offer | None:
    """None: nobody made this link, or it was used or replaced, or it has ended."""
    query = (
        select(Person, Merchant, Invitation.role)
        .join(Invitation, Invitation.person_id == Person.id)
        .outerjoin(Merchant, Merchant.id == Invitation.merchant_id)
        .where(*_works(token, now))
        .execution_options(populate_existing=True)
    )
    found = db.execute(query).first()
    return Offer(*found) if found else None


def accept(db: Session, token: str, person: Person, now: datetime) -> Merchant:
    """Somebody who is signed in works for the shop from now on; commits.

    Raises NotFound for a link that does not work, and Refused for one to somebody else, or to another password.
    """
    offer = offered(db, token, now)
    if offer is None:
        raise NotFound("invitation")
    if offer.merchant is None or offer.person.id != person.id:
        raise Refused("this link is not for this account")
    take(db, offer, token, now)
    write_accepted(db, offer, now)
    db.commit()
    return offer.merchant


def take(db: Session, offer: Offer, token: str, now: datetime) -> None:
    """Use the link up: from now on the role is theirs. Commits nothing.

    Raises NotFound, and rolls back, when somebody was quicker: with the link, with another one, or in taking it back.
    """
    if offer.merchant:
        hold(db, offer.merchant.id)
    used = db.execute(
        update(Invitation)
        .where(*_works(token, now))
        .values(used_at=now)
        .returning(Invitation.digest)
        .execution_options(synchronize_session=False)
    )
    if used.first() is None:
        db.rollback()
        raise NotFound("invitation")
    if offer.merchant:
        db.add(Membership(person_id=offer.person.id, merchant_id=offer.merchant.id, role=offer.role, created_at=now))
        db.flush()


def write_accepted(db: Session, offer: Offer, now: datetime) -> None:
    """For the audit log, at the end of what the link has changed."""
    if offer.merchant and offer.role:
        actor, details = f"person/{offer.person.id}", {"merchant": offer.merchant.id, "role": offer.role.value}
        write_down(db, actor=actor, action="person_accepted", subject=offer.person.id, details=details, now=now)


def hold(db: Session, merchant_id: str) -> None:
    """Who works for a shop is changed by one at a time. Until the commit. Raises NotFound."""
    if db.scalar(select(Merchant.id).where(Merchant.id == merchant_id).with_for_update()) is None:
        raise NotFound("merchant")


def _works(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Invitation.digest == _digest(token), Invitation.used_at.is_(None), Invitation.ends_at > now


def _digest(token: str) -> str:
    """Tokens have 256 random bits, so a fast digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
