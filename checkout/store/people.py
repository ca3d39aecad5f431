"""Who signs in to the back office: people, the shops they work for, and the sign-ins of their browsers."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from checkout.domain.roles import StaffRole
from checkout.store.models import Base
from checkout.store.types import Word


class Person(Base):
    """Somebody with an e-mail address and, once invited and arrived, a password."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # as compared: in lower case
    password_digest: Mapped[str | None] = mapped_column(Text)  # argon2id in its own notation; None: not arrived yet
    totp_sealed: Mapped[bytes | None]
    totp_since: Mapped[datetime | None]  # None: the secret was shown, and no code of it has been seen
    totp_step: Mapped[int] = mapped_column(default=0)  # the last half minute whose code was used
    passkey_handle: Mapped[bytes | None]  # who this is to their authenticators: random; None: no passkey was ever asked
    created_at: Mapped[datetime]

    @property
    def has_second_factor(self) -> bool:
        return self.totp_since is not None

    @property
    def totp_owner(self) -> str:
        """Whom the sealed secret of this row belongs to."""
        return f"person/{self.id}/totp"


class Membership(Base):
    """What one person is in one shop. Who was invited and has not accepted has none."""

    __tablename__ = "membership"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"), primary_key=True, index=True)
    role: Mapped[StaffRole] = mapped_column(Word(StaffRole, 10))
    created_at: Mapped[datetime]


class Invitation(Base):
    """One link by which one person, once, accepts a role in one shop or sets another password. A digest is stored."""

    __tablename__ = "invitation"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    merchant_id: Mapped[str | None] = mapped_column(ForeignKey("merchant.id"), index=True)  # None: for a password alone
    role: Mapped[StaffRole | None] = mapped_column(Word(StaffRole, 10))
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """Instead of the second factor, once each."""

    __tablename__ = "recovery_code"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    used_at: Mapped[datetime | None]


class SignIn(Base):
    """One browser of one person. The cookie holds a random token; here stands its digest."""

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    # For a moment after a change of token: two clicks are two requests, and the second knows only the old one.
    former_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    renewed_at: Mapped[datetime]
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    complete: Mapped[bool]  # False: the password was right, the second factor is awaited
    wrong_codes: Mapped[int] = mapped_column(default=0)
    address: Mapped[str] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    proven_at: Mapped[datetime]  # when the person last showed who they are


class WrongTries(Base):
    """How often somebody was wrong lately: counted by account, by address, and by both together."""

    __tablename__ = "wrong_tries"

    who: Mapped[str] = mapped_column(String(64), primary_key=True)  # a digest: what is typed as an address may be one
    tries: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime]
    right_at: Mapped[datetime | None]  # for both together: this person has signed in from there
