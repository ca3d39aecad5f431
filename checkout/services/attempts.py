"""One try to pay a session with one wallet: row first, call second, no transaction open during the call."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import case, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain import qr, schedule
from checkout.domain.devices import Device
from checkout.domain.errors import Invalid, SessionClosed, TooManyAttempts
from checkout.domain.ids import new_ordered_id, new_trade_no
from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus, SessionStatus
from checkout.domain.wallets import PAY_TYPES, WALLETS, PayType, offered, pay_type_for
from checkout.gateway.accounts import Gateways
from checkout.gateway.client import NUMBER_USED, Accepted, Gateway, NotSent, Outcome, PaymentOrder, Refused, Unknown
from checkout.gateway.fields import sendable
from checkout.services import calls, renewing, reviews, words
from checkout.services.budgets import Use
from checkout.services.calls import NotNow
from checkout.services.events import announce
from checkout.services.failures import reason_for
from checkout.services.terms import Terms
from checkout.services.words import Said
from checkout.store import retrying
from checkout.store.models import Attempt, CheckoutSession, Merchant
from checkout.store.moves import move_attempt, touch_session, wake_closing
from checkout.store.numbers import write_with_its_number

log = logging.getLogger(__name__)

ATTEMPTS_A_MINUTE = 3
ATTEMPTS_IN_ALL = 20


def start_attempt(  # noqa: PLR0913 - a use case names all that it touches
    db: Session,
    gateways: Gateways,
    terms: Terms,
    session_id: str,
    wallet_code: str,
    *,
    device: Device,
    clock: Callable[[], datetime],
    openid: str | None = None,
    lang: str = "",
) -> Attempt:
    """Start, or find, the one live attempt with this wallet on this kind of device.

    The wallet leads back to the language `lang`, if the shopper chose one.
    With the shopper's `openid`, learnt without a tap, it never replaces another live attempt; it is stored nowhere.

    Raises Invalid for a wallet that is not offered, SessionClosed, TooManyAttempts. What the
    gateway does is no error: the attempt's status tells it.
    """
    merchant, gateway = _gateway_for(db, gateways, session_id)
    ours = new_ordered_id("at_")
    intend = partial(_intend, db, session_id, wallet_code, device, ours=ours, now=clock(), knows_user=bool(openid))
    attempt, new = retrying.run(db, intend, finds_itself=True)
    if not new:
        return attempt
    crash_point("attempt.intended")
    order = retrying.run(db, lambda: _ordered(db, terms, merchant, attempt), finds_itself=True)
    order = replace(order, openid=openid, return_url=order.return_url + (lang and f"/{lang}"))
    outcome = _call(db, gateway, terms, order, clock)
    crash_point("attempt.answered")
    record = partial(_record, db, gateways, terms, attempt, outcome=outcome, now=clock())
    retrying.run(db, record, finds_itself=True)
    crash_point("attempt.recorded")
    return db.get_one(Attempt, attempt.id, populate_existing=True)


def _call(db: Session, gateway: Gateway, terms: Terms, order: PaymentOrder, clock: Callable[[], datetime]) -> Outcome:
    """At once, without a call, when the gateway is known to be dead: a shopper waits seconds, not for a time-out."""
    try:
        permit = partial(calls.permit, db, terms, gateway.budget_key, Use.CREATE, clock)
        retrying.run(db, permit, finds_itself=True)  # a call taken twice from the budget is only caution
    except NotNow as reason:
        return NotSent(str(reason))
    return calls.send(db, gateway, lambda: gateway.create_payment(order), clock)


def _gateway_for(db: Session, gateways: Gateways, session_id: str) -> tuple[Merchant, Gateway]:
    """Opened before anything is written: a key that cannot be opened must leave no attempt behind."""
    session = db.get_one(CheckoutSession, session_id)
    merchant = db.get_one(Merchant, session.merchant_id)
    gateway = gateways.of(merchant)
    db.commit()
    return merchant, gateway


def _intend(
    db: Session, session_id: str, wallet_code: str, device: Device, *, ours: str, now: datetime, knows_user: bool
) -> tuple[Attempt, bool]:
    """Commit the intent, under the id `ours`. The unique index on live attempts decides between two who ask at once.

    True for the one caller who is to call the gateway, also if its first COMMIT was stored and the answer lost.
    """
    _enter(db, session_id, now)
    session = db.get_one(CheckoutSession, session_id, populate_existing=True)
    merchant = db.get_one(Merchant, session.merchant_id)
    pay_type = _pay_type(db, merchant, session, wallet_code, device, knows_user=knows_user)
    seen = _attempts_of(db, session.id)
    live = _live(seen)
    if live and live.id == ours:
        db.rollback()
        return live, True
    wanted = live and (knows_user or (live.pay_type == pay_type.code and not renewing.worn(session, live, now)))
    if live and wanted and now < live.ends_at and not _fruitless(live):
        db.rollback()
        return live, False
    _refuse_floods(db, seen, now)
    # Earlier codes stay payable and stay watched; they only make room on the page. Only those that we
    # have seen: one that another click has made since is the winner, and the index says so below.
    earlier = update(Attempt).where(Attempt.id.in_([attempt.id for attempt in seen]))
    db.execute(earlier.values(superseded=True).execution_options(synchronize_session=False))
    attempt = _new_attempt(ours, merchant, session, wallet_code, pay_type=pay_type, device=device, now=now)
    try:
        write_with_its_number(db, attempt)
        _refuse_if_left(db, merchant, session_id)
        crash_point("attempt.before_intent")
        db.commit()
    except IntegrityError:  # somebody was quicker: theirs is the live one
        db.rollback()
        winner = _live(_attempts_of(db, session_id))
        db.rollback()
        if winner is None:
            raise SessionClosed(session_id) from None
        return winner, False
    return attempt, True


def _refuse_if_left(db: Session, merchant: Merchant, session_id: str) -> None:
    """If the merchant has another account since its gateway was opened: that would be asked in vain. A tap finds it."""
    account = select(Merchant.app_code, Merchant.mchid).where(Merchant.id == merchant.id)
    if tuple(db.execute(account).one()) != (merchant.app_code, merchant.mchid):
        db.rollback()
        raise SessionClosed(session_id)


def _pay_type(
    db: Session, merchant: Merchant, session: CheckoutSession, wallet_code: str, device: Device, *, knows_user: bool
) -> PayType:
    """Raises Invalid for a wallet that is not offered."""
    choices = offered(merchant.choices, currency=session.currency, amount=session.amount, narrowed=session.wallets)
    if wallet_code not in {wallet.code for wallet in choices}:
        db.rollback()
        raise Invalid({"wallet": f"must be one of {', '.join(w.code for w in choices)}"})
    return pay_type_for(WALLETS[wallet_code], device, merchant.options.get("pay_types", ()), knows_user=knows_user)


def _enter(db: Session, session_id: str, now: datetime) -> None:
    """Take the session for this unit, if it may still be paid; who ends it meanwhile waits, or was first.

    Raises SessionClosed, also while a person has to look: money may have moved already.
    """
    entered = db.execute(
        update(CheckoutSession)
        .where(
            CheckoutSession.id == session_id,
            CheckoutSession.status == SessionStatus.OPEN,
            CheckoutSession.expires_at > now,
            CheckoutSession.review.is_(None),
        )
        .values(version=CheckoutSession.version + 1)
        .returning(CheckoutSession.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if entered is None:
        db.rollback()
        raise SessionClosed(session_id)


def _attempts_of(db: Session, session_id: str) -> Sequence[Attempt]:
    query = select(Attempt).where(Attempt.session_id == session_id).execution_options(populate_existing=True)
    return db.scalars(query).all()


def _live(attempts: Sequence[Attempt]) -> Attempt | None:
    return next((one for one in attempts if not one.superseded and one.status in LIVE_ATTEMPT), None)


def _fruitless(live: Attempt) -> bool:
    """No code came of it, and an enquiry has been answered since: a new number does no harm, the old one is watched."""
    return live.status is AttemptStatus.UNKNOWN and live.target is None and live.answered_at is not None


def _refuse_floods(db: Session, attempts: Sequence[Attempt], now: datetime) -> None:
    recent = sorted(one.created_at for one in attempts if one.created_at > now - timedelta(minutes=1))
    if len(attempts) >= ATTEMPTS_IN_ALL:
        db.rollback()
        raise TooManyAttempts("this checkout has been tried too often; ask the shop for a new one", 3600)
    if len(recent) >= ATTEMPTS_A_MINUTE:
        wait = recent[-ATTEMPTS_A_MINUTE] + timedelta(minutes=1) - now
        db.rollback()
        raise TooManyAttempts("too many tries in a minute", max(math.ceil(wait.total_seconds()), 1))


def _new_attempt(
    attempt_id: str,
    merchant: Merchant,
    session: CheckoutSession,
    wallet_code: str,
    *,
    pay_type: PayType,
    device: Device,
    now: datetime,
) -> Attempt:
    minutes = renewing.code_minutes(merchant, session, now)
    return Attempt(
        id=attempt_id,
        session_id=session.id,
        merchant_id=merchant.id,
        wallet=wallet_code,
        pay_type=pay_type.code,
        on_phone=device in (Device.MOBILE, Device.IN_WALLET),
        out_trade_no=new_trade_no(),
        status=AttemptStatus.CREATED,
        created_at=now,
        code_minutes=minutes,
        ends_at=schedule.code_ends_at(now, minutes=minutes, obeyed=pay_type.obeys_expired_time),
        next_at=now + schedule.CLAIM_LEASE,  # if we die during the call, the worker asks from here
    )


def _ordered(db: Session, terms: Terms, merchant: Merchant, attempt: Attempt) -> PaymentOrder:
    order = _order(terms, merchant, db.get_one(CheckoutSession, attempt.session_id), attempt)
    db.commit()  # nothing stays open while we call, and what was read stays readable
    return order


def _order(terms: Terms, merchant: Merchant, session: CheckoutSession, attempt: Attempt) -> PaymentOrder:
    takes_limit = merchant.options.get("limit_pay") or session.limit_pay
    return PaymentOrder(
        out_trade_no=attempt.out_trade_no,
        pay_type=attempt.pay_type,
        amount=session.amount,
        currency=session.currency,
        created_at=attempt.created_at,
        minutes=attempt.code_minutes,
        goods_name=sendable(session.description, *(item["name"] for item in session.items), merchant.name),
        return_url=f"{terms.page_of(session.id)}/return",
        notify_url=f"{terms.public_url}/notify/{merchant.id}",
        limit_pay=takes_limit,
        udid=session.udid or merchant.options.get("udid"),
    )


def _record(
    db: Session, gateways: Gateways, terms: Terms, attempt: Attempt, *, outcome: Outcome, now: datetime
) -> None:
    """Commit what became of the call. A success that overtook the answer stays: the table absorbs it."""
    # Drawn before the first write, which locks SQLite; on phones too, for whoever has the wallet on another one.
    scannable = not PAY_TYPES[attempt.pay_type].needs_openid
    code = qr.draw(outcome.target) if isinstance(outcome, Accepted) and scannable else None
    touch_session(db, attempt.session_id)  # first: it locks the session, and events carry the new version
    match outcome:
        case Accepted(syssn=syssn, target=target, raw=raw):
            words.keep(db, gateways.vault, Said(attempt.merchant_id, "payment", raw, attempt.out_trade_no), now)
            db.execute(
                update(Attempt)
                .where(Attempt.id == attempt.id)
                .values(target=target, syssn=syssn, qr_svg=code and code.svg, qr_modules=code and code.modules)
            )
            crash_point("attempt.before_commit")
            move_attempt(db, attempt.id, AttemptStatus.PENDING, next_at=now + schedule.FIRST)
        case Refused(code=error_code, raw=raw):
            words.keep(db, gateways.vault, Said(attempt.merchant_id, "payment", raw, attempt.out_trade_no), now)
            _fail(db, terms, attempt, reason_for(error_code), code=error_code, now=now)
        case NotSent(reason=reason):
            log.warning("payment not sent: %s", reason, extra={"attempt": attempt.id})
            _fail(db, terms, attempt, "unavailable", code=None, now=now)
        case Unknown(reason=reason, raw=raw, code=said, suspicious=suspicious):
            log.warning("outcome unknown: %s", reason, extra={"attempt": attempt.id})
            if raw:
                words.keep(db, gateways.vault, Said(attempt.merchant_id, "payment", raw, attempt.out_trade_no), now)
            if said in NUMBER_USED:  # a person is called if no enquiry ever finds what it was used for
                unheard = update(Attempt).where(Attempt.id == attempt.id, Attempt.failure.is_(None))
                db.execute(unheard.values(failure_code=said))
            move_attempt(db, attempt.id, AttemptStatus.UNKNOWN, next_at=now + schedule.FIRST)
            if suspicious:
                reviews.open_review(db, terms, attempt.session_id, "answer_mismatch", now)
    db.commit()


def _fail(db: Session, terms: Terms, attempt: Attempt, failure: str, *, code: str | None, now: datetime) -> None:
    """Nobody can pay this attempt: no code was ever shown, so there is nothing to watch.

    Unless this answer comes after an enquiry was answered: then the gateway knows more than this call, and is asked on.
    """
    next_at = case((Attempt.answered_at.is_not(None), Attempt.next_at), else_=None)
    if move_attempt(db, attempt.id, AttemptStatus.FAILED, failure=failure, failure_code=code, next_at=next_at):
        announce(db, terms, attempt.session_id, "attempt.failed", now, about=attempt.id)
        wake_closing(db, attempt.session_id, now)
