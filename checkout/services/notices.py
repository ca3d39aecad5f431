"""Notifications of the gateway: stored before they are acknowledged, and only a reason to ask sooner."""

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import GatewayGarbled, Invalid, KeyUnavailable, NotFound
from checkout.domain.vault import CannotOpen
from checkout.gateway.accounts import Gateways
from checkout.gateway.client import Record, Says
from checkout.services import reviews, words
from checkout.services.terms import Terms
from checkout.services.watching import make_number_due, make_refund_due
from checkout.services.words import Said
from checkout.store import retrying
from checkout.store.models import Attempt, CheckoutSession, Merchant, Refund, TradeNo
from checkout.store.moves import lock_session

log = logging.getLogger(__name__)

LONGEST_NUMBER = 128


def receive(
    db: Session,
    gateways: Gateways,
    terms: Terms,
    merchant_id: str,
    body: bytes,
    *,
    signature: str | None,
    now: datetime,
) -> None:
    """Verify, store, make an enquiry due, commit. A browser proves nothing, and alone neither does this.

    Raises NotFound for an address that we never gave out, NotAuthentic, Invalid for signed rubbish, and KeyUnavailable
    while nobody can tell whether it is signed.
    """
    merchant = db.get(Merchant, merchant_id)
    if merchant is None:
        raise NotFound("merchant")
    try:
        record = gateways.of(merchant).read_notification(body, signature)
    except CannotOpen:  # SECRET_KEY was changed; the gateway sends it again
        log.exception("the client key cannot be opened", extra={"merchant": merchant_id})
        raise KeyUnavailable("The signature cannot be checked at the moment; send this again.") from None
    except GatewayGarbled as error:
        raise Invalid({"body": f"is signed, but no notification: {error}"}) from None
    if not (1 <= len(record.out_trade_no) <= LONGEST_NUMBER and record.out_trade_no.isprintable()):
        raise Invalid({"out_trade_no": f"must be 1 to {LONGEST_NUMBER} printable characters"})
    said = Said(merchant_id, "notification", body, record.out_trade_no)
    retrying.run(db, lambda: _store(db, gateways, terms, said, record=record, now=now), finds_itself=True)
    crash_point("notice.committed")


def _store(db: Session, gateways: Gateways, terms: Terms, said: Said, *, record: Record, now: datetime) -> None:
    """The digest of its bytes is the key by which it is found again, whoever stored it."""
    number = db.scalar(
        select(TradeNo).where(TradeNo.number == record.out_trade_no, TradeNo.merchant_id == said.merchant_id)
    )
    if number is not None and number.kind == "lost":
        number = None
    if number is None:  # not ours, or forgotten by a restored backup: kept, acknowledged, and somebody is told
        log.error("notification for an unknown number", extra={"merchant": said.merchant_id})
    if number is not None:
        _lock_its_session(db, number)
    try:
        words.keep(db, gateways.vault, replace(said, known=number is not None), now)
    except IntegrityError:  # the same notice, stored by another process at this moment
        db.rollback()
    if number is not None and number.kind == "payment":
        make_number_due(db, number.owner_id, now)
        _flag_a_mismatch(db, terms, number.owner_id, record, now)
    elif number is not None:
        make_refund_due(db, number.owner_id, now)
    crash_point("notice.before_commit")
    db.commit()


def _lock_its_session(db: Session, number: TradeNo) -> None:
    """Before its attempt or refund, as everybody does: two who hear the same news never wait for each other."""
    owner = Attempt if number.kind == "payment" else Refund
    lock_session(db, db.scalars(select(owner.session_id).where(owner.id == number.owner_id)).one())


def _flag_a_mismatch(db: Session, terms: Terms, attempt_id: str, record: Record, now: datetime) -> None:
    """Genuine, and about something else than we asked for: it never pays, and a person must look (safety.md F24)."""
    if record.kind != "payment" or record.says is not Says.SUCCEEDED:
        return
    attempt = db.get_one(Attempt, attempt_id)
    session = db.get_one(CheckoutSession, attempt.session_id)
    said = ((record.amount, session.amount), (record.currency, session.currency), (record.pay_type, attempt.pay_type))
    if any(theirs and theirs != ours for theirs, ours in said):  # what it leaves out it does not deny
        reviews.open_review(db, terms, attempt.session_id, "notice_mismatch", now)
