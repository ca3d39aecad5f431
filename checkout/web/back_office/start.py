"""Getting started: what a shop has done and what is missing before its first payment, each step with its button."""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, SelectChoice, SelectField, StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.errors import Invalid, Refused, TooManyAttempts
from checkout.domain.roles import May
from checkout.services import credentials, first_steps
from checkout.services.credentials import LIVE_TESTING, PLACES, PRODUCTION, SIGN_TYPES, CredentialsWish
from checkout.services.hearers import endpoint_id_of, public_id
from checkout.store.models import Merchant
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.settings import tabs
from checkout.web.context import db, parts, reading_db

bp = Blueprint("start", __name__, url_prefix="/start")

SUPPORT = "technical.support@qfpay.com"


class CredentialsForm(ProofForm):
    """As QFPay issued them. The key is never shown again, so it is written anew each time."""

    app_code = StringField(validators=[InputRequired(), Length(max=64)])
    client_key = PasswordField(validators=[InputRequired(), Length(max=200)])
    base_url = StringField(validators=[InputRequired(), Length(max=200)])
    mchid = StringField(validators=[Length(max=16)])
    sign_type = SelectField(choices=[SelectChoice(name) for name in SIGN_TYPES])


@bp.get("")
@needs(May.SHOP)
def show() -> ResponseReturnValue:
    return _show()


@bp.post("/check")
@needs(May.SHOP)
def check() -> ResponseReturnValue:
    """Ask QFPay whether the stored credentials work. Moves no money and needs no proof."""
    try:
        credentials.check_stored(db(), parts().gateways, guard.errand())
    except TooManyAttempts:
        return _show(429, problem="too_soon")
    return redirect(url_for(".show", shop_id=guard.shop().id, _anchor="credentials"), 303)


@bp.post("/credentials")
@needs(May.SHOP)
def replace() -> ResponseReturnValue:
    """Other credentials, stored only if QFPay accepts them."""
    form = CredentialsForm()
    if not form.validate_on_submit():
        return _show(422, problem="form", typed=form.data)
    if not guard.proves_now(form.proof.data or ""):
        return _show(403, problem="proof", typed=form.data)
    said = {name: (form.data[name] or "").strip() for name in ("app_code", "client_key", "base_url", "mchid")}
    wish = CredentialsWish(**said, sign_type=form.sign_type.data)
    try:
        verdict = credentials.put_credentials(db(), parts().gateways, guard.errand(), wish)
    except Invalid:
        return _show(422, problem="form", typed=form.data)
    except TooManyAttempts:
        return _show(429, problem="too_soon", typed=form.data)
    except Refused:
        return _show(409, problem="fixed" if guard.shop().merchant.from_environment else "busy", typed=form.data)
    if not verdict.works:
        return _show(422, verdict=verdict, typed=form.data)
    flash("credentials")
    return redirect(url_for(".show", shop_id=guard.shop().id), 303)


def _show(
    status: int = 200, *, problem: str = "", verdict: Any = None, typed: dict[str, Any] | None = None
) -> ResponseReturnValue:
    guard.look_again()
    merchant = guard.shop().merchant
    steps = first_steps.steps_of(reading_db(), merchant)
    notify_url = f"{parts().config.PUBLIC_URL}/notify/{merchant.id}"
    subject, letter = first_steps.letter_to_qfpay(merchant, notify_url)
    first = next(iter(steps.hearers), None)
    return page(
        "office/start.html",
        status=status,
        tabs=tabs(),
        steps=steps,
        endpoint_id=public_id(merchant.id, endpoint_id_of(first)) if first else "",
        link_address=f"{parts().config.PUBLIC_URL}/l/{steps.link.token}" if steps.link else "",
        places=_places(merchant),
        production=PRODUCTION,
        testing=LIVE_TESTING,
        pretend=merchant.base_url.endswith("/sandbox"),
        subject=subject,
        letter=letter,
        support=SUPPORT,
        mail=f"mailto:{SUPPORT}?subject={quote(subject)}&body={quote(letter)}",
        notify_url=notify_url,
        problem=problem,
        verdict=verdict,
        typed=_typed(merchant, typed or {}),
    )


def _places(merchant: Merchant) -> list[str]:
    return list(dict.fromkeys((merchant.base_url, *PLACES)))


def _typed(merchant: Merchant, typed: dict[str, Any]) -> dict[str, str]:
    """What stands in the form: never a key."""
    names = ("app_code", "base_url", "mchid", "sign_type")
    return {name: str(typed.get(name) or getattr(merchant, name) or "") for name in names}
