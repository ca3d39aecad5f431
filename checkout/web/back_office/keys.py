"""Settings: the API keys of a shop."""

from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectChoice, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Optional

from checkout.domain.api_keys import ALL_SCOPES, KeyWish
from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.roles import May
from checkout.services import api_keys
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.settings import tabs
from checkout.web.context import db, now, reading_db
from checkout.web.forms import WholeNumber

bp = Blueprint("keys", __name__, url_prefix="/api-keys")


class KeyForm(ProofForm):
    """`expires_in` is days; empty: until it is revoked."""

    name = StringField(validators=[InputRequired(), Length(max=100)])
    scopes = SelectMultipleField(choices=[SelectChoice(scope) for scope in ALL_SCOPES], validators=[InputRequired()])
    expires_in = WholeNumber(validators=[Optional()])


@bp.get("")
@needs(May.KEYS)
def listing() -> ResponseReturnValue:
    return _listing()


@bp.post("")
@needs(May.KEYS)
def add() -> ResponseReturnValue:
    """Make one. It stands on the page that answers, and on no other."""
    form = KeyForm()
    if not form.validate_on_submit():
        return _listing(422, problem="key", typed=form.name.data)
    if not guard.proves_now(form.proof.data or ""):
        return _listing(403, problem="proof", typed=form.name.data)
    errand = guard.errand()
    try:
        asked = {"name": form.name.data.strip(), "scopes": form.scopes.data, "expires_in": form.expires_in.data}
        wish = KeyWish.read(asked)
        _, plain = api_keys.add_key(
            db(), errand.merchant_id, wish, actor=errand.actor, granted=ALL_SCOPES, now=errand.now
        )
    except Invalid:
        return _listing(422, problem="key", typed=form.name.data)
    except Refused:
        return _listing(409, problem="alike", typed=form.name.data)
    return _listing(new=plain)


@bp.post("/<key_id>/revoke")
@needs(May.KEYS)
def revoke(key_id: str) -> ResponseReturnValue:
    """Also the last one that may make others: here its owner can make one at any time."""
    form, errand = ProofForm(), guard.errand()
    if key_id not in [key.id for key in api_keys.keys_of(reading_db(), errand.merchant_id)]:
        raise NotFound("API key")
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _listing(403, problem="proof")
    api_keys.revoke_key(db(), errand.merchant_id, key_id, actor=errand.actor, now=errand.now, may_lock_out=True)
    flash("key_revoked")
    return redirect(url_for(".listing", shop_id=errand.merchant_id), 303)


def _listing(status: int = 200, *, problem: str = "", typed: str | None = "", new: str = "") -> ResponseReturnValue:
    guard.look_again()
    found: list[dict[str, Any]] = [
        api_keys.as_dict(key, now()) for key in api_keys.keys_of(reading_db(), guard.shop().id)
    ]
    return page(
        "office/keys.html",
        status=status,
        tabs=tabs(),
        live=[key for key in found if key["live"]],
        over=[key for key in found if not key["live"]],
        scopes=ALL_SCOPES,
        from_environment=guard.shop().merchant.from_environment,
        problem=problem,
        typed=typed,
        new=new,
    )
