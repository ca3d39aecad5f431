"""Money that came: each success once, for exactly what was asked, and never without the gateway's word."""

from sqlalchemy import Integer, exists, func, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from checkout.domain.lifecycle import AttemptStatus, Role, SessionStatus
from checkout.services.audit.register import CLOCKS_DIFFER, Findings, each, invariant
from checkout.store.models import Attempt, CheckoutSession, GatewayWord, Merchant, Payment, Refund, TradeNo

ACCEPTED = exists().where(Payment.session_id == CheckoutSession.id, Payment.role == Role.ACCEPTED)


@invariant("I1")
def _each_success_is_one_payment(db: Session) -> Findings:
    """As far as our own books show it; what they miss, the comparison with the gateway's books finds."""
    booked = exists().where(Payment.attempt_id == Attempt.id)
    succeeded = select(Attempt.id).where(Attempt.status == AttemptStatus.SUCCEEDED)
    yield from each(db, succeeded.where(~booked), "succeeded, but no payment is booked for it")
    paid = select(Payment.id, Attempt.status).join(Attempt, Attempt.id == Payment.attempt_id)
    yield from each(db, paid.where(Attempt.status != AttemptStatus.SUCCEEDED), "is booked, but its attempt is {}")
    # A unique index sees to it for one merchant, and not for two that share their credentials.
    names = select(Payment.syssn, func.count()).join(Merchant, Merchant.id == Payment.merchant_id)
    twice = names.group_by(Merchant.base_url, Merchant.app_code, Payment.syssn).having(func.count() > 1)
    yield from each(db, twice, "is booked {} times")


@invariant("I2")
def _one_accepted_payment(db: Session) -> Findings:
    accepted = select(Payment.session_id, func.count()).where(Payment.role == Role.ACCEPTED)
    yield from each(
        db, accepted.group_by(Payment.session_id).having(func.count() > 1), "has {} accepted payments instead of one"
    )
    kept = select(Payment.session_id).where(Payment.role == Role.SURPLUS, Payment.refunded < Payment.amount)
    unseen = kept.join(CheckoutSession, CheckoutSession.id == Payment.session_id).where(
        CheckoutSession.review.is_(None)
    )
    yield from each(db, unseen, "was paid twice; the surplus is neither on its way back nor under review")


@invariant("I3")
def _numbers_are_written_first(db: Session) -> Findings:
    for owner, kind in ((Attempt, "payment"), (Refund, "refund")):
        number = aliased(TradeNo)
        used = select(owner.id).outerjoin(number, number.number == owner.out_trade_no)
        strange = or_(number.owner_id.is_(None), number.owner_id != owner.id, number.kind != kind)
        yield from each(db, used.where(strange), "uses a number that is not its own in trade_no")
    late = select(Attempt.id).join(TradeNo, TradeNo.number == Attempt.out_trade_no)
    yield from each(
        db, late.where(TradeNo.created_at > Attempt.created_at), "used its number before it stood in trade_no"
    )


@invariant("I5")
def _paid_means_exactly_what_was_asked(db: Session) -> Findings:
    paid = select(CheckoutSession.id).where(CheckoutSession.status == SessionStatus.PAID)
    yield from each(db, paid.where(~ACCEPTED), "is paid without an accepted payment")
    pairs = (
        ("amount", Payment.amount, CheckoutSession.amount),
        ("currency", Payment.currency, CheckoutSession.currency),
        ("number", Payment.out_trade_no, Attempt.out_trade_no),
        ("pay type", Payment.pay_type, Attempt.pay_type),
    )
    for what, theirs, ours in pairs:
        rows = (
            select(Payment.id, theirs, ours)
            .join(CheckoutSession, CheckoutSession.id == Payment.session_id)
            .join(Attempt, Attempt.id == Payment.attempt_id)
            .where(Payment.role == Role.ACCEPTED, theirs != ours)
        )
        yield from each(db, rows, f"was accepted with the {what} {{}}, but {{}} was asked for")


@invariant("I6")
def _only_the_gateway_proves(db: Session) -> Findings:
    """Each payment rests on a word of the gateway of the very kind that it names, and on one before it was booked."""
    by_proof = exists().where(GatewayWord.out_trade_no == Payment.out_trade_no, GatewayWord.source == Payment.proof)
    unproven = select(Payment.id, Payment.proof).where(~by_proof)
    yield from each(db, unproven, "is booked without a word of the gateway by {} about its number")
    first_heard = func.min(GatewayWord.heard_at)
    words = (
        select(Payment.id, Payment.created_at, first_heard)
        .join(GatewayWord, GatewayWord.out_trade_no == Payment.out_trade_no)
        .where(GatewayWord.source.in_(("enquiry", "notification")))
        .group_by(Payment.id, Payment.created_at)
        .having(first_heard > Payment.created_at)
    )
    for payment_id, booked_at, heard_at in db.execute(words):
        if heard_at - booked_at > CLOCKS_DIFFER:
            yield payment_id, f"was booked at {booked_at}, but first heard of at {heard_at}"


@invariant("I12")
def _amounts_are_whole_and_positive(db: Session) -> Findings:
    for model in (CheckoutSession, Payment, Refund):
        # SQLite keeps a fraction in a column of whole numbers, and PostgreSQL cannot.
        fraction = [func.typeof(model.amount) != "integer"] if db.get_bind().dialect.name == "sqlite" else []
        rows = select(model.id, type_coerce(model.amount, Integer)).where(or_(model.amount <= 0, *fraction))
        yield from each(db, rows, "has the amount {}")
