"""One's own account: the second factor, the password, the browsers in which one is signed in."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import PasswordField, StringField
from wtforms.validators import Length

from checkout.domain import qr
from checkout.domain.errors import Invalid
from checkout.services import passkeys, people, second_factor, sign_ins
from checkout.web.back_office import guard
from checkout.web.back_office.guard import Open, needs
from checkout.web.back_office.look import page
from checkout.web.back_office.signing_in import CodeForm
from checkout.web.context import db, now, parts, reading_db
from checkout.web.forms import Form

bp = Blueprint("account", __name__, url_prefix="/me")


class ProofForm(Form):
    """`proof` is the password or a code of the app, asked for when the last one is too long ago."""

    proof = StringField(validators=[Length(max=200)])


class EnrolForm(CodeForm, ProofForm):
    pass


class ChangePasswordForm(ProofForm):
    password = PasswordField(validators=[Length(max=500)])


@bp.get("")
@needs(Open.SIGNED_IN)
def show() -> ResponseReturnValue:
    return account_page()


def account_page(status: int = 200, problem: str = "", about: str = "") -> ResponseReturnValue:
    here = guard.visitor()
    return page(
        "office/account.html",
        status=status,
        open_ones=sign_ins.open_ones(reading_db(), here.person, now()),
        codes_left=second_factor.recovery_codes_left(reading_db(), here.person),
        own_passkeys=passkeys.of(reading_db(), here.person),
        problem=problem,
        about=about,
    )


@bp.post("/password")
@needs(Open.ENROLLING)
def change_password() -> ResponseReturnValue:
    """Signs out everywhere, and in again here."""
    form, here = ChangePasswordForm(), guard.visitor()
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return account_page(403, "proof", "password")
    try:
        people.change_password(db(), here.person, form.password.data or "", now())
    except Invalid as error:
        return account_page(422, error.errors["password"], "password")
    guard.let_out()
    return redirect(url_for("office.signing_in.show"), 303)


@bp.get("/second-factor", endpoint="second_factor")
@needs(Open.ENROLLING)
def second_factor_show() -> ResponseReturnValue:
    if guard.visitor().person.has_second_factor:
        return redirect(url_for("office.account.show"), 303)
    return _enrolment("")


@bp.post("/second-factor/start")
@needs(Open.ENROLLING)
def start() -> ResponseReturnValue:
    """Makes a secret, so that the page which shows it changes nothing.

    A code of the app is a proof later on, so whoever adds one shows who they are first.
    """
    form = ProofForm()
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _enrolment("proof", 403)
    second_factor.new_secret(db(), parts().vault, guard.visitor().person)
    return redirect(url_for("office.account.second_factor"), 303)


@bp.post("/second-factor")
@needs(Open.ENROLLING)
def enrol() -> ResponseReturnValue:
    form, here = EnrolForm(), guard.visitor()
    if not form.validate_on_submit():
        return _enrolment("wrong", 422)
    if not guard.proves_now(form.proof.data or ""):
        return _enrolment("proof", 403)
    codes = second_factor.enrol(db(), parts().vault, here.person, form.code.data, now())
    if not codes:
        return _enrolment("wrong", 422)
    return page("office/recovery_codes.html", codes=codes)


@bp.post("/second-factor/remove")
@needs(Open.SIGNED_IN)
def remove() -> ResponseReturnValue:
    form = ProofForm()
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return account_page(403, "proof", "second_factor")
    second_factor.remove(db(), guard.visitor().person, now())
    return redirect(url_for("office.account.second_factor"), 303)


def _enrolment(problem: str, status: int = 200) -> ResponseReturnValue:
    """The secret itself stands there only for somebody who has shown just now who they are."""
    here, person = guard.visitor(), guard.visitor().person
    secret = second_factor.secret_of(parts().vault, person) if here.proven(now()) else None
    drawn = qr.draw(second_factor.address_of(secret, person)).svg if secret else ""
    return page(
        "office/second_factor.html",
        status=status,
        begun=person.totp_sealed is not None,
        secret=secret,
        drawn=Markup(drawn),  # noqa: S704 - our own drawing
        problem=problem,
        optional=not parts().config.production,
    )
