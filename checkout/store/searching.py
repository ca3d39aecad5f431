"""What is stored so that payments are found fast and calls are counted."""

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Index, String, event, insert, text
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from checkout.store.models import Attempt, Base, CheckoutSession, Payment, Refund

STILL_OPEN = text("status IN ('open', 'closing')")
REVIEW = text("review IS NOT NULL")
KNOWN = text("syssn IS NOT NULL")

# Each list in its own order, newest last: a page is a few rows of one index (services/searching.py).
_S, _R = CheckoutSession, Refund
Index("ix_session_listed", _S.merchant_id, _S.created_at, _S.id)
Index("ix_session_status", _S.merchant_id, _S.status, _S.created_at, _S.id)
Index("ix_session_open", _S.merchant_id, _S.created_at, _S.id, sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN)
Index("ix_session_review", _S.merchant_id, _S.created_at, _S.id, sqlite_where=REVIEW, postgresql_where=REVIEW)
Index("ix_payment_session", Payment.session_id, Payment.created_at)
Index("ix_attempt_syssn", Attempt.merchant_id, Attempt.syssn, postgresql_where=KNOWN)
Index("ix_refund_syssn", _R.merchant_id, _R.syssn, postgresql_where=KNOWN)
Index("ix_refund_listed", _R.merchant_id, _R.created_at, _R.id)
Index("ix_refund_status", _R.merchant_id, _R.status, _R.created_at, _R.id)


class MetadataPair(Base):
    """One pair of a session's metadata, as the search looks it up: newest first, whatever else has the same pair.

    An index over the JSON itself finds all rows with a pair and then has to sort them; where half of a million
    payments say `channel=web` that takes seconds. SQLite has no such index at all.
    """

    __tablename__ = "metadata_pair"

    merchant_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class RateLimit(Base):
    """How far ahead of time one caller has called; see services/limits.py."""

    __tablename__ = "rate_limit"
    __table_args__ = (Index("ix_rate_limit_spent_until", "spent_until"),)

    caller: Mapped[str] = mapped_column(String(80), primary_key=True)  # the limit's name and whom it counts
    spent_until: Mapped[int]  # microseconds since 1970: when all that was used will have come back


def digest_of(key: str, value: str) -> str:
    """128 bits of a pair: values may have 500 characters, and an index entry shall be small."""
    return sha256(f"{len(key)}:{key}={value}".encode()).hexdigest()[:32]


# Whoever opens a session, its pairs are written with it and in its transaction.
@event.listens_for(CheckoutSession, "after_insert")
def _write_pairs(_mapper: Mapper[Any], connection: Connection, session: CheckoutSession) -> None:
    rows = [
        {
            "merchant_id": session.merchant_id,
            "digest": digest_of(key, value),
            "created_at": session.created_at,
            "session_id": session.id,
        }
        for key, value in session.details.items()
    ]
    if rows:
        connection.execute(insert(MetadataPair), rows)
