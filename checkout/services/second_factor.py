"""The second factor: codes of an authenticator app (RFC 6238), each used once, and recovery codes."""

import hashlib
import re
import secrets
from datetime import datetime

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import SPOKEN
from checkout.domain.vault import Vault
from checkout.services import chronicle
from checkout.store.people import Person, RecoveryCode

STEP = 30  # seconds
EITHER_SIDE = 1  # steps: clocks of phones differ, and people type slowly
RECOVERY_CODES = 10
ISSUER = "Sampan"


def new_secret(db: Session, vault: Vault, person: Person) -> str:
    """Make a secret for an app to hold, and commit; it counts from the first right code on. Base32."""
    secret = pyotp.random_base32()
    db.execute(
        update(Person)
        .where(Person.id == person.id, Person.totp_since.is_(None))
        .values(totp_sealed=vault.seal(secret.encode(), owner=person.totp_owner), totp_step=0)
        .execution_options(synchronize_session=False)
    )
    db.commit()
    return secret


def secret_of(vault: Vault, person: Person) -> str | None:
    """What the app must hold, for as long as it may be shown: until the first code of it was right."""
    if person.totp_sealed is None or person.has_second_factor:
        return None
    return vault.open(person.totp_sealed, owner=person.totp_owner).decode()


def address_of(secret: str, person: Person) -> str:
    """What the QR code says to an authenticator app."""
    return pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=ISSUER)


def enrol(db: Session, vault: Vault, person: Person, code: str, now: datetime) -> list[str] | None:
    """The first right code makes the secret count: returns new recovery codes, and commits. None: it was wrong."""
    if person.has_second_factor or not use_code(db, vault, person, code, now):
        return None
    db.execute(
        update(Person).where(Person.id == person.id).values(totp_since=now).execution_options(synchronize_session=False)
    )
    codes = _new_recovery_codes(db, person)
    _write(db, person, "second_factor_added", now)
    db.commit()
    return codes


def remove(db: Session, person: Person, now: datetime, *, actor: str = "") -> None:
    """The phone is lost or another one is here: the next sign-in asks for a new one. Commits."""
    db.execute(
        update(Person)
        .where(Person.id == person.id)
        .values(totp_sealed=None, totp_since=None, totp_step=0)
        .execution_options(synchronize_session=False)
    )
    db.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    _write(db, person, "second_factor_removed", now, actor=actor)
    db.commit()


def use_code(db: Session, vault: Vault, person: Person, code: str, now: datetime) -> bool:
    """Whether this is a code of the app that was not used before; it is now. Commits nothing."""
    if person.totp_sealed is None or not reads_as_code(code):
        return False
    digits = _without_blanks(code)
    totp = pyotp.TOTP(vault.open(person.totp_sealed, owner=person.totp_owner).decode())
    at = int(now.timestamp()) // STEP
    for step in range(at - EITHER_SIDE, at + EITHER_SIDE + 1):
        if secrets.compare_digest(totp.generate_otp(step), digits):
            return _take_step(db, person, step)
    return False


def reads_as_code(said: str) -> bool:
    """Whether it could be a code of an app. No password could: they are longer."""
    return re.fullmatch(r"[0-9]{6}", _without_blanks(said), re.ASCII) is not None


def _without_blanks(code: str) -> str:
    return re.sub(r"\s", "", code)


def _take_step(db: Session, person: Person, step: int) -> bool:
    """The database is the referee: of two who send one code at once, one is right."""
    taken = db.execute(
        update(Person)
        .where(Person.id == person.id, Person.totp_step < step)
        .values(totp_step=step)
        .returning(Person.id)
        .execution_options(synchronize_session=False)
    )
    return taken.scalar() is not None


def use_recovery_code(db: Session, person: Person, code: str, now: datetime) -> bool:
    """Whether this is one of the codes for a lost phone; it is used up now. Commits nothing."""
    used = db.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.person_id == person.id,
            RecoveryCode.digest == _digest(person, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.digest)
        .execution_options(synchronize_session=False)
    )
    if used.scalar() is None:
        return False
    _write(db, person, "recovery_code_used", now)
    return True


def recovery_codes_left(db: Session, person: Person) -> int:
    query = select(func.count()).where(RecoveryCode.person_id == person.id, RecoveryCode.used_at.is_(None))
    return db.scalar(query) or 0


def _new_recovery_codes(db: Session, person: Person) -> list[str]:
    db.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = [
        "-".join("".join(secrets.choice(SPOKEN) for _ in range(5)) for _ in range(2)) for _ in range(RECOVERY_CODES)
    ]
    db.add_all(RecoveryCode(person_id=person.id, digest=_digest(person, code), used_at=None) for code in codes)
    db.flush()
    return codes


def _digest(person: Person, code: str) -> str:
    """Ten letters of 29 are 48 bits: a fast digest is enough, since guessing is throttled and each is one person's."""
    bare = re.sub(r"[^A-Z0-9]", "", code.upper())
    return hashlib.sha256(f"{person.id}:{bare}".encode()).hexdigest()


def _write(db: Session, person: Person, action: str, now: datetime, *, actor: str = "") -> None:
    who = actor or f"person/{person.id}"
    chronicle.write_down(db, actor=who, action=action, subject=person.id, details={}, now=now)
