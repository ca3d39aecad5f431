"""Notifications of the gateway: stored before they are acknowledged, and only a reason to ask sooner."""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import GatewayGarbled, Invalid, NotFound
from checkout.gateway.accounts import Gateways
from checkout.services import words
from checkout.services.watching import make_number_due, make_refund_due
from checkout.services.words import Said
from checkout.store.models import Merchant, TradeNo

log = logging.getLogger(__name__)

LONGEST_NUMBER = 128


def receive(
    db: Session, gateways: Gateways, merchant_id: str, body: bytes, *, signature: str | None, now: datetime
) -> None:
    """Verify, store, make an enquiry due, commit. A browser proves nothing, and alone neither does this.

    Raises NotFound for an address that we never gave out, NotAuthentic, and Invalid for signed rubbish.
    """
    merchant = db.get(Merchant, merchant_id)
    if merchant is None:
        raise NotFound("merchant")
    try:
        record = gateways.of(merchant).read_notification(body, signature)
    except GatewayGarbled as error:
        raise Invalid({"body": f"is signed, but no notification: {error}"}) from None
    if not (1 <= len(record.out_trade_no) <= LONGEST_NUMBER and record.out_trade_no.isprintable()):
        raise Invalid({"out_trade_no": f"must be 1 to {LONGEST_NUMBER} printable characters"})
    number = db.scalar(select(TradeNo).where(TradeNo.number == record.out_trade_no, TradeNo.merchant_id == merchant.id))
    if number is None:  # perhaps lost with a restored backup: kept, acknowledged, and somebody is told
        log.error("notification for an unknown number", extra={"merchant": merchant.id})
    try:
        said = Said(merchant.id, "notification", body, record.out_trade_no, known=number is not None)
        words.keep(db, gateways.vault, said, now)
    except IntegrityError:  # the same notice, stored by another process at this moment
        db.rollback()
    if number is not None and number.kind == "payment":
        make_number_due(db, number.owner_id, now)
    elif number is not None:
        make_refund_due(db, number.owner_id, now)
    crash_point("notice.before_commit")
    db.commit()
    crash_point("notice.committed")
