"""The second-best proof: a genuine notification settles a payment when nobody can be asked (design.md section 3)."""

import logging
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from checkout.domain.errors import GatewayGarbled, NotAuthentic
from checkout.domain.lifecycle import AttemptStatus
from checkout.domain.vault import CannotOpen
from checkout.gateway.accounts import Gateways
from checkout.gateway.client import Gateway, Record
from checkout.services import words
from checkout.services.hearing import believe
from checkout.services.terms import Terms
from checkout.store.models import Attempt, Merchant

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=60)  # for an enquiry's answer, from the moment at which the notification came


def settle_unanswered(
    db: Session, gateways: Gateways, terms: Terms, attempt: Attempt, now: datetime
) -> datetime | None:
    """Book what genuine notifications say that came a minute ago or earlier and were never answered; commit.

    Returns when the minute of a younger one will be over, so that the caller looks again then; None: there is none.
    Raises IntegrityError when another process is booking the same payment at this moment.
    """
    if attempt.status is AttemptStatus.SUCCEEDED:
        return None
    try:
        said = words.unanswered_notices(db, gateways.vault, attempt)
        gateway = gateways.of(db.get_one(Merchant, attempt.merchant_id)) if said else None
    except CannotOpen:  # SECRET_KEY was changed: told where enquiries meet the same
        db.rollback()
        return None
    for heard_at, body in said:
        if now < heard_at + PATIENCE:
            db.commit()
            return heard_at + PATIENCE
        record = _read(gateway, body) if gateway else None
        if record and believe(db, terms, attempt.id, record, now):
            log.warning("settled by a notification alone", extra={"attempt": attempt.id})
    db.commit()
    return None


def _read(gateway: Gateway, body: bytes) -> Record | None:
    try:
        return gateway.read_stored_notification(body)
    except (GatewayGarbled, NotAuthentic):  # read once already, by the rules of that day
        return None
