"""Reusable links: the page behind `/l/<token>` where a shopper pays, and the poster that leads there."""

import re
from typing import Any, NamedTuple

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from checkout.domain.entered_amounts import NotAnAmount, Unreadable, read_amount
from checkout.domain.errors import NotFound
from checkout.domain.ids import new_id
from checkout.domain.locales import Lang
from checkout.domain.qr import draw as draw_code
from checkout.domain.text import plain
from checkout.domain.wallets import Wallet
from checkout.services import links
from checkout.services.links import Found, LinkClosed, Why
from checkout.web import guards, language
from checkout.web.context import db, now, parts, reading_db
from checkout.web.link_pages import around, draw, shop_name

bp = Blueprint("links", __name__, url_prefix="/l")

TOKEN = re.compile(r"[A-Za-z0-9]{22}", re.ASCII)


class Offer(NamedTuple):
    """What the page of a link shows. Amounts are minor units; without `amount` the shopper enters one."""

    shop: str
    amount: int | None
    currency: str
    least: int
    most: int
    description: str


@bp.before_request
def _guard() -> None:
    guards.limit_body(guards.FORM_BYTES)
    guards.refuse_foreign_origins()


@bp.errorhandler(LinkClosed)
def closed(error: LinkClosed) -> ResponseReturnValue:
    return draw("links/closed.html", error.http_status, page=around(), why=error.why, begun=error.begun)


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """What is paid here, and the button or the field. Opens nothing."""
    found = _usable(token)
    return _page(found, once=new_id(""))


@bp.post("/<token>")
def pay(token: str) -> ResponseReturnValue:
    """Open a session. The form's own mark makes two presses one."""
    found = _find(token)  # a link that others have used up since knows its own people by the mark
    once, entered = request.form.get("once", ""), request.form.get("amount", "")
    if not TOKEN.fullmatch(once):
        return _page(_usable(token), once=new_id(""), entered=entered)
    link = found.link
    try:
        amount = link.amount or read_amount(entered, link.currency, least=link.least, most=link.most)
    except NotAnAmount as error:
        return _page(_usable(token), once=once, entered=entered, wrong=error.why)
    if found.closed:
        session_id = links.opened_before(reading_db(), found, amount=amount, once_key=once)
        if session_id is None:
            raise LinkClosed(found.closed, found.begun)
    else:
        session_id = links.open_session(
            db(), parts().terms, token, amount=amount, locale=language.choose(None).value, once_key=once, now=now()
        )
    return redirect(url_for("shopper.show", session_id=session_id, **language.asked_for()), 303)


@bp.get("/<token>/poster")
def poster(token: str) -> ResponseReturnValue:
    """To print and stand on a counter: in three languages at once, for nobody chooses one on paper."""
    found = _find(token)
    if found.closed not in (None, Why.TAKEN):
        raise LinkClosed(found.closed)
    address = f"{parts().config.PUBLIC_URL}/l/{token}"
    code = draw_code(address)
    return draw(
        "links/poster.html", script="print.js", offer=_offer(found), page=around(found.merchant), address=address,
        qr=Markup(code.svg),  # noqa: S704 - our own drawing
        said=_in_each_language("links/_says.html", offer=_offer(found)),
        brands=[_brand(wallet) for wallet in found.wallets()],
    )  # fmt: skip


def _find(token: str) -> Found:
    """Unknown, malformed and foreign tokens: one and the same 404."""
    if not TOKEN.fullmatch(token):
        abort(404)
    try:
        return links.find_link(reading_db(), token, now())
    except NotFound:
        abort(404)


def _usable(token: str) -> Found:
    found = _find(token)
    if found.closed:
        raise LinkClosed(found.closed, found.begun)
    return found


def _page(found: Found, *, once: str, entered: str = "", wrong: Unreadable | None = None) -> Response:
    return draw(
        "links/show.html", 400 if wrong else 200,
        offer=_offer(found), page=around(found.merchant), once=once, entered=entered[:60], wrong=wrong,
    )  # fmt: skip


def _offer(found: Found) -> Offer:
    link = found.link
    return Offer(shop_name(found.merchant), link.amount, link.currency, link.least, link.most, plain(link.description))


def _in_each_language(template: str, **values: Any) -> tuple[tuple[Lang, Markup], ...]:
    chosen, drawn = language.choose(None), []
    for lang in (Lang.ZH_HK, Lang.ZH_CN, Lang.EN):
        g.lang = lang
        drawn.append((lang, Markup(render_template(template, **values).strip())))  # noqa: S704 - drawn by our template
    g.lang = chosen
    return tuple(drawn)


def _brand(wallet: Wallet) -> tuple[str, tuple[Markup, ...]]:
    """A wallet's code, and each name that it has in one of the languages."""
    names = dict.fromkeys(name for _, name in _in_each_language("links/_label.html", label=wallet.label))
    return wallet.code, tuple(names)
