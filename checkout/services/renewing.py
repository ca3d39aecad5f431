"""More time for a shopper who needs it: a fresh code, and a later deadline where the merchant's terms allow one."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.domain import schedule
from checkout.domain.lifecycle import AttemptStatus, SessionStatus
from checkout.store import retrying
from checkout.store.models import Attempt, CheckoutSession, Merchant

RENEWALS = 10  # WCAG 2.2.1: a time limit can be extended ten times


def code_minutes(merchant: Merchant, session: CheckoutSession, now: datetime) -> int:
    """How long a code that is asked for at `now` shall live."""
    return schedule.code_minutes(session.expires_at - now, merchant.options.get("code_minutes", schedule.CODE_MINUTES))


def worn(session: CheckoutSession, live: Attempt, now: datetime) -> bool:
    """The code will soon end, and the session will not: whoever picks the wallet again gets a fresh code."""
    ends = live.created_at + timedelta(minutes=live.code_minutes)
    shown = live.status is AttemptStatus.PENDING and live.target is not None
    return shown and now >= ends - schedule.WARNING and session.expires_at - now > schedule.WARNING


def may_extend(late_payment: str, renewals: int) -> bool:
    """A merchant that takes money after its deadline has said that the deadline is soft (decision 0016)."""
    return late_payment == "accept" and renewals < RENEWALS


def extend_if_ending(db: Session, session_id: str, expires_at: datetime, now: datetime) -> bool:
    """In its last minutes, give an open session the life of one more code, if its terms allow it; and commit."""
    if expires_at - now > schedule.WARNING:
        return False
    return retrying.run(db, lambda: _extend(db, session_id, now), finds_itself=True)


def _extend(db: Session, session_id: str, now: datetime) -> bool:
    session = db.get_one(CheckoutSession, session_id, populate_existing=True)
    options = db.scalar(select(Merchant.options).where(Merchant.id == session.merchant_id)) or {}
    wanted = options.get("code_minutes", schedule.CODE_MINUTES)
    later = now + timedelta(minutes=schedule.code_minutes(timedelta(days=1), wanted))
    extended = db.execute(
        update(CheckoutSession)
        .where(
            CheckoutSession.id == session_id,
            CheckoutSession.status == SessionStatus.OPEN,
            CheckoutSession.review.is_(None),
            CheckoutSession.late_payment == "accept",
            CheckoutSession.renewals < RENEWALS,
            CheckoutSession.expires_at > now,
            CheckoutSession.expires_at <= now + schedule.WARNING,
        )
        .values(
            expires_at=later,
            due_at=later,
            renewals=CheckoutSession.renewals + 1,
            version=CheckoutSession.version + 1,
        )
        .returning(CheckoutSession.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    return extended is not None
