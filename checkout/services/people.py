"""People and their shops: invited by a link, given a role, changed, sent away."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.ids import new_id
from checkout.domain.passwords import problem_with
from checkout.domain.roles import StaffRole
from checkout.services import invitations, passwords
from checkout.services.chronicle import Detail, write_down
from checkout.services.invitations import hold
from checkout.services.sign_ins import end_all_of, normal_email
from checkout.store.models import Merchant
from checkout.store.people import Membership, Person

EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]]{1,64}@[^\s@<>\"',;:\\()\[\]]{1,185}\.[^\s@<>\"',;:\\()\[\]]{2,}")


@dataclass(frozen=True)
class Invited:
    """`token` is what the invitation's link ends with; None for somebody who works for the shop already."""

    person: Person
    token: str | None = field(repr=False)


def add_person(db: Session, merchant_id: str, email: str, role: StaffRole, *, actor: str, now: datetime) -> Invited:
    """Invite somebody to a shop, and commit; who works there already gets the role at once.

    Raises Invalid naming `email`, and NotFound for an unknown merchant. What comes back does not tell whether
    anybody has an account with this address.
    """
    email = normal_email(email)
    if len(email) > 254 or not EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid({"email": "must be an e-mail address"})
    hold(db, merchant_id)
    person = _person_with(db, email, now)
    works_here = db.get(Membership, (person.id, merchant_id), populate_existing=True) is not None
    if works_here:
        _change_role(db, merchant_id, person.id, role)
    token = None if works_here else invitations.make(db, person, merchant_id, role, now)
    action = "role_changed" if works_here else "person_added"
    _write(db, actor, action, person.id, details={"merchant": merchant_id, "role": role.value}, now=now)
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


def invite_again(db: Session, merchant_id: str, person_id: str, *, actor: str, now: datetime) -> Invited:
    """A new link of this shop for somebody who has not accepted yet; its earlier one ends, and commit.

    Raises NotFound for anybody else, those who work there already among them.
    """
    hold(db, merchant_id)
    found = [each for each in invitations.waiting(db, merchant_id) if each[0].id == person_id]
    if not found:
        db.rollback()
        raise NotFound("person")
    person, before = found[0]
    token = invitations.make(db, person, merchant_id, before.role, now)
    _write(db, actor, "person_invited", person.id, details={"merchant": merchant_id}, now=now)
    db.commit()
    return Invited(person, token)


def withdraw(db: Session, merchant_id: str, person_id: str, *, actor: str, now: datetime) -> None:
    """Somebody who has not accepted yet is no longer invited; commit. Raises NotFound for anybody else."""
    hold(db, merchant_id)
    if not invitations.end(db, person_id, merchant_id):
        db.rollback()
        raise NotFound("person")
    _write(db, actor, "person_removed", person_id, details={"merchant": merchant_id}, now=now)
    db.commit()


def password_link(db: Session, person: Person, *, actor: str, now: datetime) -> str:
    """What a link ends with that sets another password, for a forgotten one; those before it end, and commit.

    It opens no shop which they had no access to before.
    """
    token = invitations.make(db, person, None, None, now)
    _write(db, actor, "person_invited", person.id, details={}, now=now)
    db.commit()
    return token


def accept_invitation(db: Session, token: str, password: str, now: datetime) -> Person:
    """Choose the first password, or another one, by a link that works once; commit.

    Raises NotFound for a link that does not work, Invalid naming `password`, and Refused when the account has a
    password and the link is a shop's: then its person signs in and accepts.
    """
    offer = invitations.offered(db, token, now)
    if offer is None:
        raise NotFound("invitation")
    if not offer.sets_password:
        raise Refused("this account has a password")
    _refuse_weak(password, offer.person)
    db.rollback()  # nothing stays open while the password is worked on, which is slow on purpose
    digest = passwords.digest_of(password)
    invitations.take(db, offer, token, now)
    if not _set_password(db, offer.person, digest, now, first=offer.merchant is not None):
        db.rollback()
        raise Refused("this account has a password")
    invitations.write_accepted(db, offer, now)
    db.commit()
    return db.get_one(Person, offer.person.id, populate_existing=True)


def change_password(db: Session, person: Person, password: str, now: datetime) -> None:
    """Another password: every browser is signed out. Commits. Raises Invalid naming `password`."""
    _refuse_weak(password, person)
    _set_password(db, person, passwords.digest_of(password), now)
    db.commit()


def _refuse_weak(password: str, person: Person) -> None:
    if problem := problem_with(password, email=person.email):
        raise Invalid({"password": problem})


def _set_password(db: Session, person: Person, digest: str, now: datetime, *, first: bool = False) -> bool:
    """False: it was to be the `first` one, and there is one. Commits nothing."""
    theirs = (Person.id == person.id, *([Person.password_digest.is_(None)] if first else []))
    changed = update(Person).where(*theirs).values(password_digest=digest).returning(Person.id)
    if db.execute(changed.execution_options(synchronize_session=False)).first() is None:
        return False
    end_all_of(db, person.id)
    invitations.end(db, person.id, None)  # a link to set another one that somebody may have found
    _write(db, f"person/{person.id}", "password_set", person.id, details={}, now=now)
    return True


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
    hold(db, merchant_id)  # two owners, each the other
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
