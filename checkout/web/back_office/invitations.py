"""Arriving by an invitation: a link that works once, and a password of one's own or the account that one has."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.services import invitations, people, sign_ins
from checkout.services.invitations import Offer
from checkout.web.back_office import guard
from checkout.web.back_office.guard import Open, needs
from checkout.web.back_office.look import page
from checkout.web.context import db, now, reading_db
from checkout.web.forms import Form

bp = Blueprint("invitations", __name__)


class NewPasswordForm(Form):
    password = PasswordField(validators=[InputRequired(), Length(max=500)])


@bp.get("/invitation/<token>")
@needs(Open.ANYBODY)
def show(token: str) -> ResponseReturnValue:
    return _page(token)


@bp.post("/invitation/<token>")
@needs(Open.ANYBODY)
def arrive(token: str) -> ResponseReturnValue:
    """With a password that is chosen here: the first one or, by a link that is for it, another one."""
    offer = invitations.offered(reading_db(), token, now())
    if offer is None or _is_somebody_elses(offer):
        return _page(token, 409)
    try:
        person = people.accept_invitation(db(), token, NewPasswordForm().password.data or "", now())
    except (NotFound, Refused):
        return _page(token, 409)
    except Invalid as error:
        return _page(token, 422, error.errors["password"])
    here, secret = sign_ins.open_for(db(), person, guard.browser(), now())
    guard.let_in(here, secret)
    if not here.complete:
        return redirect(url_for("office.signing_in.code"), 303)
    return redirect(url_for("office.account.second_factor"), 303)


@bp.post("/invitation/<token>/accept")
@needs(Open.ENROLLING)
def accept(token: str) -> ResponseReturnValue:
    """With the account that one is signed in to."""
    try:
        merchant = invitations.accept(db(), token, guard.visitor().person, now())
    except (NotFound, Refused):
        return _page(token, 409)
    flash("joined")
    return redirect(url_for("office.payments.listing", shop_id=merchant.id), 303)


def _page(token: str, status: int = 200, problem: str = "") -> ResponseReturnValue:
    """What the link offers to whoever looks at it, as things stand now."""
    guard.look_again()
    offer = invitations.offered(reading_db(), token, now())
    if offer is None:
        return page("office/invitation_over.html", status=404)
    form = offer.sets_password and not _is_somebody_elses(offer)
    template = "office/invitation.html" if form else "office/invitation_known.html"
    return page(template, status=status, offer=offer, token=token, problem=problem)


def _is_somebody_elses(offer: Offer) -> bool:
    here = guard.visitor_or_none()
    return here is not None and here.complete and here.person.id != offer.person.id
