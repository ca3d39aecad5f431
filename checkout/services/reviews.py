"""A person must look: the flag beside a session's status, with its reason."""

import logging
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout.services.events import announce
from checkout.services.terms import Terms
from checkout.store.models import CheckoutSession

log = logging.getLogger(__name__)


def open_review(db: Session, terms: Terms, session_id: str, reason: str, now: datetime) -> bool:
    """Flag the session, once, and tell the merchant. The first reason stays. Commits nothing."""
    opened = db.execute(
        update(CheckoutSession)
        .where(CheckoutSession.id == session_id, CheckoutSession.review.is_(None))
        .values(review=reason, version=CheckoutSession.version + 1)
        .returning(CheckoutSession.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if not opened:
        return False
    log.error("session needs review: %s", reason, extra={"session": session_id})
    announce(db, terms, session_id, "checkout_session.review_opened", now, about=reason)
    return True
