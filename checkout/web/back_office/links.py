"""Links: reusable addresses at which shoppers pay, made and ended by the people of a shop."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import DateField, SelectChoice, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from checkout.domain import qr
from checkout.domain.entered_amounts import NotAnAmount, read_amount
from checkout.domain.errors import Invalid
from checkout.domain.link_wishes import LEAST, LinkWish
from checkout.domain.money import MAX_AMOUNT
from checkout.domain.roles import May
from checkout.domain.wallets import WALLETS, WalletChoice
from checkout.gateway.months import midnight
from checkout.services import links
from checkout.web.back_office import guard
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.searches import day_of
from checkout.web.context import db, now, parts, reading_db
from checkout.web.forms import Form, WholeNumber

bp = Blueprint("links", __name__, url_prefix="/<shop_id>/links")

ROWS = 500
FIRST_OFFERED = "HKD"


class LinkForm(Form):
    """Amounts as people write them; `last_day` is the last Hong Kong day on which the link works."""

    name = StringField(validators=[InputRequired(), Length(max=80)])
    kind = SelectField(choices=[SelectChoice("fixed"), SelectChoice("entered")])
    currency = StringField(validators=[InputRequired(), Length(max=3)])
    amount = StringField(validators=[Length(max=40)])
    least = StringField(validators=[Length(max=40)])
    most = StringField(validators=[Length(max=40)])
    description = StringField(validators=[Length(max=500)])
    wallets = SelectMultipleField(choices=[SelectChoice(code) for code in WALLETS])
    prefix = StringField(validators=[Length(max=40)])
    return_url = StringField(validators=[Length(max=2048)])
    max_paid = WholeNumber(validators=[Optional(), NumberRange(1, 1_000_000)])
    last_day = DateField(validators=[Optional()])


@bp.get("")
@needs(May.SEE)
def listing() -> ResponseReturnValue:
    """Every link with what it has taken."""
    found = links.links_of(reading_db(), guard.shop().id, limit=ROWS)
    return page(
        "office/links.html",
        found=found,
        sums=links.sums_of(reading_db(), [link.id for link in found]),
        works=[link.id for link in found if _works(link)],
    )


def _works(link: Any) -> bool:
    return bool(link.active and not (link.expires_at and link.expires_at <= now()))


@bp.get("/new")
@needs(May.LINKS)
def new() -> ResponseReturnValue:
    return _form({"kind": "fixed", "currency": _currencies()[0], "prefix": "LINK-"})


@bp.post("")
@needs(May.LINKS)
def make() -> ResponseReturnValue:
    form = LinkForm()
    if not form.validate_on_submit():
        return _form(_typed(), 422, errors=dict.fromkeys(form.errors, ""))
    try:
        wish = LinkWish.read(_wishes(form))
        link = links.make_link(db(), parts().terms, guard.shop().merchant, wish, actor=guard.visitor().actor, now=now())
    except Invalid as error:
        return _form(_typed(), 422, errors=error.errors)
    flash("link_made")
    return redirect(url_for(".show", shop_id=guard.shop().id, link_id=link.id), 303)


def _wishes(form: LinkForm) -> dict[str, Any]:
    """As the service reads them. Raises Invalid naming an amount that cannot be read."""
    currency = form.currency.data or FIRST_OFFERED
    if currency not in _currencies():
        raise Invalid({"currency": "none of the shop's wallets takes it"})
    asked: dict[str, Any] = {
        "name": form.name.data,
        "currency": currency,
        "description": (form.description.data or "").strip(),
        "prefix": (form.prefix.data or "").strip() or "LINK-",
        "wallets": form.wallets.data or [],
        "max_paid": form.max_paid.data,
        "expires_at": _end_of(form.last_day.data),
        "return_url": (form.return_url.data or "").strip() or None,
    }
    if form.kind.data == "fixed":
        return asked | {"amount": _amount("amount", form.amount.data, currency, MAX_AMOUNT)}
    return asked | {
        "least": _amount("least", form.least.data, currency, LEAST),
        "most": _amount("most", form.most.data, currency, MAX_AMOUNT, optional=True),
    }


def _amount(name: str, text: str | None, currency: str, default: int, *, optional: bool = False) -> int:
    """Raises Invalid. Only limits may be left empty."""
    if not (text or "").strip() and (optional or name == "least"):
        return default
    try:
        return read_amount(text or "", currency, least=1, most=MAX_AMOUNT)
    except NotAnAmount as error:
        raise Invalid({name: error.why.value}) from None


def _end_of(day: Any) -> datetime | None:
    """Raises Invalid for a day that our books cannot hold."""
    if day and day_of(day.isoformat()) is None:
        raise Invalid({"last_day": "is too far away"})
    return midnight(day + timedelta(days=1)) if day else None


def _currencies() -> list[str]:
    """What one of the shop's wallets takes, Hong Kong's own first."""
    found = {c for choice in guard.shop().merchant.choices for c in _taken_by(choice)}
    return sorted(found, key=lambda currency: (currency != FIRST_OFFERED, currency)) or [FIRST_OFFERED]


def _taken_by(choice: WalletChoice) -> frozenset[str]:
    return frozenset(choice.currencies) or WALLETS[choice.code].currencies


def _typed() -> dict[str, Any]:
    return {name: value[:600] for name, value in request.form.items()} | {"wallets": request.form.getlist("wallets")}


def _form(typed: dict[str, Any], status: int = 200, *, errors: dict[str, str] | None = None) -> ResponseReturnValue:
    guard.look_again()
    empty: dict[str, Any] = dict.fromkeys(LinkForm()._fields, "") | {"wallets": []}
    return page(
        "office/link_new.html",
        status=status,
        typed=empty | typed,
        errors=errors or {},
        currencies=_currencies(),
        wallets=[WALLETS[choice.code] for choice in guard.shop().merchant.choices],
    )


@bp.get("/<link_id>")
@needs(May.SEE)
def show(link_id: str) -> ResponseReturnValue:
    """Its address, its code to scan, and what was paid by it."""
    link = links.link_of(reading_db(), guard.shop().id, link_id)
    address = f"{parts().config.PUBLIC_URL}/l/{link.token}"
    return page(
        "office/link.html",
        one=link,
        address=address,
        drawn=Markup(qr.draw(address).svg),  # noqa: S704 - our own drawing
        taken=links.sums_of(reading_db(), [link.id]).get(link.id, (0, 0)),
        opened=links.sessions_of(reading_db(), link.id, limit=50),
        works=_works(link),
    )


@bp.post("/<link_id>/on")
@needs(May.LINKS)
def switch_on(link_id: str) -> ResponseReturnValue:
    return _switch(link_id, active=True)


@bp.post("/<link_id>/off")
@needs(May.LINKS)
def switch_off(link_id: str) -> ResponseReturnValue:
    """Sessions that it has opened go on."""
    return _switch(link_id, active=False)


def _switch(link_id: str, *, active: bool) -> ResponseReturnValue:
    errand = guard.errand()
    links.switch_link(db(), link_id, active=active, actor=errand.actor, now=errand.now, merchant_id=errand.merchant_id)
    flash("link_on" if active else "link_off")
    return redirect(url_for(".show", shop_id=errand.merchant_id, link_id=link_id), 303)
