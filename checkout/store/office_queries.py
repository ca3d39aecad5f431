"""What the back office lists: payments that answer a search, takings by day, movements for the export, the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import RefundStatus, Role, SessionStatus
from checkout.store.links import Link
from checkout.store.models import Attempt, CheckoutSession, Payment, Refund
from checkout.store.oversight import AuditEntry
from checkout.store.people import Invitation, Membership

S = CheckoutSession
LATEST = 10_000  # sessions: as far back as a search looks that no index answers
SHORTEST_PART = 3

# What the filter offers, and what it means.
STATUSES: dict[str, ColumnElement[bool]] = {
    "open": S.status.in_([SessionStatus.OPEN, SessionStatus.CLOSING]),
    "paid": S.status == SessionStatus.PAID,
    "expired": S.status == SessionStatus.EXPIRED,
    "cancelled": S.status == SessionStatus.CANCELLED,
    "review": S.review.is_not(None),
    "refunded": S.id.in_(select(Payment.session_id).where(Payment.merchant_id == S.merchant_id, Payment.refunded > 0)),
}


@dataclass(frozen=True)
class Wanted:
    """Which sessions: from `start` up to, not including, `end`; `after` is the last one of the page before."""

    merchant_id: str
    text: str = ""
    amounts: frozenset[int] = frozenset()  # what the text would be as an amount, in any currency's minor units
    status: str = ""
    start: datetime | None = None
    end: datetime | None = None
    after: tuple[datetime, str] | None = None


def sessions(db: Session, wanted: Wanted, limit: int) -> tuple[list[CheckoutSession], bool]:
    """A page, newest first, and whether there is another one after it."""
    query = select(S).where(S.merchant_id == wanted.merchant_id, *_narrowed(wanted))
    if wanted.text:
        query = query.where(_matching(db, wanted))
    if wanted.after:
        query = query.where(
            tuple_(S.created_at, S.id) < tuple_(literal(wanted.after[0], S.created_at.type), literal(wanted.after[1]))
        )
    found = list(db.scalars(query.order_by(S.created_at.desc(), S.id.desc()).limit(limit + 1)))
    return found[:limit], len(found) > limit


def _narrowed(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [STATUSES[wanted.status]] if wanted.status else []
    if wanted.start:
        conditions.append(S.created_at >= wanted.start)
    if wanted.end:
        conditions.append(S.created_at < wanted.end)
    return conditions


def _matching(db: Session, wanted: Wanted) -> ColumnElement[bool]:
    """Exactly that number or code, by an index each; if nothing has it, a part of it among the latest sessions."""
    exact = db.scalars(_named(wanted.merchant_id, wanted.text).limit(1000)).all()
    if exact:
        return S.id.in_(exact)
    latest = (
        select(S.id, S.reference, S.amount, S.description)
        .where(S.merchant_id == wanted.merchant_id)
        .order_by(S.created_at.desc(), S.id.desc())
        .limit(LATEST)
        .subquery()
    )
    alike: list[ColumnElement[bool]] = []
    if len(wanted.text) >= SHORTEST_PART:
        alike += [
            func.lower(latest.c.reference).contains(wanted.text.lower(), autoescape=True),
            func.lower(latest.c.description).contains(wanted.text.lower(), autoescape=True),
        ]
    if wanted.amounts:
        alike.append(latest.c.amount.in_(wanted.amounts))
    return S.id.in_(select(latest.c.id).where(or_(*alike))) if alike else S.id.is_(None)


def _named(merchant_id: str, text: str) -> CompoundSelect[Any]:
    """Sessions that have this for a reference, support code, id, or a number of the gateway's or ours.

    Shops may call an order `#1234`; whoever asks for `1234` sees both.
    """
    its = S.merchant_id == merchant_id
    code = text.replace(" ", "").upper()
    return union(
        select(S.id).where(S.id == text, its),
        select(S.id).where(S.reference == text, its),
        select(S.id).where(S.reference == f"#{text}", its),
        select(S.id).where(S.support_code == code, its),
        *(
            select(model.session_id).where(column == text, model.merchant_id == merchant_id)
            for model, column in (
                (Attempt, Attempt.out_trade_no),
                (Attempt, Attempt.syssn),
                (Payment, Payment.syssn),
                (Refund, Refund.out_trade_no),
                (Refund, Refund.syssn),
            )
        ),
    )


def wallets_and_refunds(db: Session, ids: Sequence[str]) -> tuple[dict[str, str], dict[str, int]]:
    """For these sessions: the wallet of the latest attempt, and how much of the accepted payment went back."""
    tries = select(Attempt.session_id, Attempt.wallet).where(Attempt.session_id.in_(ids))
    wallets = {row.session_id: row.wallet for row in db.execute(tries.order_by(Attempt.created_at, Attempt.id))}
    back = select(Payment.session_id, Payment.refunded).where(
        Payment.session_id.in_(ids), Payment.role == Role.ACCEPTED, Payment.refunded > 0
    )
    return wallets, {row.session_id: row.refunded for row in db.execute(back)}


def reviews_open(db: Session, merchant_id: str) -> int:
    return db.scalar(select(func.count()).where(S.merchant_id == merchant_id, S.review.is_not(None))) or 0


def takings(db: Session, merchant_id: str, start: datetime, end: datetime) -> list[Row[*tuple[Any, ...]]]:
    """By Hong Kong day and currency: `day, currency, payments, taken, refunds, returned`, minor units.

    A payment counts on the gateway's own day; a refund, which the gateway tells no day of, when it was sent.
    """
    paid = select(
        _day(db, _booked()).label("day"), Payment.currency.label("currency"), literal(1).label("payments"),
        Payment.amount.label("taken"), literal(0).label("refunds"), literal(0).label("returned"),
    ).where(Payment.merchant_id == merchant_id, Payment.role == Role.ACCEPTED, _paid_between(start, end))  # fmt: skip
    back = (
        select(_day(db, Refund.sent_at), Payment.currency, literal(0), literal(0), literal(1), Refund.amount)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.merchant_id == merchant_id, Refund.status == RefundStatus.SUCCEEDED,
            Payment.role == Role.ACCEPTED, Refund.sent_at >= start, Refund.sent_at < end,
        )
    )  # fmt: skip
    moved = union_all(paid, back).subquery()
    sums = (func.sum(moved.c[name]).label(name) for name in ("payments", "taken", "refunds", "returned"))
    query = select(moved.c.day, moved.c.currency, *sums).group_by(moved.c.day, moved.c.currency)
    return list(db.execute(query.order_by(moved.c.day, moved.c.currency)))


def _booked() -> ColumnElement[datetime]:
    """The gateway's own moment; until an enquiry has told it, ours."""
    return func.coalesce(Payment.system_at, Payment.created_at)


def _paid_between(start: datetime, end: datetime) -> ColumnElement[bool]:
    return or_(
        and_(Payment.system_at >= start, Payment.system_at < end),
        and_(Payment.system_at.is_(None), Payment.created_at >= start, Payment.created_at < end),
    )


def _day(db: Session, moment: Any) -> ColumnElement[str]:
    """The date that a clock in Hong Kong shows, as YYYY-MM-DD."""
    if db.get_bind().dialect.name == "sqlite":
        return func.date(moment, "+8 hours")
    return func.to_char(func.timezone("Asia/Hong_Kong", moment), "YYYY-MM-DD")


def movements(
    db: Session, merchant_id: str, span: tuple[datetime, datetime], after: tuple[int, str], *, limit: int
) -> list[Row[*tuple[Any, ...]]]:
    """Payments, then refunds, of a stretch of time; `after` is the kind (0, 1) and the id of the last row read."""
    kind, last = after
    query = _payments(merchant_id, *span) if kind == 0 else _refunds(merchant_id, *span)
    column = Payment.id if kind == 0 else Refund.id
    return list(db.execute(query.where(column > last).order_by(column).limit(limit)))


_ORDER = (S.id.label("session_id"), S.reference, S.support_code, S.description, S.details)


def _payments(merchant_id: str, start: datetime, end: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Payment.id, literal("payment").label("kind"), _booked().label("at"), Payment.paid_at,
            Payment.role.label("word"), Attempt.wallet, Payment.currency, Payment.amount, Payment.out_trade_no,
            Payment.syssn, *_ORDER, literal("").label("reason"),
        )
        .join(S, S.id == Payment.session_id)
        .join(Attempt, Attempt.id == Payment.attempt_id)
        .where(Payment.merchant_id == merchant_id, _paid_between(start, end))
    )  # fmt: skip


def _refunds(merchant_id: str, start: datetime, end: datetime) -> Select[*tuple[Any, ...]]:
    at = case((Refund.sent_at.is_not(None), Refund.sent_at), else_=Refund.created_at)
    return (
        select(
            Refund.id, literal("refund").label("kind"), at.label("at"), Refund.sent_at.label("paid_at"),
            Refund.status.label("word"), Attempt.wallet, Payment.currency, Refund.amount, Refund.out_trade_no,
            Refund.syssn, *_ORDER, Refund.reason,
        )
        .join(S, S.id == Refund.session_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .join(Attempt, Attempt.id == Payment.attempt_id)
        .where(Refund.merchant_id == merchant_id, at >= start, at < end)
    )  # fmt: skip


def log_entries(db: Session, merchant_id: str, *, before: int | None, limit: int) -> list[AuditEntry]:
    """What was done about one shop, newest first: to it, to what belongs to it, and by its API keys."""
    about = or_(
        AuditEntry.subject == merchant_id,
        AuditEntry.actor == f"merchant/{merchant_id}",
        AuditEntry.subject.in_(select(S.id).where(S.merchant_id == merchant_id)),
        AuditEntry.subject.in_(select(Refund.id).where(Refund.merchant_id == merchant_id)),
        _about_people(merchant_id),
        AuditEntry.subject.in_(select(Link.id).where(Link.merchant_id == merchant_id)),
    )
    query = select(AuditEntry).where(about)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return list(db.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)))


def _about_people(merchant_id: str) -> ColumnElement[bool]:
    """What its people did, and what it did about them and about those whom it has invited; not what other shops did."""
    works_here = select(Membership.person_id).where(Membership.merchant_id == merchant_id)
    invited = select(Invitation.person_id).where(Invitation.merchant_id == merchant_id)
    shop = AuditEntry.details["merchant"].as_string()
    return or_(
        and_(AuditEntry.subject.in_(works_here), shop.is_(None)),
        and_(AuditEntry.subject.in_(union(works_here, invited)), shop == merchant_id),
    )


def log_of_session(db: Session, session_id: str, refunds: Sequence[str]) -> list[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.subject.in_([session_id, *refunds]))
    return list(db.scalars(query.order_by(AuditEntry.id)))
