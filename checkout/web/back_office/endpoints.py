"""Settings: the webhook endpoints of a shop, their secrets and a test of each."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectChoice, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from checkout.domain.endpoints import EVENT_TYPES, EndpointChange, EndpointWish
from checkout.domain.errors import Invalid, Refused, TooManyAttempts
from checkout.domain.roles import May
from checkout.services import endpoints, event_log, tries
from checkout.services.hearers import hearers_of
from checkout.services.webhook_secrets import ED25519, HMAC, public_keys_of
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.settings import tabs
from checkout.web.context import db, now, parts, reading_db

bp = Blueprint("endpoints", __name__, url_prefix="/webhooks")

SIGNATURES = (HMAC, ED25519)


class EndpointForm(ProofForm):
    """`types`: none is all of them, also those that are still to come."""

    url = StringField(validators=[InputRequired(), Length(max=2048)])
    types = SelectMultipleField(choices=[SelectChoice(kind) for kind in EVENT_TYPES])
    signatures = SelectMultipleField(choices=[SelectChoice(name) for name in SIGNATURES])

    def wishes(self) -> dict[str, Any]:
        """As the API would be told."""
        return {
            "url": (self.url.data or "").strip(),
            "types": self.types.data or [],
            "signatures": self.signatures.data or [HMAC],
        }


@bp.get("")
@needs(May.ENDPOINTS)
def listing() -> ResponseReturnValue:
    return _listing()


@bp.post("")
@needs(May.ENDPOINTS)
def add() -> ResponseReturnValue:
    """Add one. Its secret stands on the page that answers, and on no other."""
    form = EndpointForm()
    if not form.validate_on_submit():
        return _listing(422, problem="address", typed=form.url.data)
    if not guard.proves_now(form.proof.data or ""):
        return _listing(403, problem="proof", typed=form.url.data)
    joined = parts()
    try:
        wish = EndpointWish.read(form.wishes())
        endpoint, secret = endpoints.add_endpoint(db(), joined.vault, joined.terms, guard.errand(), wish)
    except Invalid as error:
        return _listing(422, problem="address", detail=_first(error), typed=form.url.data)
    except Refused:
        return _listing(409, problem="taken", typed=form.url.data)
    return _show(endpoint.id, secret=secret)


def _first(error: Invalid) -> str:
    return next(iter(error.errors.values()))


def _listing(status: int = 200, *, problem: str = "", detail: str = "", typed: str | None = "") -> ResponseReturnValue:
    guard.look_again()
    shop_id = guard.shop().id
    return page(
        "office/endpoints.html",
        status=status,
        tabs=tabs(),
        found=[endpoints.as_dict(one, shop_id, now()) for one in hearers_of(reading_db(), shop_id)],
        types=EVENT_TYPES,
        keys=public_keys_of(reading_db(), shop_id, now()),
        keys_address=_keys_address(shop_id),
        problem=problem,
        detail=detail,
        typed=typed,
    )


def _keys_address(shop_id: str) -> str:
    return f"{parts().config.PUBLIC_URL}/.well-known/webhook-keys/{shop_id}.json"


@bp.post("/key")
@needs(May.ENDPOINTS)
def rotate_key() -> ResponseReturnValue:
    """A new Ed25519 key for all endpoints; for a day both sign. `again`: also within that day."""
    form = ProofForm()
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _listing(403, problem="proof")
    try:
        endpoints.rotate_key(db(), parts().vault, guard.errand(), again=request.form.get("again") == "yes")
    except Refused:
        db().rollback()
        has_one = public_keys_of(reading_db(), guard.shop().id, now())
        return _listing(409, problem="lately" if has_one else "no_key")
    flash("signing_key_rotated")
    return redirect(url_for(".listing", shop_id=guard.shop().id), 303)


@bp.get("/<endpoint_id>")
@needs(May.ENDPOINTS)
def show(endpoint_id: str) -> ResponseReturnValue:
    return _show(endpoint_id)


def _show(endpoint_id: str, status: int = 200, **about: Any) -> ResponseReturnValue:
    """`about`: `problem` and its `detail`, a new `secret`, the event of a `test`."""
    shop_id = guard.shop().id
    guard.look_again()
    one = endpoints.as_dict(endpoints.endpoint_of(reading_db(), shop_id, endpoint_id), shop_id, now())
    shown = {"problem": "", "detail": "", "secret": "", "test": None} | about
    return page(
        "office/endpoint.html",
        status=status,
        tabs=tabs(),
        one=one,
        types=EVENT_TYPES,
        keys_address=_keys_address(shop_id) if public_keys_of(reading_db(), shop_id, now()) else "",
        **shown,
    )


@bp.post("/<endpoint_id>")
@needs(May.ENDPOINTS)
def change(endpoint_id: str) -> ResponseReturnValue:
    """Its address, what it hears and how that is signed."""
    form, joined = EndpointForm(), parts()
    endpoints.endpoint_of(reading_db(), guard.shop().id, endpoint_id)
    if not form.validate_on_submit():
        return _show(endpoint_id, 422, problem="address")
    if not guard.proves_now(form.proof.data or ""):
        return _show(endpoint_id, 403, problem="proof")
    try:
        wish = EndpointChange.read(form.wishes())
        endpoints.change_endpoint(db(), joined.vault, joined.terms, guard.errand(), wish, given=endpoint_id)
    except Invalid as error:
        return _show(endpoint_id, 422, problem="address", detail=_first(error))
    except Refused:
        return _show(endpoint_id, 409, problem="taken")
    return _changed(endpoint_id)


def _changed(endpoint_id: str) -> ResponseReturnValue:
    flash("changed")
    return redirect(url_for(".show", shop_id=guard.shop().id, endpoint_id=endpoint_id), 303)


@bp.post("/<endpoint_id>/secret")
@needs(May.ENDPOINTS)
def rotate(endpoint_id: str) -> ResponseReturnValue:
    """A new secret, shown on this answer only; for a day both sign. `again`: also within that day."""
    form = ProofForm()
    endpoints.endpoint_of(reading_db(), guard.shop().id, endpoint_id)
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _show(endpoint_id, 403, problem="proof")
    again = request.form.get("again") == "yes"
    try:
        secret = endpoints.rotate_secret(db(), parts().vault, guard.errand(), again=again, given=endpoint_id)
    except Refused:
        return _show(endpoint_id, 409, problem="lately")
    return _show(endpoint_id, secret=secret)


@bp.post("/<endpoint_id>/on")
@needs(May.ENDPOINTS)
def enable(endpoint_id: str) -> ResponseReturnValue:
    """Call it again, and send what it has not heard."""
    return _switched(endpoint_id, on=True)


@bp.post("/<endpoint_id>/off")
@needs(May.ENDPOINTS)
def disable(endpoint_id: str) -> ResponseReturnValue:
    """Call it no more; what happens meanwhile waits."""
    return _switched(endpoint_id, on=False)


def _switched(endpoint_id: str, *, on: bool) -> ResponseReturnValue:
    form, joined = ProofForm(), parts()
    endpoints.endpoint_of(reading_db(), guard.shop().id, endpoint_id)
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _show(endpoint_id, 403, problem="proof")
    wish = EndpointChange(enabled=on)
    endpoints.change_endpoint(db(), joined.vault, joined.terms, guard.errand(), wish, given=endpoint_id)
    return _changed(endpoint_id)


@bp.post("/<endpoint_id>/delete")
@needs(May.ENDPOINTS)
def delete(endpoint_id: str) -> ResponseReturnValue:
    form = ProofForm()
    endpoints.endpoint_of(reading_db(), guard.shop().id, endpoint_id)
    if not form.validate_on_submit() or not guard.proves_now(form.proof.data or ""):
        return _show(endpoint_id, 403, problem="proof")
    endpoints.delete_endpoint(db(), guard.errand(), endpoint_id)
    flash("endpoint_deleted")
    return redirect(url_for(".listing", shop_id=guard.shop().id), 303)


@bp.post("/<endpoint_id>/test")
@needs(May.ENDPOINTS)
def test(endpoint_id: str) -> ResponseReturnValue:
    """Send an event about nothing, and show what the endpoint made of it. No proof: it changes nothing."""
    joined, errand = parts(), guard.errand()
    try:
        sent = tries.send_test(joined.sessions, joined.vault, joined.sender, errand, endpoint_id)
    except TooManyAttempts:
        return _show(endpoint_id, 429, problem="too_many")
    except Refused:
        return _show(endpoint_id, 409, problem="off")
    guard.look_again()
    return _show(endpoint_id, test=event_log.event_of(reading_db(), errand.merchant_id, sent.id))
