"""Payments: the list that answers "where is order 1234?", and one payment's whole story with what may be done."""

import json
import secrets
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length, NumberRange

from checkout.domain.errors import KeyReused, PreconditionFailed, Refused, TooManyAttempts, TooMuch
from checkout.domain.lifecycle import SessionStatus
from checkout.domain.money import to_text
from checkout.domain.orders import MAX_AMOUNT, RefundWish
from checkout.domain.roles import May
from checkout.domain.text import has_controls
from checkout.services import people, refunds, sessions, stories
from checkout.store import office_queries
from checkout.store.models import CheckoutSession
from checkout.store.office_queries import STATUSES
from checkout.web import listing as cursors
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.searches import day_of, read_wanted, typed_amount
from checkout.web.context import db, now, parts, reading_db
from checkout.web.forms import WholeNumber

bp = Blueprint("payments", __name__, url_prefix="/<shop_id>/payments")

ROWS = 50
LONGEST_REASON = 500


class RefundForm(ProofForm):
    """`amount` as people write it; `left` is what the page said was left; `key` makes two clicks one refund."""

    amount = StringField(validators=[InputRequired(), Length(max=20)])
    left = WholeNumber(validators=[InputRequired(), NumberRange(min=0, max=MAX_AMOUNT)])
    key = StringField(validators=[InputRequired(), Length(min=16, max=64)])
    reason = StringField(validators=[Length(max=LONGEST_REASON)])


@bp.get("")
@needs(May.SEE)
def listing() -> ResponseReturnValue:
    wanted = read_wanted(guard.shop().id)
    found, more = office_queries.sessions(reading_db(), wanted, ROWS)
    wallets, returned = office_queries.wallets_and_refunds(reading_db(), [session.id for session in found])
    asked = {name: request.args.get(name, "") for name in ("q", "status", "from", "to")}
    last = found[-1] if found and more else None
    return page(
        "office/payments.html",
        found=found,
        wallets=wallets,
        returned=returned,
        asked=asked | {name: asked[name] if day_of(asked[name]) else "" for name in ("from", "to")},
        statuses=tuple(STATUSES),
        next_cursor=cursors.cursor_of((last.created_at, last.id)) if last else None,
        first=wanted.after is None,
    )


@bp.get("/<session_id>")
@needs(May.SEE)
def show(session_id: str) -> ResponseReturnValue:
    """The whole story. Reads our books only."""
    return story_page(_session(session_id))


@bp.post("/<session_id>/refunds")
@needs(May.REFUND)
def refund(session_id: str) -> ResponseReturnValue:
    session, form = _session(session_id), RefundForm()
    problem = _problem_with(form, session)
    try:
        if not problem and not guard.proves_now(form.proof.data or ""):
            return story_page(session, 403, problem="proof", typed=form.data)
    except TooManyAttempts:
        return story_page(session, 429, problem="too_many", typed=form.data)
    problem = problem or _refund(session, form)
    if problem:
        return story_page(session, 422, problem=problem, typed=form.data)
    flash("refunded")
    return redirect(url_for(".show", shop_id=guard.shop().id, session_id=session_id), 303)


def _problem_with(form: RefundForm, session: CheckoutSession) -> str:
    if not form.validate_on_submit() or has_controls(form.reason.data or ""):
        return "amount"
    try:
        typed_amount(form.amount.data, session.currency)
    except ValueError:
        return "amount"
    return ""


def _refund(session: CheckoutSession, form: RefundForm) -> str:
    """Ask for it under the key that was made into the form. The name of what is wrong, or nothing."""
    wish = RefundWish(
        amount=typed_amount(form.amount.data, session.currency),
        amount_left=form.left.data,
        reason=form.reason.data or "",
    )
    key, actor = f"office:{form.key.data}", guard.visitor().actor
    try:
        refunds.request_refund(db(), guard.shop().merchant, session, wish, key=key, now=now(), actor=actor)
    except PreconditionFailed:
        return "changed"
    except TooMuch:
        return "too_much"
    except KeyReused:
        return "used"
    except Refused:
        return "refused"
    return ""


@bp.post("/<session_id>/cancel")
@needs(May.CANCEL)
def cancel(session_id: str) -> ResponseReturnValue:
    """Safe when the shopper has just paid: then it stays paid, and the page says so."""
    session = _session(session_id)
    sessions.cancel_session(db(), parts().terms, session.id, now(), actor=guard.visitor().actor)
    flash("cancelled")
    return redirect(url_for(".show", shop_id=guard.shop().id, session_id=session_id), 303)


def _session(session_id: str) -> CheckoutSession:
    """Raises NotFound, for another shop's too."""
    return sessions.session_of(db(), guard.shop().merchant, session_id)


def story_page(
    session: CheckoutSession, status: int = 200, *, problem: str = "", typed: dict[str, Any] | None = None
) -> ResponseReturnValue:
    db().rollback()
    session = sessions.session_of(reading_db(), guard.shop().merchant, session.id)
    story = stories.story_of(reading_db(), parts().vault, session)
    left = to_text(story.left, session.currency) if story.left else ""
    return page(
        "office/story.html",
        status=status,
        story=story,
        one=session,
        problem=problem,
        typed={"amount": left, "reason": ""} | ({} if typed is None else typed),
        key=secrets.token_urlsafe(24),
        may_cancel=session.status is SessionStatus.OPEN,
        address=parts().terms.page_of(session.id),
        names={f"person/{person.id}": person.email for person, _ in people.people_of(reading_db(), guard.shop().id)},
        details=json.dumps(session.details, ensure_ascii=False, indent=2) if session.details else "",
    )
