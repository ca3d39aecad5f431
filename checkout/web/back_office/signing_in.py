"""Signing in, with a password and a second factor or with a passkey, and signing out."""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, TooManyAttempts
from checkout.services import passkeys, people, sign_ins
from checkout.services.denials import Denied
from checkout.web.back_office import asking, guard
from checkout.web.back_office.guard import Open, needs
from checkout.web.back_office.look import page
from checkout.web.context import db, now, parts, reading_db
from checkout.web.forms import Form

bp = Blueprint("signing_in", __name__)


class PasswordForm(Form):
    email = StringField(validators=[InputRequired(), Length(max=254)])
    password = PasswordField(validators=[InputRequired(), Length(max=200)])


class CodeForm(Form):
    code = StringField(validators=[InputRequired(), Length(max=20)])


class PasskeyForm(Form):
    """`credential` is what the authenticator answered, as JSON."""

    credential = StringField(validators=[InputRequired(), Length(max=4000)])


@bp.get("", strict_slashes=False)
@needs(Open.SIGNED_IN)
def home() -> ResponseReturnValue:
    """The first shop's payments."""
    shops = people.shops_of(reading_db(), guard.visitor().person)
    if not shops:
        return page("office/no_shop.html")
    return redirect(url_for("office.payments.listing", shop_id=shops[0][0].id), 303)


@bp.get("/sign-in")
@needs(Open.ANYBODY)
def show() -> ResponseReturnValue:
    here = guard.visitor_or_none()
    if here and here.complete:
        return redirect(url_for("office.signing_in.home"), 303)
    return page("office/sign_in.html", email="", problem="", next=_next())


@bp.post("/sign-in")
@needs(Open.ANYBODY)
def sign_in() -> ResponseReturnValue:
    form = PasswordForm()
    try:
        let = form.validate_on_submit() and sign_ins.by_password(
            db(), form.email.data, form.password.data, guard.browser(), now()
        )
    except TooManyAttempts as error:
        guard.deny(Denied.PASSWORD, email=form.email.data)
        return _too_many("office/sign_in.html", error, email=form.email.data, next=_next())
    if not let:
        guard.deny(Denied.PASSWORD, email=form.email.data or "")
        return page("office/sign_in.html", status=422, email=form.email.data or "", problem="wrong", next=_next())
    guard.let_in(*let)
    if not let[0].complete:
        return redirect(url_for("office.signing_in.code", next=_next() or None), 303)
    return redirect(_next() or url_for("office.signing_in.home"), 303)


@bp.get("/sign-in/code")
@needs(Open.HALFWAY)
def code() -> ResponseReturnValue:
    if guard.visitor().complete:
        return redirect(url_for("office.signing_in.home"), 303)
    return page("office/code.html", problem="", next=_next())


@bp.post("/sign-in/code")
@needs(Open.HALFWAY)
def check_code() -> ResponseReturnValue:
    here, form = guard.visitor(), CodeForm()
    if here.complete:
        return redirect(url_for("office.signing_in.home"), 303)
    try:
        let = form.validate_on_submit() and sign_ins.by_code(db(), parts().vault, here, form.code.data, now())
    except TooManyAttempts as error:
        guard.deny(Denied.CODE)
        return _too_many("office/code.html", error, next=_next())
    if not let:
        guard.deny(Denied.CODE)
        return page("office/code.html", status=422, problem="wrong", next=_next())
    guard.let_in(*let)
    return redirect(_next() or url_for("office.signing_in.home"), 303)


@bp.post("/sign-in/passkey/options")
@needs(Open.ANYBODY)
def ask_for_passkey() -> ResponseReturnValue:
    return asking.told(lambda: passkeys.ask_to_sign_in(db(), asking.site(), guard.browser(), guard.before(), now()))


@bp.post("/sign-in/passkey")
@needs(Open.ANYBODY)
def sign_in_by_passkey() -> ResponseReturnValue:
    """Complete at once: a passkey is both factors."""
    said = PasskeyForm().credential.data or ""
    try:
        let = passkeys.sign_in(db(), asking.site(), said, guard.browser(), guard.before(), now=now())
    except TooManyAttempts as error:
        return _too_many("office/sign_in.html", error, email="", next=_next())
    except Invalid as error:
        if isinstance(error, passkeys.NotAccepted):
            guard.deny(Denied.PASSKEY, email=error.email)
        return page("office/sign_in.html", status=422, email="", problem=error.errors["passkey"], next=_next())
    guard.let_in(*let)
    return redirect(_next() or url_for("office.signing_in.home"), 303)


@bp.post("/sign-out")
@needs(Open.HALFWAY)
def sign_out() -> ResponseReturnValue:
    """Goes on where somebody wished who has to be another person there."""
    sign_ins.sign_out(db(), guard.visitor(), now())
    guard.let_out()
    return redirect(_next() or url_for("office.signing_in.show"), 303)


@bp.post("/sign-out-everywhere")
@needs(Open.ENROLLING)
def sign_out_everywhere() -> ResponseReturnValue:
    sign_ins.sign_out_everywhere(db(), guard.visitor(), now())
    guard.let_out()
    return redirect(url_for("office.signing_in.show"), 303)


def _too_many(template: str, error: TooManyAttempts, **about: str) -> ResponseReturnValue:
    minutes = -(-error.retry_after // 60)
    response = page(template, status=429, problem="too_many", minutes=minutes, **about)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _next() -> str:
    """Where to go afterwards: a page of the back office, and nothing else that a link could say."""
    wished = request.values.get("next", "")
    if wished.startswith("/merchant/") and "//" not in wished and "\\" not in wished and wished.isprintable():
        return wished
    return ""
