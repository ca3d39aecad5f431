"""Finding a merchant's sessions and refunds: newest first, a page at a time, each page a few rows of one index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, String, and_, literal, select, tuple_, union_all
from sqlalchemy.orm import Session, aliased

from checkout.domain.lifecycle import RefundStatus, SessionStatus
from checkout.domain.moments import next_printed
from checkout.services.snapshots import refund_snapshot, snapshots
from checkout.services.terms import Terms
from checkout.store.models import Attempt, CheckoutSession, Merchant, Payment, Refund
from checkout.store.searching import STILL_OPEN, MetadataPair, digest_of
from checkout.store.types import Moment

Position = tuple[datetime, str]  # of a page's last row: when it was created, and its id
Row = TypeVar("Row", CheckoutSession, Refund)
Listed = type[CheckoutSession] | type[Refund] | type[MetadataPair]

PENDING = (RefundStatus.RESERVED, RefundStatus.SENT, RefundStatus.UNKNOWN)
FEW = 500
MOST_OF_A_NUMBER = 50  # a number of the gateway's belongs to one session, and stands in three tables at most


@dataclass(frozen=True)
class Wanted:
    """What a merchant looks for; None and empty: whatever it is. All of it must fit."""

    reference: str | None = None
    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    support_code: str | None = None
    out_trade_no: str | None = None
    syssn: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def find_sessions(
    db: Session, terms: Terms, merchant: Merchant, wanted: Wanted, *, limit: int, after: Position | None
) -> tuple[list[dict[str, Any]], Position | None]:
    """One page as the API shows it; the second value is its last row's position when there is more."""
    query = sessions_query(db, merchant.id, wanted, limit=limit + 1, after=after)
    shown, last = _page(db.scalars(query).all(), limit)
    return snapshots(db, terms, shown), last


def sessions_query(
    db: Session, merchant_id: str, wanted: Wanted, *, limit: int, after: Position | None
) -> Select[CheckoutSession]:
    """Newest first. With frequent pairs the page's ids are found first, by indexes alone, and then its rows."""
    mine = select(CheckoutSession).where(CheckoutSession.merchant_id == merchant_id)
    conditions = _conditions(db, merchant_id, wanted)
    digests = [digest_of(key, value) for key, value in wanted.metadata.items()]
    few = next((ids for digest in digests if (ids := _few_with(db, merchant_id, digest)) is not None), None)
    asked = mine.where(*conditions)
    if few is not None:
        asked = asked.where(CheckoutSession.id.in_(few))
    for number, digest in enumerate(digests):
        pair = _has_pair(CheckoutSession, merchant_id, digest, wanted, number=number, after=after)
        asked = asked.where(pair)
    asked = _newest_first(_between(asked, CheckoutSession, wanted), CheckoutSession, after).limit(limit)
    if few is not None or not digests:
        return asked
    if not conditions:
        page = db.scalars(_pairs_query(merchant_id, digests, wanted, limit=limit, after=after)).all()
    else:
        page = db.scalars(asked.with_only_columns(CheckoutSession.id)).all()
    return _newest_first(mine.where(CheckoutSession.id.in_(page)), CheckoutSession, None)


def _pairs_query(
    merchant_id: str, digests: Sequence[str], wanted: Wanted, *, limit: int, after: Position | None
) -> Select[str]:
    """The page's sessions by the first pair, whose rows lie in its order; the others must be there too."""
    query = select(MetadataPair.session_id).where(
        MetadataPair.merchant_id == merchant_id, MetadataPair.digest == digests[0]
    )
    for number, digest in enumerate(digests[1:]):
        query = query.where(_has_pair(MetadataPair, merchant_id, digest, wanted, number=number, after=after))
    return _newest_first(_between(query, MetadataPair, wanted), MetadataPair, after).limit(limit)


def _has_pair(
    row: Listed, merchant_id: str, digest: str, wanted: Wanted, *, number: int, after: Position | None
) -> ColumnElement[bool]:
    """Said of ids alone, this is to PostgreSQL two indexes in one order, which it reads side by side until the page is
    full. Of whole rows it joined all sessions with all pairs before it sorted: 0.9 s. The bounds are the page's own,
    said once more, so that both are read from the same moment on.
    """
    pair = aliased(MetadataPair, name=f"pair_{number}")
    row_id = row.session_id if row is MetadataPair else row.id  # type: ignore[union-attr]
    same = and_(pair.session_id == row_id, pair.created_at == row.created_at)
    found = select(literal(1)).where(same, pair.merchant_id == merchant_id, pair.digest == digest)
    if after:
        found = found.where(pair.created_at <= literal(after[0], Moment()))
    return _between(found, pair, wanted).exists()


def _between(query: Select[Any], table: Listed, wanted: Wanted) -> Select[Any]:
    if wanted.created_after:
        query = query.where(table.created_at >= next_printed(wanted.created_after))
    if wanted.created_before:
        query = query.where(table.created_at < wanted.created_before)
    return query


def _few_with(db: Session, merchant_id: str, digest: str) -> Sequence[str] | None:
    """The sessions with a pair; None when there are more than a few. The database's own guess would be a bad one."""
    same = and_(MetadataPair.merchant_id == merchant_id, MetadataPair.digest == digest)
    found = db.scalars(select(MetadataPair.session_id).where(same).limit(FEW + 1)).all()
    return found if len(found) <= FEW else None


def _conditions(db: Session, merchant_id: str, wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[Any] = []
    if wanted.reference is not None:
        found.append(CheckoutSession.reference == wanted.reference)
    if wanted.status == "open":
        found.append(STILL_OPEN)  # word for word the condition of its index
    elif wanted.status:
        found.append(CheckoutSession.status == SessionStatus(wanted.status))
    if wanted.support_code is not None:
        found.append(CheckoutSession.support_code == wanted.support_code.upper())
    for number, tables in ((wanted.out_trade_no, "out_trade_no"), (wanted.syssn, "syssn")):
        if number is not None:
            found.append(CheckoutSession.id.in_(_sessions_with(db, merchant_id, tables, number)))
    return found


def _sessions_with(db: Session, merchant_id: str, column: str, number: str) -> Sequence[str]:
    """Whose number it is: asked first and by itself, for then it is three look-ups and never a plan."""
    parts = [
        select(model.session_id).where(model.merchant_id == merchant_id, getattr(model, column) == number)
        for model in (Attempt, Payment, Refund)
        if not (model is Payment and column == "out_trade_no")  # it is its attempt's
    ]
    return db.scalars(union_all(*parts).limit(MOST_OF_A_NUMBER)).all()


def find_refunds(
    db: Session, merchant: Merchant, *, session: str | None, status: str | None, limit: int, after: Position | None
) -> tuple[list[dict[str, Any]], Position | None]:
    """A page of a merchant's refunds, by whomever they were made."""
    query = select(Refund).where(Refund.merchant_id == merchant.id)
    if session is not None:
        query = query.where(Refund.session_id == session)
    if status == "pending":
        query = query.where(Refund.status.in_(PENDING))
    elif status:
        query = query.where(Refund.status == RefundStatus(status))
    query = _newest_first(query, Refund, after).limit(limit + 1)
    shown, last = _page(db.scalars(query).all(), limit)
    theirs = select(Payment).where(Payment.id.in_([refund.payment_id for refund in shown]))
    payments = {payment.id: payment for payment in db.scalars(theirs)}
    return [refund_snapshot(refund, payments[refund.payment_id]) for refund in shown], last


def _newest_first(query: Select[Any], table: Listed, after: Position | None) -> Select[Any]:
    """From a position on by comparing rows: new ones cannot shift a page, and the index leads to its first row."""
    row_id = MetadataPair.session_id if table is MetadataPair else table.id  # type: ignore[union-attr]
    if after:
        moment, last = after
        here = tuple_(literal(moment, Moment()), literal(last, String()))
        query = query.where(tuple_(table.created_at, row_id) < here)
    return query.order_by(table.created_at.desc(), row_id.desc())


def _page(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Position | None]:
    shown = rows[:limit]
    return shown, (shown[-1].created_at, shown[-1].id) if len(rows) > limit else None
