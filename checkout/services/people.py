"""People and their shops: invited by a link, given a role, changed, sent away."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.ids import new_id
from checkout.domain.passwords import problem_with
from checkout.domain.roles import StaffRole
from checkout.services import passwords
from checkout.services.chronicle import Detail, write_down
from checkout.services.sign_ins import end_all_of, normal_email
from checkout.store.models import Merchant
from checkout.store.people import Invitation, Membership, Person

INVITED_FOR = timedelta(days=7)
EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]]{1,64}@[^\s@<>\"',;:\\()\[\]]{1,185}\.[^\s@<>\"',;:\\()\[\]]{2,}")


@dataclass(frozen=True)
class Invited:
    """`token` is what the invitation's link ends with; None for somebody who can sign in, or is invited elsewhere."""

    person: Person
    token: str | None = field(repr=False)


def add_person(db: Session, merchant_id: str, email: str, role: StaffRole, *, actor: str, now: datetime) -> Invited:
    """Let somebody into a shop, and commit. Raises Invalid naming `email`, and NotFound for an unknown merchant."""
    email = normal_email(email)
    if len(email) > 254 or not EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid({"email": "must be an e-mail address"})
    if db.get(Merchant, merchant_id) is None:
        raise NotFound("merchant")
    person = _person_with(db, email, now)
    if db.get(Membership, (person.id, merchant_id)):
        _change_role(db, merchant_id, person.id, role)
    else:
        db.add(Membership(person_id=person.id, merchant_id=merchant_id, role=role, created_at=now))
        db.flush()
    token = _invite(db, person, now) if may_be_invited(db, merchant_id, person) else None
    _write(db, actor, "person_added", person.id, details={"merchant": merchant_id, "role": role.value}, now=now)
    db.commit()
    return Invited(person, token)


def _person_with(db: Session, email: str, now: datetime) -> Person:
    query = select(Person).where(Person.email == email)
    if (person := db.scalar(query)) is not None:
        return person
    try:
        with db.begin_nested():
            person = Person(id=new_id("pe_"), email=email, totp_step=0, created_at=now)
            db.add(person)
            db.flush()
            return person
    except IntegrityError:  # invited to two shops at once
        return db.scalars(query).one()


def may_be_invited(db: Session, merchant_id: str, person: Person) -> bool:
    """Whether this shop may hand out a link for them: whoever has it is them, so it must open no other shop."""
    elsewhere = select(Membership.merchant_id).where(
        Membership.person_id == person.id, Membership.merchant_id != merchant_id
    )
    return person.password_digest is None and db.scalar(elsewhere.limit(1)) is None


def invite_again(db: Session, person: Person, *, actor: str, now: datetime) -> str:
    """A new link to choose a password with; those before it end, and commit. Also for a forgotten password."""
    token = _invite(db, person, now)
    _write(db, actor, "person_invited", person.id, details={}, now=now)
    db.commit()
    return token


def _invite(db: Session, person: Person, now: datetime) -> str:
    db.execute(delete(Invitation).where(Invitation.person_id == person.id, Invitation.used_at.is_(None)))
    token = secrets.token_urlsafe(32)
    db.add(Invitation(digest=_digest(token), person_id=person.id, created_at=now, ends_at=now + INVITED_FOR))
    db.flush()
    return token


def invited_by(db: Session, token: str, now: datetime) -> Person | None:
    """Whom this link is for. None: nobody, or it was used, or it has ended."""
    query = (
        select(Person)
        .join(Invitation, Invitation.person_id == Person.id)
        .where(Invitation.digest == _digest(token), Invitation.used_at.is_(None), Invitation.ends_at > now)
    )
    return db.scalar(query)


def accept_invitation(db: Session, token: str, password: str, now: datetime) -> Person:
    """Choose the first password, or another one, by a link that works once; commit.

    Raises NotFound for a link that does not work, and Invalid naming `password`.
    """
    person = invited_by(db, token, now)
    if person is None:
        raise NotFound("invitation")
    _refuse_weak(password, person)
    digest = passwords.digest_of(password)  # slow on purpose, so before anything is locked
    used = db.execute(
        update(Invitation)
        .where(Invitation.digest == _digest(token), Invitation.used_at.is_(None), Invitation.ends_at > now)
        .values(used_at=now)
        .returning(Invitation.digest)
        .execution_options(synchronize_session=False)
    )
    if used.scalar() is None:  # somebody else used it a moment ago
        db.rollback()
        raise NotFound("invitation")
    _set_password(db, person, digest, now)
    db.commit()
    return db.get_one(Person, person.id, populate_existing=True)


def change_password(db: Session, person: Person, password: str, now: datetime) -> None:
    """Another password: every browser is signed out. Commits. Raises Invalid naming `password`."""
    _refuse_weak(password, person)
    _set_password(db, person, passwords.digest_of(password), now)
    db.commit()


def _refuse_weak(password: str, person: Person) -> None:
    if problem := problem_with(password, email=person.email):
        raise Invalid({"password": problem})


def _set_password(db: Session, person: Person, digest: str, now: datetime) -> None:
    db.execute(
        update(Person)
        .where(Person.id == person.id)
        .values(password_digest=digest)
        .execution_options(synchronize_session=False)
    )
    end_all_of(db, person.id)
    _write(db, f"person/{person.id}", "password_set", person.id, details={}, now=now)


def shops_of(db: Session, person: Person) -> list[tuple[Merchant, StaffRole]]:
    """Every shop that somebody works for, by name."""
    query = (
        select(Merchant, Membership.role)
        .join(Membership, Membership.merchant_id == Merchant.id)
        .where(Membership.person_id == person.id)
        .order_by(Merchant.name, Merchant.id)
    )
    return [(merchant, role) for merchant, role in db.execute(query)]


def people_of(db: Session, merchant_id: str) -> list[tuple[Person, StaffRole]]:
    query = (
        select(Person, Membership.role)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.merchant_id == merchant_id)
        .order_by(Person.email)
    )
    return [(person, role) for person, role in db.execute(query)]


def person_of(db: Session, merchant_id: str, person_id: str) -> Person:
    """Somebody of this shop. Raises NotFound, for people of other shops too."""
    if db.get(Membership, (person_id, merchant_id)) is None:
        raise NotFound("person")
    return db.get_one(Person, person_id)


def set_role(
    db: Session, merchant_id: str, person_id: str, role: StaffRole | None, *, actor: str, now: datetime
) -> None:
    """Another role, or None: no access to this shop any more; commit.

    Raises NotFound, and Refused when nobody would be left who may let people in.
    """
    db.execute(select(Merchant.id).where(Merchant.id == merchant_id).with_for_update())  # two owners, each the other
    member = db.get(Membership, (person_id, merchant_id), populate_existing=True)
    if member is None:
        raise NotFound("person")
    if member.role is StaffRole.OWNER and role is not StaffRole.OWNER and _owners(db, merchant_id) == 1:
        raise Refused("a shop needs an owner")
    _change_role(db, merchant_id, person_id, role)
    action = "role_changed" if role else "person_removed"
    details: dict[str, Detail] = {"merchant": merchant_id}
    if role:
        details["role"] = role.value
    _write(db, actor, action, person_id, details=details, now=now)
    db.commit()


def _change_role(db: Session, merchant_id: str, person_id: str, role: StaffRole | None) -> None:
    its = (Membership.merchant_id == merchant_id, Membership.person_id == person_id)
    change = update(Membership).where(*its).values(role=role) if role else delete(Membership).where(*its)
    db.execute(change.execution_options(synchronize_session=False))


def _owners(db: Session, merchant_id: str) -> int:
    query = select(func.count()).where(Membership.merchant_id == merchant_id, Membership.role == StaffRole.OWNER)
    return db.scalar(query) or 0


def _write(db: Session, actor: str, action: str, subject: str, *, details: dict[str, Detail], now: datetime) -> None:
    write_down(db, actor=actor, action=action, subject=subject, details=details, now=now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
