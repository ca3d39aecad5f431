"""Checkout sessions: opening, finding, cancelling and closing them."""

import json
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import Invalid, NotFound
from checkout.domain.ids import new_id, new_support_code
from checkout.domain.lifecycle import SessionStatus
from checkout.domain.links import problem_with_return_url
from checkout.domain.money import to_text
from checkout.domain.orders import Order
from checkout.domain.wallets import RISKY_AMOUNT, offered
from checkout.services import chronicle
from checkout.services.events import announce
from checkout.services.keys import Answer, Stamp, once
from checkout.services.snapshots import snapshot
from checkout.services.terms import Terms
from checkout.services.watching import make_due
from checkout.store import retrying
from checkout.store.models import Attempt, CheckoutSession, Merchant
from checkout.store.moves import move_session
from checkout.store.payable import STILL_PAYABLE

LOOK_AGAIN = timedelta(seconds=5)
LEASE = timedelta(seconds=30)


def open_session(
    db: Session, terms: Terms, merchant: Merchant, order: Order, *, key: str | None, now: datetime
) -> Answer:
    """Open a session and commit. With a key, the database is the referee of who was first.

    Raises Invalid, KeyReused (another body), KeyInUse (the first request is still running).
    """

    def effect() -> Answer:
        session = add_session(db, terms, merchant, order, now=now)
        return Answer(201, json.dumps(snapshot(db, terms, session), ensure_ascii=False, separators=(",", ":")))

    stamp = Stamp.of(merchant.id, key, order.model_dump(exclude_defaults=True)) if key else None
    return once(db, stamp, effect, now)


def add_session(
    db: Session, terms: Terms, merchant: Merchant, order: Order, *, now: datetime, expires_at: datetime | None = None
) -> CheckoutSession:
    """Add an open session, and leave the commit to the caller. Raises Invalid.

    `expires_at` is for whoever knows the deadline to the second; else it is the order's `expires_in` minutes from now.
    """
    check_order(terms, merchant, order)
    session = _new_session(db, merchant, order, now)
    if expires_at:
        session.expires_at = session.due_at = expires_at
    db.add(session)
    db.flush()
    return session


def check_order(terms: Terms, merchant: Merchant, order: Order) -> None:
    """Raises Invalid for what this merchant cannot be paid, or not in this way."""
    errors: dict[str, str] = {}
    for name in ("return_url", "cancel_url"):
        url: str | None = getattr(order, name)
        if not url:  # a link that stands for itself has no shop to go back to
            continue
        origins = tuple(merchant.return_origins)
        if problem := problem_with_return_url(url, origins=origins, http_allowed=terms.http_allowed):
            errors[name] = problem
    if not offered(merchant.choices, currency=order.currency, amount=order.amount, narrowed=order.wallets):
        theirs = ", ".join(choice.code for choice in merchant.choices if choice.takes(order.currency)) or "none"
        field = "wallets" if order.wallets else "currency" if theirs == "none" else "amount"
        errors[field] = f"no wallet can be offered for this; for {order.currency} this merchant has: {theirs}"
    if errors:
        raise Invalid(errors)


def _new_session(db: Session, merchant: Merchant, order: Order, now: datetime) -> CheckoutSession:
    expires_at = now + timedelta(minutes=order.expires_in)
    return CheckoutSession(
        id=new_id("cs_"),
        merchant_id=merchant.id,
        support_code=new_support_code(),
        reference=order.reference,
        amount=order.amount,
        currency=order.currency,
        description=order.description,
        items=[item.model_dump() for item in order.items],
        details=dict(order.metadata),
        wallets=list(order.wallets),
        locale=order.locale,
        return_url=order.return_url,
        cancel_url=order.cancel_url,
        limit_pay=order.limit_pay,
        udid=order.udid,
        late_payment=order.late_payment,
        warnings=_warnings(db, merchant, order),
        status=SessionStatus.OPEN,
        created_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


def _warnings(db: Session, merchant: Merchant, order: Order) -> list[dict[str, str]]:
    """What the merchant should know and need not mend."""
    found = []
    if order.amount <= RISKY_AMOUNT:
        found.append(
            {
                "code": "small_amount",
                "message": f"{order.currency} {to_text(order.amount, order.currency)} may be refused by the gateway's "
                f"risk control, which advises more than {to_text(RISKY_AMOUNT, order.currency)}",
            }
        )
    twins = db.scalars(
        select(CheckoutSession.id)
        .where(
            CheckoutSession.merchant_id == merchant.id,
            CheckoutSession.reference == order.reference,
            CheckoutSession.status.in_((SessionStatus.OPEN, SessionStatus.CLOSING, SessionStatus.PAID)),
        )
        .limit(5)
    ).all()
    if twins:
        message = f"this reference has other sessions that are open or paid: {', '.join(twins)}"
        found.append({"code": "reference_in_use", "message": message})
    return found


def session_of(db: Session, merchant: Merchant, session_id: str) -> CheckoutSession:
    """A session of this merchant. Raises NotFound, for another merchant's too."""
    session = db.scalar(
        select(CheckoutSession)
        .where(CheckoutSession.id == session_id, CheckoutSession.merchant_id == merchant.id)
        .execution_options(populate_existing=True)
    )
    if session is None:
        raise NotFound("checkout session")
    return session


def cancel_session(
    db: Session, terms: Terms, session_id: str, now: datetime, *, by_merchant: Merchant | None = None, actor: str = ""
) -> None:
    """Give up a session and commit. Safe when the shopper has just paid: then it stays paid.

    An untouched session is cancelled at once; with a code that may still be paid it only stops
    offering ways to pay, and is cancelled when the code's life has ended and an enquiry said so.
    """
    asked_by = actor or (chronicle.by_merchant(by_merchant.id) if by_merchant else "")
    cancel = partial(_cancel, db, terms, session_id, now, actor=asked_by)
    retrying.run(db, cancel, finds_itself=True)
    crash_point("cancel.committed")


def _cancel(db: Session, terms: Terms, session_id: str, now: datetime, *, actor: str) -> None:
    if move_session(db, session_id, SessionStatus.CLOSING, closing_as="cancelled", due_at=now):
        make_due(db, session_id, now)
        _finish(db, terms, session_id, now)
        if actor:
            chronicle.write_down(db, actor=actor, action="session_cancelled", subject=session_id, details={}, now=now)
    crash_point("cancel.before_commit")
    db.commit()


def close_next(db: Session, terms: Terms, now: datetime) -> bool:
    """Bring one session whose time has come a step nearer to its end, and commit. False: none is due."""
    session_id = db.scalar(
        select(CheckoutSession.id)
        .where(CheckoutSession.due_at <= now)
        .order_by(CheckoutSession.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if session_id is None:
        db.rollback()
        return False
    db.execute(update(CheckoutSession).where(CheckoutSession.id == session_id).values(due_at=now + LEASE))
    # Before anything expires the gateway is asked: `closing` is where we wait for its answer.
    if move_session(db, session_id, SessionStatus.CLOSING, closing_as="expired"):
        make_due(db, session_id, now)
    _finish(db, terms, session_id, now)
    crash_point("session.closing")
    db.commit()
    crash_point("session.swept")
    return True


def _finish(db: Session, terms: Terms, session_id: str, now: datetime) -> None:
    """End a closing session if no code of it can be paid any more; else say when to look again."""
    session = db.get_one(CheckoutSession, session_id, populate_existing=True)
    if session.status is not SessionStatus.CLOSING:
        db.execute(update(CheckoutSession).where(CheckoutSession.id == session_id).values(due_at=None))
        return
    payable = db.scalars(select(Attempt.ends_at).where(Attempt.session_id == session_id, STILL_PAYABLE)).all()
    if payable:
        look_again = max(min(payable) + timedelta(seconds=2), now + LOOK_AGAIN)
        db.execute(update(CheckoutSession).where(CheckoutSession.id == session_id).values(due_at=look_again))
        return
    end = SessionStatus.CANCELLED if session.closing_as == "cancelled" else SessionStatus.EXPIRED
    moment = {"cancelled_at" if end is SessionStatus.CANCELLED else "expired_at": now}
    if move_session(db, session_id, end, only_from={SessionStatus.CLOSING}, due_at=None, **moment):
        announce(db, terms, session_id, f"checkout_session.{end}", now)
        crash_point("session.ended")
