"""What merchants are told: everything that became true, once, as it was, until they have heard it."""

from sqlalchemy import ColumnElement, String, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import AttemptStatus, DeliveryStatus, RefundStatus, Role, SessionStatus
from checkout.services.audit.register import Findings, each, invariant, within
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, Payment, Refund

ENDS = (SessionStatus.PAID, SessionStatus.EXPIRED, SessionStatus.CANCELLED)


@invariant("I11")
def _terms_never_change(db: Session) -> Findings:
    """Every announcement froze amount and currency; the session must still say the same."""
    for name in ("amount", "currency"):
        then, now = within(db, Event.body, "data", name), cast(getattr(CheckoutSession, name), String)
        rows = select(CheckoutSession.id, now, then, Event.id).join(Event, Event.session_id == CheckoutSession.id)
        yield from each(db, rows.where(then.is_distinct_from(now)), f"has the {name} {{}}, but {{}} in event {{}}")


@invariant("I18")
def _no_state_without_its_event(db: Session) -> Findings:
    for status in ENDS:
        told = exists().where(Event.session_id == CheckoutSession.id, Event.type == f"checkout_session.{status}")
        silent = select(CheckoutSession.id).where(CheckoutSession.status == status, ~told)
        yield from each(db, silent, f"is {status}, and no event says so")
    flagged = exists().where(Event.session_id == CheckoutSession.id, Event.type == "checkout_session.review_opened")
    review = select(CheckoutSession.id, CheckoutSession.review).where(CheckoutSession.review.is_not(None), ~flagged)
    yield from each(db, review, "is under review for {}, and no event says so")
    for rows, kind, session_id, about in (
        (
            select(Attempt.id).where(Attempt.status == AttemptStatus.FAILED),
            "attempt.failed",
            Attempt.session_id,
            Attempt.id,
        ),
        (select(Payment.id).where(Payment.role == Role.SURPLUS), "payment.surplus", Payment.session_id, Payment.syssn),
        (select(Payment.id).where(Payment.role == Role.LATE), "payment.late", Payment.session_id, Payment.syssn),
        (
            select(Refund.id).where(Refund.status == RefundStatus.SUCCEEDED),
            "refund.succeeded",
            Refund.session_id,
            Refund.id,
        ),
        (select(Refund.id).where(Refund.status == RefundStatus.FAILED), "refund.failed", Refund.session_id, Refund.id),
    ):
        said = exists().where(Event.about == session_id + f":{kind}:" + about)
        yield from each(db, rows.where(~said), f"was never announced by {kind}")
    yield from _no_event_without_its_state(db)


def _no_event_without_its_state(db: Session) -> Findings:
    """Paid may follow every other end; that nothing follows paid is I4."""
    for status in (SessionStatus.EXPIRED, SessionStatus.CANCELLED):
        rows = select(CheckoutSession.id, CheckoutSession.status).join(Event, Event.session_id == CheckoutSession.id)
        told = rows.where(Event.type == f"checkout_session.{status}")
        other = CheckoutSession.status.not_in((status, SessionStatus.PAID))
        yield from each(db, told.where(other), f"was announced as {status}, but is {{}}")


@invariant("I19")
def _each_event_is_one_whole_snapshot(db: Session) -> Findings:
    yield from each(db, select(Event.id).where(~Event.about.startswith(_identity())), "is not about what it tells")
    ends = [f"checkout_session.{status}" for status in ENDS]
    twice = select(Event.session_id, Event.type).where(Event.type.in_(ends)).group_by(Event.session_id, Event.type)
    yield from each(db, twice.having(func.count() > 1), "was told {} more than once")
    ours = (Event.type, Event.session_id, cast(Event.version, String))
    theirs = [within(db, Event.body, *path) for path in (("type",), ("data", "id"), ("data", "version"))]
    differing = or_(*(said.is_distinct_from(known) for said, known in zip(theirs, ours, strict=True)))
    rows = select(Event.id, *ours, *theirs).where(differing)
    yield from each(db, rows, "is {} of {}, version {}; its body says {} of {}, version {}")
    then = within(db, Event.body, "data", "status")
    told = select(Event.id, Event.type, then).where(Event.type.in_(ends), Event.type != "checkout_session." + then)
    yield from each(db, told, "tells of {}, with a snapshot that says {}")
    yield from _versions_only_rise(db)


def _identity() -> ColumnElement[str]:
    return Event.session_id + ":" + Event.type + ":"


def _versions_only_rise(db: Session) -> Findings:
    ahead = select(Event.id, Event.version, CheckoutSession.version).join(
        CheckoutSession, CheckoutSession.id == Event.session_id
    )
    beyond = ahead.where(Event.version > CheckoutSession.version)
    yield from each(db, beyond, "has version {}, but its session has only reached {}")
    yield from _versions_tell_one_story(db)


def _versions_tell_one_story(db: Session) -> Findings:
    """In the order of versions no end is taken back. Moments and ids prove nothing here: a clock may be set back."""
    status, in_order = within(db, Event.body, "data", "status"), (Event.version, Event.id)
    told = select(
        Event.id,
        status.label("status"),
        Event.version,
        func.lag(status).over(partition_by=Event.session_id, order_by=in_order).label("before"),
        func.lag(Event.version).over(partition_by=Event.session_id, order_by=in_order).label("version_before"),
    ).subquery()
    two_at_once = told.c.version == told.c.version_before
    taken_back = told.c.before.in_(ENDS) & (told.c.status != SessionStatus.PAID)
    rows = select(told).where(told.c.status != told.c.before, or_(two_at_once, taken_back))
    yield from each(db, rows, "says {} with version {}, after {} with version {}")


@invariant("I20")
def _nothing_to_deliver_is_dropped(db: Session) -> Findings:
    queued = exists().where(Delivery.event_id == Event.id)
    yield from each(
        db, select(Event.id).where(Event.to_deliver, ~queued), "was never queued for the merchant's endpoint"
    )
    rows = select(Delivery.id, Delivery.status)
    forgotten = rows.where(Delivery.status == DeliveryStatus.DUE, Delivery.next_at.is_(None))
    yield from each(db, forgotten, "is {}, and nobody will ever try it")
    restless = rows.where(Delivery.status != DeliveryStatus.DUE, Delivery.next_at.is_not(None))
    yield from each(db, restless, "is {}, but still due")
    done = select(Delivery.id, Delivery.answer_status).where(Delivery.status == DeliveryStatus.DONE)
    heard = Delivery.delivered_at.is_not(None) & Delivery.answer_status.between(200, 299)
    yield from each(db, done.where(or_(Delivery.answer_status.is_(None), ~heard)), "is done, but the answer was {}")
    untried = select(Delivery.id).where(Delivery.status == DeliveryStatus.DEAD, Delivery.tries == 0)
    yield from each(db, untried, "was given up before anybody tried it")
