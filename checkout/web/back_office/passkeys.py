"""One's own passkeys: made, removed, and used to show again who one is."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, TooManyAttempts
from checkout.services import passkeys
from checkout.services.denials import Denied
from checkout.web.back_office import asking, guard
from checkout.web.back_office.account import ProofForm, account_page
from checkout.web.back_office.guard import Open, needs
from checkout.web.back_office.signing_in import PasskeyForm
from checkout.web.context import db, now

bp = Blueprint("passkeys", __name__, url_prefix="/me")


class NewPasskeyForm(ProofForm):
    """`name` is the person's own for it. `credential` is the authenticator's answer; before it, there is none."""

    name = StringField(validators=[InputRequired(), Length(max=200)])
    credential = StringField(validators=[Length(max=4000)])


@bp.post("/passkeys/options")
@needs(Open.SIGNED_IN)
def ask() -> ResponseReturnValue:
    """The first half: whoever adds a way in shows who they are before their authenticator is asked."""
    form, here = NewPasskeyForm(), guard.visitor()
    if not form.validate_on_submit():
        return asking.problem("name", 422)
    try:
        if not guard.proves_now(form.proof.data or ""):
            return asking.problem("proof", 403)
    except TooManyAttempts:
        return asking.problem("too_many", 429)
    return asking.told(lambda: passkeys.ask_to_add(db(), asking.site(), here, form.name.data, now()))


@bp.post("/passkeys")
@needs(Open.SIGNED_IN)
def add() -> ResponseReturnValue:
    form, here = NewPasskeyForm(), guard.visitor()
    if not form.validate_on_submit() or not form.credential.data:
        return account_page(422, "name" if not form.name.data else "refused", "passkey")
    if not guard.proves_now(form.proof.data or ""):
        return account_page(403, "proof", "passkey")
    try:
        passkeys.add(db(), asking.site(), here, form.credential.data, now(), name=form.name.data)
    except Invalid as error:
        return account_page(422, error.errors["passkey"], "passkey")
    flash("passkey_added")
    return redirect(url_for("office.account.show"), 303)


@bp.post("/passkeys/<passkey_id>/remove")
@needs(Open.SIGNED_IN)
def remove(passkey_id: str) -> ResponseReturnValue:
    form, here = ProofForm(), guard.visitor()
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return account_page(403, "proof", "passkey")
    passkeys.remove(db(), here, passkey_id, now())
    flash("passkey_removed")
    return redirect(url_for("office.account.show"), 303)


@bp.post("/proof/options")
@needs(Open.ENROLLING)
def ask_for_proof() -> ResponseReturnValue:
    return asking.told(lambda: passkeys.ask_to_prove(db(), asking.site(), guard.visitor(), now()))


@bp.post("/proof")
@needs(Open.ENROLLING)
def prove() -> ResponseReturnValue:
    """Instead of the password in a form: then the form itself needs none."""

    def proof() -> str:
        said = PasskeyForm().credential.data or ""
        try:
            token = passkeys.prove(db(), asking.site(), guard.visitor(), said, now())
        except (Invalid, TooManyAttempts):
            guard.deny(Denied.PROOF)
            raise
        guard.go_on_as(token)
        return "{}"

    return asking.told(proof)
