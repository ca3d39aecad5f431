"""Another session for the same order is paid too: legal, and never unnoticed."""

import logging

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import SessionStatus
from checkout.store.models import CheckoutSession

log = logging.getLogger(__name__)


def notice_twins(db: Session, session: CheckoutSession) -> None:
    """Warn the merchant in the session that has just become paid. Commits nothing; before its news is announced."""
    twins = db.scalars(
        select(CheckoutSession.id).where(
            CheckoutSession.merchant_id == session.merchant_id,
            CheckoutSession.reference == session.reference,
            CheckoutSession.id != session.id,
            CheckoutSession.status == SessionStatus.PAID,
        )
    ).all()
    if twins:
        log.warning("reference paid more than once", extra={"session": session.id, "twins": twins[:5]})
        warning = {"code": "reference_paid_twice", "message": f"also paid with this reference: {', '.join(twins[:5])}"}
        db.execute(
            update(CheckoutSession)
            .where(CheckoutSession.id == session.id)
            .values(warnings=[*session.warnings, warning])
        )
