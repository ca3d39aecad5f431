"""How things end: paid absorbs, nothing ends by time alone, and nothing unfinished is forgotten."""

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import REFUND_IN_FLIGHT, AttemptStatus, RefundStatus, SessionStatus
from checkout.services.audit.payments import ACCEPTED
from checkout.services.audit.register import Findings, each, invariant
from checkout.store.models import Attempt, CheckoutSession, Event, GatewayWord, Refund
from checkout.store.oversight import AuditEntry
from checkout.store.payable import STILL_PAYABLE


@invariant("I4")
def _paid_is_absorbing(db: Session) -> Findings:
    unpaid = select(CheckoutSession.id, CheckoutSession.status).where(CheckoutSession.status != SessionStatus.PAID)
    yield from each(db, unpaid.where(ACCEPTED), "has an accepted payment, but is {}")
    told = exists().where(Event.session_id == CheckoutSession.id, Event.type == "checkout_session.paid")
    yield from each(db, unpaid.where(told), "was announced as paid, but is {}")


@invariant("I7")
def _a_code_belongs_to_a_row(db: Session) -> Findings:
    """That only addresses of the allowed hosts get so far is shown by tests/gateway/test_links.py."""
    drawn = select(Attempt.id).where(Attempt.qr_svg.is_not(None), Attempt.target.is_(None))
    yield from each(db, drawn, "has a QR code without the address that it stands for")
    shown = select(Attempt.id).where(Attempt.target.is_not(None), Attempt.status == AttemptStatus.CREATED)
    yield from each(db, shown, "has an address to show, but nobody has written down that the gateway gave it")


@invariant("I8")
def _nothing_unfinished_is_forgotten(db: Session) -> Findings:
    """Whoever died over it, the sweeps come by again; that they do is shown by tests/processes and tests/proofs."""
    unfinished = (SessionStatus.OPEN, SessionStatus.CLOSING)
    sessions = select(CheckoutSession.id, CheckoutSession.status).where(CheckoutSession.due_at.is_(None))
    yield from each(
        db, sessions.where(CheckoutSession.status.in_(unfinished)), "is {}, and nobody will ever look again"
    )
    attempts = select(Attempt.id, Attempt.status).where(Attempt.next_at.is_(None), STILL_PAYABLE)
    yield from each(db, attempts, "is {}, may still be paid, and nobody will ever ask again")
    over = (RefundStatus.SUCCEEDED, RefundStatus.FAILED)
    refunds = select(Refund.id, Refund.status)
    forgotten = refunds.where(Refund.next_at.is_(None), Refund.status.not_in(over))
    yield from each(db, forgotten, "is {}, and nobody will ever look again")
    restless = refunds.where(Refund.next_at.is_not(None), Refund.status.in_(over))
    yield from each(db, restless, "is {}, but still due: it stands in the way of other refunds")


@invariant("I9")
def _time_alone_decides_nothing(db: Session) -> Findings:
    """What failed or was closed names who said so; `unavailable` is our own word for a call that never left."""
    failed = select(Attempt.id).where(
        Attempt.status == AttemptStatus.FAILED,
        or_(Attempt.failure.is_(None), Attempt.failure_code.is_(None) & (Attempt.failure != "unavailable")),
    )
    yield from each(db, failed, "has failed, and no word of the gateway says why")
    said_closed = exists().where(GatewayWord.out_trade_no == Attempt.out_trade_no, GatewayWord.source == "enquiry")
    asked_after_its_end = Attempt.answered_at.is_not(None) & (Attempt.answered_at >= Attempt.ends_at)
    closed = select(Attempt.id).where(Attempt.status == AttemptStatus.CLOSED, ~asked_after_its_end, ~said_closed)
    yield from each(db, closed, "is closed, but no question after its end was answered")
    refused = select(Refund.id).where(Refund.status == RefundStatus.FAILED, Refund.failure_code.is_(None))
    yield from each(db, refused, "has failed, and no word of the gateway says why")
    unsent = select(Refund.id, Refund.status).where(Refund.status.in_(REFUND_IN_FLIGHT), Refund.sent_at.is_(None))
    # Restored books may have forgotten that it was sent: then it is asked about before anybody sends it.
    recovered = exists().where(AuditEntry.action == "books_recovered", AuditEntry.at >= Refund.created_at)
    forgotten = (Refund.status == RefundStatus.UNKNOWN) & recovered
    yield from each(db, unsent.where(~forgotten), "is {}, but nobody has sent it")


@invariant("I10")
def _nothing_ends_while_it_can_be_paid(db: Session) -> Findings:
    ended = select(CheckoutSession.id, Attempt.id, Attempt.status).join(
        Attempt, Attempt.session_id == CheckoutSession.id
    )
    over = (SessionStatus.EXPIRED, SessionStatus.CANCELLED)
    rows = ended.where(CheckoutSession.status.in_(over), STILL_PAYABLE)
    yield from each(db, rows, "has ended, but its attempt {} is {} and may still be paid")
