"""What is stored to watch over the rest: who did what, where the gateway's books differ, which gateways are down."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from checkout.store.models import Base


class AuditEntry(Base):
    """Who did what, when: appended only, each row holding the hash of the one before (safety.md I28)."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(80))  # operator, merchant/<id>, worker
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80), index=True)
    details: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(String(64), unique=True)  # one successor each: two writers cannot fork it
    hash: Mapped[str] = mapped_column(String(64))


class Breaker(Base):
    """Whether one credential's gateway answers. While it is open nobody waits for a time-out in vain."""

    __tablename__ = "breaker"

    credential: Mapped[str] = mapped_column(String(200), primary_key=True)
    faults: Mapped[int] = mapped_column(default=0)  # calls in a row without any answer
    opened_at: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]  # while open: when one call may try again


class Difference(Base):
    """Something that stands in the gateway's books and not in ours, or the other way round: a person must look."""

    __tablename__ = "difference"
    __table_args__ = (
        UniqueConstraint("merchant_id", "kind", "out_trade_no", "syssn"),
        Index("ix_difference_open", "merchant_id", "found_at", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    kind: Mapped[str] = mapped_column(String(30))
    out_trade_no: Mapped[str] = mapped_column(String(128))
    syssn: Mapped[str] = mapped_column(String(64))  # empty when there is none
    session_id: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    details: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None] = mapped_column(String(200))


class Reconciliation(Base):
    """One day of one merchant, in Hong Kong time, compared with the gateway's books."""

    __tablename__ = "reconciliation"
    __table_args__ = (Index("ix_reconciliation_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),)

    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-03-10
    payments: Mapped[int] = mapped_column(default=0)
    refunds: Mapped[int] = mapped_column(default=0)
    differences: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
