"""Links that open sessions: those that a merchant signs itself, and those that we keep for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from checkout.store.models import Base


class SignedLink(Base):
    """The session of a signed link. The key is the referee: one session for each merchant's number, ever."""

    __tablename__ = "signed_link"

    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(128), primary_key=True)  # the link's out_trade_no, verbatim
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), unique=True)
    created_at: Mapped[datetime]


class Link(Base):
    """A reusable link: whoever has its token may open sessions, as often as it allows."""

    __tablename__ = "link"
    __table_args__ = (Index("ix_link_merchant_created", "merchant_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    token: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))  # for the merchant's own list; shoppers do not see it
    amount: Mapped[int | None]  # None: the shopper enters it, from least to most
    least: Mapped[int]
    most: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(String(40))  # of the sessions' references: prefix, then a number
    opened: Mapped[int] = mapped_column(default=0)  # sessions so far; the last one's number
    wallets: Mapped[list[Any]]
    return_url: Mapped[str] = mapped_column(Text)  # empty: there is no shop to go back to
    max_paid: Mapped[int | None]  # 1 makes it a link for one payment
    active: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class LinkSession(Base):
    """A session that a reusable link has opened."""

    __tablename__ = "link_session"

    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), primary_key=True)
    link_id: Mapped[str] = mapped_column(ForeignKey("link.id"), index=True)
