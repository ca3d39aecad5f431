"""Passkeys of people, and the questions that their authenticators have yet to answer."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from checkout.store.models import Base


class Passkey(Base):
    """One key pair that an authenticator keeps for one person. Its public half is here, and no secret."""

    __tablename__ = "passkey"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)  # what the authenticator calls it
    public_key: Mapped[bytes]  # as COSE spells it
    uses: Mapped[int]  # the authenticator's own count at the last use; 0 for ever where it does not count
    transports: Mapped[list[Any]]  # how browsers reach the authenticator: usb, internal, …
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Challenge(Base):
    """A question asked of one browser for one purpose, to be answered once. Only its digest is stored."""

    __tablename__ = "passkey_challenge"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked_of: Mapped[str] = mapped_column(String(80))  # the purpose, and the sign-in or the browser before it
    ends_at: Mapped[datetime] = mapped_column(index=True)
