"""Settings: the shop's name, its wallets in their order, and where shoppers may be sent back to."""

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import Length

from checkout.domain.errors import Invalid, Refused
from checkout.domain.roles import May
from checkout.domain.wallets import WALLETS
from checkout.services import shops
from checkout.services.shops import ShopWish
from checkout.web.back_office import guard
from checkout.web.back_office.account import ProofForm
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.settings import tabs
from checkout.web.context import db, parts

bp = Blueprint("shop", __name__, url_prefix="/shop")


class ShopForm(ProofForm):
    """`origins`: one a line. Beside these fields stands `place-<wallet>` for each wallet: its place, or nothing."""

    name = StringField(validators=[Length(max=500)])
    origins = StringField(validators=[Length(max=6000)])


@bp.get("")
@needs(May.SHOP)
def show() -> ResponseReturnValue:
    merchant = guard.shop().merchant
    return _show(merchant.name, _places(), "\n".join(merchant.return_origins))


def _places() -> dict[str, str]:
    """Each wallet's place among those that the shop offers, from 1; empty when it is not offered."""
    chosen = [choice.code for choice in guard.shop().merchant.choices]
    return {code: str(chosen.index(code) + 1) if code in chosen else "" for code in WALLETS}


@bp.post("")
@needs(May.SHOP)
def change() -> ResponseReturnValue:
    form = ShopForm()
    places = {code: request.form.get(f"place-{code}", "")[:1] for code in WALLETS}
    said = (form.name.data or "", places, form.origins.data or "")
    if not form.validate_on_submit():
        return _show(*said, status=422, problems=list(form.errors))
    if not guard.proves_now(form.proof.data or ""):
        return _show(*said, status=403, problems=["proof"])
    wish = ShopWish(name=said[0], wallets=_in_order(places), return_origins=said[2].split())
    try:
        shops.change_shop(db(), parts().terms, guard.errand(), wish)
    except Invalid as error:
        return _show(*said, status=422, problems=list(error.errors))
    except Refused:
        return _show(*said, status=409, problems=["fixed"])
    flash("changed")
    return redirect(url_for(".show", shop_id=guard.shop().id), 303)


def _in_order(places: dict[str, str]) -> list[str]:
    """As the books hold them: a wallet that was offered for some currencies only stays so."""
    known = {choice.code: str(choice) for choice in guard.shop().merchant.choices}
    return [known.get(code, code) for code in sorted(places, key=lambda code: places[code]) if places[code].strip()]


def _show(
    name: str, places: dict[str, str], origins: str, *, status: int = 200, problems: list[str] | None = None
) -> ResponseReturnValue:
    guard.look_again()
    typed: dict[str, Any] = {"name": name, "origins": origins, "places": places}
    return page(
        "office/shop.html",
        status=status,
        tabs=tabs(),
        typed=typed,
        wallets=list(WALLETS.values()),
        fixed=guard.shop().merchant.from_environment,
        wrong=["return_origins" if name == "origins" else name for name in problems or []],
    )
