"""What the gateway's words make of a refund: its answer to a sending, and its records when it is asked."""

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain import refunding
from checkout.domain.lifecycle import REFUND_IN_FLIGHT, RefundStatus
from checkout.gateway.client import (
    Enquiry,
    NotSent,
    Refunded,
    RefundOutcome,
    Refused,
    Says,
    Unknown,
)
from checkout.gateway.codes import NUMBER_USED, Class, look_up
from checkout.services import portal_refunds, reviews, words
from checkout.services.enquiries import Asking
from checkout.services.events import announce
from checkout.services.refunds import book_done_refund, give_back
from checkout.services.words import Said
from checkout.store.models import Refund
from checkout.store.moves import lock_session, move_refund, touch_session

log = logging.getLogger(__name__)

DONE = "0000"
# Either may be so because this very refund was made: only the gateway's records end one that has met them.
MAY_BE_OURS = refunding.NOTHING_LEFT | NUMBER_USED
# The `failure_code` of a refund that is sent, or may be: an older refusal says nothing about that sending any more.
OF_A_NEW_SENDING = case((Refund.failure_code.in_(MAY_BE_OURS), Refund.failure_code))


def record(db: Session, asking: Asking, refund: Refund, outcome: RefundOutcome, *, sent_at: datetime) -> None:
    now = asking.clock()
    lock_session(db, refund.session_id)
    db.refresh(refund, with_for_update=True)
    if refund.sent_at != sent_at and not isinstance(outcome, Refunded):
        # We slept past our lease, and it has been sent again since: only what became of that says how it ended.
        log.warning("a refund's answer came too late to count", extra={"refund": refund.id})
        db.rollback()
        return
    match outcome:
        case Refunded(syssn=syssn, raw=raw):
            _keep(db, asking, refund, raw, now)
            book_done_refund(db, asking.terms, refund, syssn, now)
        case Refused(code=code, meaning=meaning, raw=raw) if refunding.may_be_there(code, meaning.klass):
            _keep(db, asking, refund, raw, now)
            log.warning("refund put off by the gateway: %s", code, extra={"refund": refund.id})
            move_refund(db, refund.id, RefundStatus.UNKNOWN, next_at=now + refunding.BETWEEN, **_heard(code))
        case Refused(code=code, raw=raw) if refund.tries > 1 and not refunding.waits_until(code, now, refund.tries):
            # It says that this sending came to nothing, not that those before it did.
            _keep(db, asking, refund, raw, now)
            log.warning("refund refused when it was sent again: %s", code, extra={"refund": refund.id})
            move_refund(db, refund.id, RefundStatus.UNKNOWN, next_at=now + refunding.BETWEEN, **_heard(code))
        case Refused(code=code, raw=raw):
            _keep(db, asking, refund, raw, now)
            _refused(db, asking, refund, code, now)
        case NotSent(reason=reason):
            log.warning("refund not sent: %s", reason, extra={"refund": refund.id})
            if refund.tries == 1:
                _call_after_a_day(db, asking, refund, since=refund.created_at, now=now, because="refund_unsent")
            again = refunding.after_no_answer(now, since=refund.created_at)
            move_refund(db, refund.id, RefundStatus.RESERVED, next_at=again, tries=Refund.tries - 1)
        case Unknown(reason=reason, raw=raw, code=said):
            log.warning("refund outcome unknown: %s", reason, extra={"refund": refund.id})
            if raw:
                _keep(db, asking, refund, raw, now)
            heard = _heard(said) if look_up(said).klass is Class.STATE or said in MAY_BE_OURS else {}
            move_refund(db, refund.id, RefundStatus.UNKNOWN, next_at=now + refunding.BETWEEN, **heard)
    crash_point("refund.before_result")
    db.commit()
    crash_point("refund.recorded")


def _heard(code: str) -> dict[str, Any]:
    """What is kept of a refusal: the last one, but none takes the place of one that may be because of this refund."""
    return {"failure_code": case((Refund.failure_code.in_(MAY_BE_OURS), Refund.failure_code), else_=code)}


def _refused(db: Session, asking: Asking, refund: Refund, code: str, now: datetime) -> None:
    if until := refunding.waits_until(code, now, refund.tries):
        log.info("refund waits: %s", code, extra={"refund": refund.id})
        move_refund(db, refund.id, RefundStatus.RESERVED, next_at=until, failure_code=code)
        touch_session(db, refund.session_id)
    else:
        _fail(db, asking, refund, code, now)


def _fail(
    db: Session, asking: Asking, refund: Refund, code: str, now: datetime, *, went_back_otherwise: bool = False
) -> None:
    if not move_refund(db, refund.id, RefundStatus.FAILED, next_at=None, failure_code=code):
        return
    give_back(db, refund)
    touch_session(db, refund.session_id)
    announce(db, asking.terms, refund.session_id, "refund.failed", now, about=refund.id)
    # Nobody asked for it, a week had too little takings, or the ledgers disagree: a person must look.
    if not went_back_otherwise and (refund.cause != "merchant" or code in {"1269", "1272"}):
        reviews.open_review(db, asking.terms, refund.session_id, f"refund_{refund.cause}", now)


def hear(db: Session, asking: Asking, refund: Refund, answers: list[Enquiry], now: datetime) -> None:
    sent_at = refund.sent_at
    lock_session(db, refund.session_id)
    db.refresh(refund)
    records = [record for answer in answers for record in answer.records]
    ours = [record for record in records if record.kind == "refund" and record.amount == refund.amount]
    overtaken_in_the_portal = not ours and portal_refunds.left_nothing_for(db, refund)
    if ours or overtaken_in_the_portal:  # every byte that decides something is kept (safety.md I26)
        _keep(db, asking, refund, b"\n".join(answer.raw for answer in answers), now)
    overtaken = refund.sent_at != sent_at or refund.status not in REFUND_IN_FLIGHT
    if overtaken and not any(record.code == DONE for record in ours):
        db.rollback()  # we slept past our lease, and more has happened since: this says nothing about that
        return
    if done := next((record for record in ours if record.code == DONE), None):
        book_done_refund(db, asking.terms, refund, done.syssn, now)
    elif ours and all(record.says in (Says.FAILED, Says.CLOSED) for record in ours):
        _fail(db, asking, refund, ours[0].code, now)
    elif ours:
        again = refunding.after_no_answer(now, since=refund.created_at)
        wait(db, asking, refund, again, now, missing_since=None)
    elif overtaken_in_the_portal:
        _fail(db, asking, refund, refund.failure_code or "", now, went_back_otherwise=True)
        portal_refunds.book_what_exceeded(db, asking.terms, refund.payment_id, now)
    elif any(record.kind == "refund" and record.code == DONE for record in records):
        # Under our number another amount went back: sent again it would be refused, and never settled by itself.
        _keep(db, asking, refund, b"\n".join(answer.raw for answer in answers), now)
        reviews.open_review(db, asking.terms, refund.session_id, "refund_unknown", now)
        later(db, refund, now + timedelta(days=1), missing_since=None)
    else:
        _missing(db, asking, refund, now)
    crash_point("refund.before_heard")
    db.commit()


def _missing(db: Session, asking: Asking, refund: Refund, now: datetime) -> None:
    """Two enquiries, minutes apart, did not find it: only then may the same number be sent again."""
    code = refund.failure_code or ""
    if refund.missing_since is None:
        later(db, refund, now + refunding.NOT_FOUND_FOR, missing_since=now)
    elif now < refund.missing_since + refunding.NOT_FOUND_FOR:  # a notification had us ask sooner
        later(db, refund, refund.missing_since + refunding.NOT_FOUND_FOR)
    elif code not in MAY_BE_OURS and refunding.was_refused(code, look_up(code).klass, refund.tries):
        _fail(db, asking, refund, code, now)
    elif refund.tries >= refunding.MOST_TRIES:
        reviews.open_review(db, asking.terms, refund.session_id, "refund_unknown", now)
        later(db, refund, now + timedelta(days=1))
    else:
        move_refund(db, refund.id, RefundStatus.RESERVED, next_at=now)


def wait(
    db: Session, asking: Asking, refund: Refund, next_at: datetime, now: datetime, **values: datetime | None
) -> None:
    """As `later`; and when nobody has known for a day what became of it, or it was never sent, a person is told."""
    seen = refund.status
    lock_session(db, refund.session_id)
    db.refresh(refund)
    if refund.status is not seen:
        return
    if seen in REFUND_IN_FLIGHT:
        _call_after_a_day(db, asking, refund, since=refund.sent_at or refund.created_at, now=now)
    elif not refund.tries:
        _call_after_a_day(db, asking, refund, since=refund.created_at, now=now, because="refund_unsent")
    later(db, refund, next_at, **values)


def _call_after_a_day(
    db: Session, asking: Asking, refund: Refund, *, since: datetime, now: datetime, because: str = "refund_unknown"
) -> None:
    if now - since >= refunding.PATIENCE:
        reviews.open_review_once(db, asking.terms, refund.session_id, because, now, since=refund.created_at)


def later(db: Session, refund: Refund, next_at: datetime, **values: datetime | None) -> None:
    """Look at it again then; but only if it still stands as we read it: who slept past a lease stirs nothing up."""
    unchanged = update(Refund).where(Refund.id == refund.id, Refund.status == refund.status)
    db.execute(unchanged.values(next_at=next_at, **values).execution_options(synchronize_session=False))


def _keep(db: Session, asking: Asking, refund: Refund, raw: bytes, now: datetime) -> None:
    words.keep(db, asking.gateways.vault, Said(refund.merchant_id, "refund", raw, refund.out_trade_no), now)
