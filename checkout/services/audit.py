"""The money invariants as queries over the books: each returns the rows that break it (safety.md section 2)."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from checkout.domain.lifecycle import AttemptStatus, RefundStatus, Role, SessionStatus
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, GatewayWord, Payment, Refund, TradeNo


@dataclass(frozen=True)
class Violation:
    invariant: str
    subject: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


Check = Callable[[Session], Iterator[tuple[str, str]]]
CHECKS: dict[str, Check] = {}


def invariant(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def audit(db: Session) -> list[Violation]:
    """Every violation in the books as they stand; an empty list is the proof. Reads only."""
    found = [Violation(name, subject, text) for name, check in CHECKS.items() for subject, text in check(db)]
    db.rollback()
    return found


@invariant("I1")
def _each_success_is_one_payment(db: Session) -> Iterator[tuple[str, str]]:
    """As far as the books show it: an attempt that succeeded has its payment, and a payment its success."""
    booked = select(Payment.attempt_id)
    for attempt in db.scalars(
        select(Attempt).where(Attempt.status == AttemptStatus.SUCCEEDED, Attempt.id.not_in(booked))
    ):
        yield attempt.id, "succeeded, but no payment is booked for it"
    rows = db.execute(
        select(Payment.id, Attempt.status)
        .join(Attempt, Attempt.id == Payment.attempt_id)
        .where(Attempt.status != AttemptStatus.SUCCEEDED)
    )
    for payment_id, status in rows:
        yield payment_id, f"is booked, but its attempt is {status}"
    doubles = select(Payment.syssn).group_by(Payment.merchant_id, Payment.syssn).having(func.count() > 1)
    for syssn in db.scalars(doubles):
        yield syssn, "is booked more than once"


@invariant("I2")
def _one_accepted_payment(db: Session) -> Iterator[tuple[str, str]]:
    accepted = select(Payment.session_id).where(Payment.role == Role.ACCEPTED)
    for session_id in db.scalars(accepted.group_by(Payment.session_id).having(func.count() > 1)):
        yield session_id, "has more than one accepted payment"
    surplus = select(Payment.session_id).where(Payment.role == Role.SURPLUS)
    kept = surplus.where(Payment.refunded < Payment.amount)
    unseen = select(CheckoutSession.id).where(CheckoutSession.id.in_(kept), CheckoutSession.review.is_(None))
    for session_id in db.scalars(unseen):
        yield session_id, "was paid twice; the surplus is neither on its way back nor under review"


@invariant("I3")
def _numbers_are_written_first(db: Session) -> Iterator[tuple[str, str]]:
    owner = aliased(TradeNo)
    rows = db.execute(
        select(Attempt.id, owner.owner_id)
        .outerjoin(owner, owner.number == Attempt.out_trade_no)
        .where(owner.owner_id.is_(None) | (owner.owner_id != Attempt.id))
    )
    for attempt_id, _ in rows:
        yield attempt_id, "uses a number that is not its own in trade_no"
    known = select(TradeNo.number).where(TradeNo.owner_id == Refund.id)
    for refund_id in db.scalars(select(Refund.id).where(Refund.out_trade_no.not_in(known.correlate(Refund)))):
        yield refund_id, "uses a number that is not its own in trade_no"


@invariant("I4")
def _paid_is_absorbing(db: Session) -> Iterator[tuple[str, str]]:
    accepted = select(Payment.session_id).where(Payment.role == Role.ACCEPTED)
    for session in db.scalars(
        select(CheckoutSession).where(CheckoutSession.id.in_(accepted), CheckoutSession.status != SessionStatus.PAID)
    ):
        yield session.id, f"has an accepted payment, but is {session.status}"
    told = select(Event.session_id).where(Event.type == "checkout_session.paid")
    for session in db.scalars(
        select(CheckoutSession).where(CheckoutSession.id.in_(told), CheckoutSession.status != SessionStatus.PAID)
    ):
        yield session.id, f"was announced as paid, but is {session.status}"


@invariant("I5")
def _paid_means_exactly_what_was_asked(db: Session) -> Iterator[tuple[str, str]]:
    accepted = select(Payment.session_id).where(Payment.role == Role.ACCEPTED)
    paid = select(CheckoutSession.id).where(CheckoutSession.status == SessionStatus.PAID)
    for session_id in db.scalars(paid.where(CheckoutSession.id.not_in(accepted))):
        yield session_id, "is paid without an accepted payment"
    rows = db.execute(
        select(Payment, CheckoutSession, Attempt)
        .join(CheckoutSession, CheckoutSession.id == Payment.session_id)
        .join(Attempt, Attempt.id == Payment.attempt_id)
        .where(Payment.role == Role.ACCEPTED)
    )
    for payment, session, attempt in rows:
        theirs = (payment.amount, payment.currency, payment.out_trade_no, payment.pay_type, payment.merchant_id)
        ours = (session.amount, session.currency, attempt.out_trade_no, attempt.pay_type, session.merchant_id)
        if theirs != ours or attempt.session_id != session.id:
            yield payment.id, f"was accepted as {theirs}, but {ours} was asked for"


@invariant("I6")
def _only_the_gateway_proves(db: Session) -> Iterator[tuple[str, str]]:
    """Each payment has words of the gateway about its number, heard no later than it was booked."""
    heard = select(GatewayWord.id).where(
        GatewayWord.out_trade_no == Payment.out_trade_no,
        GatewayWord.merchant_id == Payment.merchant_id,
        GatewayWord.source.in_(("enquiry", "notification")),
    )
    for payment_id in db.scalars(select(Payment.id).where(~heard.exists())):
        yield payment_id, "is booked without a word of the gateway about its number"


@invariant("I7")
def _a_code_belongs_to_a_row(db: Session) -> Iterator[tuple[str, str]]:
    shown = select(Attempt).where((Attempt.qr_svg.is_not(None)) & (Attempt.target.is_(None)))
    for attempt in db.scalars(shown):
        yield attempt.id, "has a QR code without the address that it stands for"


@invariant("I10")
def _nothing_ends_while_it_can_be_paid(db: Session) -> Iterator[tuple[str, str]]:
    ended = select(CheckoutSession.id).where(
        CheckoutSession.status.in_((SessionStatus.EXPIRED, SessionStatus.CANCELLED))
    )
    unfinished = (AttemptStatus.CREATED, AttemptStatus.PENDING, AttemptStatus.UNKNOWN)
    payable = Attempt.status.in_(unfinished) | ((Attempt.status == AttemptStatus.FAILED) & Attempt.target.is_not(None))
    for attempt in db.scalars(select(Attempt).where(Attempt.session_id.in_(ended), payable)):
        yield attempt.session_id, f"has ended, but its attempt {attempt.id} is {attempt.status} and may still be paid"


@invariant("I11")
def _terms_never_change(db: Session) -> Iterator[tuple[str, str]]:
    """The first announcement froze amount, currency and merchant; the row must still say the same."""
    rows = db.execute(select(Event, CheckoutSession).join(CheckoutSession, CheckoutSession.id == Event.session_id))
    for event, session in rows:
        for name in ("amount", "currency"):
            if f'"{name}":{_json(getattr(session, name))}' not in event.body:
                yield session.id, f"{name} differs from what event {event.id} says"
        if event.merchant_id != session.merchant_id:
            yield session.id, f"belongs to another merchant than event {event.id}"


def _json(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


@invariant("I12")
def _amounts_are_whole_and_positive(db: Session) -> Iterator[tuple[str, str]]:
    for model in (CheckoutSession, Payment):
        for row_id, amount in db.execute(select(model.id, model.amount)):
            if type(amount) is not int or amount <= 0:
                yield row_id, f"has the amount {amount!r}"


@invariant("I13")
def _no_more_goes_back_than_came(db: Session) -> Iterator[tuple[str, str]]:
    for payment_id in db.scalars(
        select(Payment.id).where((Payment.refunded > Payment.amount) | (Payment.refunded < 0))
    ):
        yield payment_id, "has more reserved for refunds than was paid"


@invariant("I16")
def _reserves_are_what_refunds_hold(db: Session) -> Iterator[tuple[str, str]]:
    """A failed refund gives its reserve back exactly once; every other one holds it."""
    held = (
        select(func.coalesce(func.sum(Refund.amount), 0))
        .where(Refund.payment_id == Payment.id, Refund.status != RefundStatus.FAILED)
        .correlate(Payment)
        .scalar_subquery()
    )
    for payment_id in db.scalars(select(Payment.id).where(Payment.refunded != held)):
        yield payment_id, "has another amount reserved than its refunds hold"


@invariant("I17")
def _refunds_that_nobody_asked_for_name_their_cause(db: Session) -> Iterator[tuple[str, str]]:
    rows = db.execute(
        select(Refund.id, Refund.cause, Payment.role)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.cause != "merchant")
    )
    for refund_id, cause, role in rows:
        if cause != role:
            yield refund_id, f"went back because of {cause}, but its payment is {role}"


@invariant("I18")
def _no_state_without_its_event(db: Session) -> Iterator[tuple[str, str]]:
    for status in (SessionStatus.PAID, SessionStatus.EXPIRED, SessionStatus.CANCELLED):
        told = select(Event.session_id).where(Event.type == f"checkout_session.{status}")
        silent = select(CheckoutSession.id).where(CheckoutSession.status == status, CheckoutSession.id.not_in(told))
        for session_id in db.scalars(silent):
            yield session_id, f"is {status}, and no event says so"
    queued = select(Delivery.event_id)
    for event_id in db.scalars(select(Event.id).where(Event.to_deliver, Event.id.not_in(queued))):
        yield event_id, "was never queued for the merchant's endpoint"
