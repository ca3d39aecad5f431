"""Money that goes back: no more than came, under one number each, and for a cause."""

from sqlalchemy import String, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import RefundStatus, Role
from checkout.services.audit.register import Findings, each, invariant
from checkout.store.models import Event, Payment, Refund, TradeNo

ASKED_FOR = ("merchant", "portal")  # by a person: at our API, or in QFPay's own portal


@invariant("I13")
def _no_more_goes_back_than_came(db: Session) -> Findings:
    rows = select(Payment.id, Payment.refunded, Payment.amount)
    beyond = rows.where(or_(Payment.refunded > Payment.amount, Payment.refunded < 0))
    yield from each(db, beyond, "has {} reserved for refunds, of {} that were paid")


@invariant("I15")
def _one_refund_is_one_number(db: Session) -> Findings:
    ours = select(TradeNo.owner_id, func.count()).where(TradeNo.kind.in_(("payment", "refund")))
    owners = ours.group_by(TradeNo.owner_id).having(func.count() > 1)
    yield from each(db, owners, "was given {} numbers")
    by_itself = select(Refund.payment_id, func.count(), Refund.cause).where(
        Refund.cause.not_in(ASKED_FOR), Refund.status != RefundStatus.FAILED
    )
    again = by_itself.group_by(Refund.payment_id, Refund.cause).having(func.count() > 1)
    yield from each(db, again, "went back {} times because of {}")


@invariant("I16")
def _reserves_are_what_refunds_hold(db: Session) -> Findings:
    """A failed refund gives its reserve back exactly once; every other one holds it, and done stays done."""
    holding = (
        select(Refund.payment_id, func.sum(Refund.amount).label("amount"))
        .where(Refund.status != RefundStatus.FAILED)
        .group_by(Refund.payment_id)
        .subquery()
    )
    held = func.coalesce(holding.c.amount, 0)
    rows = select(Payment.id, Payment.refunded, held).outerjoin(holding, holding.c.payment_id == Payment.id)
    yield from each(db, rows.where(Payment.refunded != held), "has {} reserved, but its refunds hold {}")
    for status in (RefundStatus.SUCCEEDED, RefundStatus.FAILED):
        news = f"refund.{status}"
        told = select(Refund.id, Refund.status).join(Event, Event.about == Refund.session_id + f":{news}:" + Refund.id)
        yield from each(db, told.where(Refund.status != status), f"is {{}}, but was announced as {status}")


@invariant("I17")
def _refunds_that_nobody_asked_for_name_their_cause(db: Session) -> Findings:
    rows = select(Refund.id, Refund.cause, Payment.role).join(Payment, Payment.id == Refund.payment_id)
    unfounded = or_(Payment.role == Role.ACCEPTED, type_coerce(Payment.role, String) != Refund.cause)
    # One that failed may name what its payment was: a person may have accepted the late money since.
    strange = rows.where(Refund.cause.not_in(ASKED_FOR), Refund.status != RefundStatus.FAILED, unfounded)
    yield from each(db, strange, "went back because of {}, but its payment is {}")
