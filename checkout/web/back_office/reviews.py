"""The queue of what a person must look at, and the three things that they may decide."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Refused, TooManyAttempts
from checkout.domain.roles import May
from checkout.services import reviews, sessions, stories
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.payments import LONGEST_REASON
from checkout.web.context import db, now, parts, reading_db

bp = Blueprint("reviews", __name__, url_prefix="/<shop_id>/reviews")

Decision = Callable[..., Any]


class DecisionForm(ProofForm):
    reason = StringField(validators=[InputRequired(), Length(max=LONGEST_REASON)])


@bp.get("")
@needs(May.SEE)
def listing() -> ResponseReturnValue:
    """The longest waiting first."""
    return page("office/reviews.html", found=reviews.open_reviews(reading_db(), guard.shop().id))


@bp.get("/<session_id>")
@needs(May.REVIEW)
def show(session_id: str) -> ResponseReturnValue:
    """What moved, and what each decision would do, in words."""
    return _show(session_id)


@bp.post("/<session_id>/close")
@needs(May.REVIEW)
def close(session_id: str) -> ResponseReturnValue:
    return _decide(session_id, reviews.close_review)


@bp.post("/<session_id>/refund")
@needs(May.REVIEW)
def refund(session_id: str) -> ResponseReturnValue:
    return _decide(session_id, reviews.give_back_what_is_held)


@bp.post("/<session_id>/accept")
@needs(May.REVIEW)
def accept(session_id: str) -> ResponseReturnValue:
    return _decide(session_id, reviews.accept_late_money)


def _decide(session_id: str, decision: Decision) -> ResponseReturnValue:
    form, here = DecisionForm(), guard.visitor()
    session = sessions.session_of(db(), guard.shop().merchant, session_id)
    show_again = partial(_show, session.id, typed=form.reason.data or "")
    reason = (form.reason.data or "").strip()
    if not form.validate_on_submit() or not reason or not reason.isprintable():
        return show_again(422, problem="reason")
    try:
        if not guard.proves_now(form.proof.data or ""):
            return show_again(403, problem="proof")
    except TooManyAttempts:
        return show_again(429, problem="too_many")
    db().rollback()
    try:
        decision(db(), parts().terms, session.id, reason=reason, now=now(), actor=here.actor)
    except Refused:
        db().rollback()
        return show_again(409, problem="decided")
    flash("decided")
    return redirect(url_for("office.payments.show", shop_id=guard.shop().id, session_id=session.id), 303)


def _show(session_id: str, status: int = 200, *, problem: str = "", typed: str = "") -> ResponseReturnValue:
    session = sessions.session_of(reading_db(), guard.shop().merchant, session_id)
    story = stories.story_of(reading_db(), parts().vault, session)
    return page("office/review.html", status=status, story=story, one=session, problem=problem, typed=typed)
