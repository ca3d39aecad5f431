"""Where the gateway's books and ours differ: written down once, shown to a person, closed by a person."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.ids import new_ordered_id
from checkout.services import reviews
from checkout.services.chronicle import OPERATOR, write_down
from checkout.services.terms import Terms
from checkout.store.moves import lock_session
from checkout.store.oversight import Difference

log = logging.getLogger(__name__)

LONGEST_NOTE, LONGEST_NUMBER, LONGEST_SYSSN = 200, 128, 64
# What each kind says, for whoever has to look.
KINDS = {
    "payment_unknown": "QFPay holds a payment under a number that is not in our books",
    "payment_not_booked": "QFPay holds a payment of ours that we had not booked",
    "payment_differs": "QFPay's record of a payment differs from what we booked",
    "payment_returned": "QFPay says that a payment went back, and no refund explains it",
    "payment_missing_at_gateway": "we booked a payment that QFPay does not show",
    "refund_unknown": "QFPay holds a refund, and neither it nor its payment is in our books",
    "refund_not_booked": "QFPay holds a refund that we had not booked",
    "refund_differs": "QFPay's record of a refund differs from what we booked",
    "refund_exceeds": "a refund made in QFPay's portal is more than what is left of its payment",
    "refund_done_after_failure": "QFPay holds a refund that it had told us was refused",
    "refund_missing_at_gateway": "we booked a refund that QFPay does not show",
}


@dataclass(frozen=True)
class Finding:
    """One difference, before anybody knows whether it was found already."""

    merchant_id: str
    kind: str
    out_trade_no: str = ""
    syssn: str = ""
    session_id: str | None = None
    amount: int | None = None
    currency: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def note(db: Session, terms: Terms, found: Finding, now: datetime, *, resolution: str | None = None) -> Difference:
    """Write it down unless it stands there already, and put its session under review. Commits nothing.

    With a `resolution` it has been put right in this very transaction, and nobody need look. Two who
    find the same at once: one of them gets an IntegrityError, and begins again.
    """
    number, syssn = plain(found.out_trade_no, LONGEST_NUMBER), plain(found.syssn, LONGEST_SYSSN)
    if found.session_id:
        lock_session(db, found.session_id)
    known = select(Difference).where(
        Difference.merchant_id == found.merchant_id,
        Difference.kind == found.kind,
        Difference.out_trade_no == number,
        Difference.syssn == syssn,
    )
    if same := db.scalar(known.execution_options(populate_existing=True)):
        return same
    row = Difference(
        id=new_ordered_id("df_"),
        merchant_id=found.merchant_id,
        kind=found.kind,
        out_trade_no=number,
        syssn=syssn,
        session_id=found.session_id,
        amount=found.amount,
        currency=plain(found.currency, 3),
        details={name: _harmless(value) for name, value in found.details.items()},
        found_at=now,
        resolved_at=now if resolution else None,
        resolution=resolution,
    )
    db.add(row)
    db.flush()
    if resolution:
        log.warning("the gateway's books differed: %s; %s", found.kind, resolution, extra={"difference": row.id})
        return row
    log.error("the gateway's books differ: %s", found.kind, extra={"difference": row.id, "session": found.session_id})
    if found.session_id:
        reviews.open_review(db, terms, found.session_id, found.kind, now)
    return row


def explain(db: Session, merchant_id: str, syssn: str, resolution: str, now: datetime, *, kinds: Sequence[str]) -> None:
    """What was found about this syssn has come right by itself: close it. Commits nothing."""
    db.execute(
        update(Difference)
        .where(
            Difference.merchant_id == merchant_id,
            Difference.syssn == plain(syssn, LONGEST_SYSSN),
            Difference.kind.in_(kinds),
            Difference.resolved_at.is_(None),
        )
        .values(resolved_at=now, resolution=resolution)
        .execution_options(synchronize_session=False)
    )


def listed(db: Session, *, every: bool = False, limit: int = 1000) -> Sequence[Difference]:
    """The open ones, or all of them, oldest first."""
    query = select(Difference).order_by(Difference.found_at, Difference.id).limit(limit)
    return db.scalars(query if every else query.where(Difference.resolved_at.is_(None))).all()


def resolve(db: Session, difference_id: str, text: str, now: datetime) -> None:
    """A person has found out what it is, and says so; commit. Raises NotFound, Refused (closed before), Invalid."""
    text = text.strip()
    if not (1 <= len(text) <= LONGEST_NOTE and text.isprintable()):
        raise Invalid({"note": f"must have 1 to {LONGEST_NOTE} printable characters"})
    if db.get(Difference, difference_id) is None:
        db.rollback()
        raise NotFound("difference")
    closed = db.execute(
        update(Difference)
        .where(Difference.id == difference_id, Difference.resolved_at.is_(None))
        .values(resolved_at=now, resolution=text)
        .returning(Difference.kind)
        .execution_options(synchronize_session=False)
    ).scalar()
    if closed is None:
        db.rollback()
        raise Refused("it was resolved before")
    details = {"kind": closed}
    write_down(db, actor=OPERATOR, action="difference_resolved", subject=difference_id, details=details, now=now)
    db.commit()


def _harmless(value: Any) -> Any:
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    return plain(value, LONGEST_NOTE) if isinstance(value, str) else value


def plain(text: str, longest: int) -> str:
    """The gateway's words, so that our columns and PostgreSQL can hold them: no control character, no excess."""
    return ascii(text)[1:-1][:longest]
