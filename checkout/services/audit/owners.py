"""Whose is what: every row has its session's merchant, and every key did one thing."""

from collections.abc import Iterator

from sqlalchemy import Executable, func, or_, select
from sqlalchemy.orm import Session

from checkout.services.audit.register import Findings, each, invariant, within
from checkout.store.models import (
    Attempt,
    Budget,
    CheckoutSession,
    Delivery,
    Event,
    GatewayWord,
    IdempotencyKey,
    Payment,
    Refund,
    TradeNo,
)
from checkout.store.oversight import Difference


@invariant("I14")
def _a_key_is_one_refund(db: Session) -> Findings:
    return _each_key_did_one_thing(db, Refund, "rf_")


@invariant("I23")
def _a_key_is_one_session(db: Session) -> Findings:
    return _each_key_did_one_thing(db, CheckoutSession, "cs_")


def _each_key_did_one_thing(db: Session, model: type[Refund] | type[CheckoutSession], prefix: str) -> Findings:
    """As long as keys are remembered: what a key's answer names is there, its merchant's, and no other key's."""
    made = within(db, IdempotencyKey.answer, "id")
    keys = select(IdempotencyKey.merchant_id, made.label("made"))
    made_one = (IdempotencyKey.status_code == 201, IdempotencyKey.answer.contains(prefix), made.startswith(prefix))
    keys_of = keys.where(*made_one).subquery()
    lost = select(keys_of.c.made).outerjoin(model, model.id == keys_of.c.made).where(model.id.is_(None))
    yield from each(db, lost, "was promised under an idempotency key, and does not exist")
    others = select(keys_of.c.made).join(model, model.id == keys_of.c.made)
    yield from each(
        db,
        others.where(model.merchant_id != keys_of.c.merchant_id),
        "was made under another merchant's idempotency key",
    )
    shared = select(keys_of.c.made, func.count()).group_by(keys_of.c.made).having(func.count() > 1)
    yield from each(db, shared, "was made under {} idempotency keys")


@invariant("I22")
def _no_row_is_another_merchants(db: Session) -> Findings:
    for query in _strangers():
        yield from each(db, query, "belongs to another merchant or session than what it is part of")


def _strangers() -> Iterator[Executable]:
    for part in (Attempt, Payment, Refund, Event):
        whole = select(part.id).join(CheckoutSession, CheckoutSession.id == part.session_id)
        yield whole.where(part.merchant_id != CheckoutSession.merchant_id)
    for part, other, join in (
        (Payment, Attempt, Attempt.id == Payment.attempt_id),
        (Refund, Payment, Payment.id == Refund.payment_id),
    ):
        yield select(part.id).join(other, join).where(part.session_id != other.session_id)
    deliveries = select(Delivery.id).join(Event, Event.id == Delivery.event_id)
    yield deliveries.where(Delivery.merchant_id != Event.merchant_id)
    for owner in (Attempt, Refund):
        numbers = select(TradeNo.number).join(owner, owner.out_trade_no == TradeNo.number)
        yield numbers.where(TradeNo.merchant_id != owner.merchant_id)
    words = select(GatewayWord.id).outerjoin(TradeNo, TradeNo.number == GatewayWord.out_trade_no)
    strange = or_(TradeNo.merchant_id.is_(None), TradeNo.merchant_id != GatewayWord.merchant_id)
    yield words.where(GatewayWord.known, strange)
    differences = select(Difference.id).join(CheckoutSession, CheckoutSession.id == Difference.session_id)
    yield differences.where(Difference.merchant_id != CheckoutSession.merchant_id)


@invariant("I25")
def _no_more_calls_than_allowed(db: Session) -> Findings:
    """What left in each minute is counted by tests/processes/test_budget.py; here, that no bucket was overdrawn."""
    overdrawn = select(Budget.credential, Budget.tokens).where(Budget.tokens < 0)
    yield from each(db, overdrawn, "made more calls than it had: {} thousandths are left")
