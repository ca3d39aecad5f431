"""Arriving by an invitation: a link that works once, and a password of one's own."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, NotFound
from checkout.services import people, sign_ins
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
    person = people.invited_by(reading_db(), token, now())
    if person is None:
        return page("office/invitation_over.html", status=404)
    return page("office/invitation.html", person=person, problem="")


@bp.post("/invitation/<token>")
@needs(Open.ANYBODY)
def accept(token: str) -> ResponseReturnValue:
    form = NewPasswordForm()
    if people.invited_by(reading_db(), token, now()) is None:
        return page("office/invitation_over.html", status=404)
    try:
        person = people.accept_invitation(db(), token, form.password.data or "", now())
    except NotFound:
        return page("office/invitation_over.html", status=404)
    except Invalid as error:
        invited = people.invited_by(reading_db(), token, now())
        return page("office/invitation.html", status=422, person=invited, problem=error.errors["password"])
    here, secret = sign_ins.open_for(db(), person, guard.browser(), now())
    guard.let_in(here, secret)
    if not here.complete:
        return redirect(url_for("office.signing_in.code"), 303)
    return redirect(url_for("office.account.second_factor"), 303)
