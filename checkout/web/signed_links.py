"""Signed links (interface.md section 5): `/checkout?…` opens a session, `/checkstand/` leads there from a fragment."""

from typing import NamedTuple

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from checkout.domain.api_keys import Scope
from checkout.domain.devices import Device, device_of
from checkout.domain.errors import KeyUnavailable, NotAllowed, NotAuthentic
from checkout.domain.link_checking import query_of
from checkout.domain.storefront_links import LONGEST_LINK, BadLink, read_link
from checkout.services import signed_links
from checkout.services.api_keys import holder_of
from checkout.services.signed_links import Verified
from checkout.store.models import Merchant
from checkout.web import guards, language, limits
from checkout.web.context import db, now, parts, reading_db
from checkout.web.link_pages import around, draw, shop_name

bp = Blueprint("signed_links", __name__)

FORM_BYTES = 4 * LONGEST_LINK  # a form may percent-encode what is percent-encoded already
SPECULATIVE = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class Card(NamedTuple):
    """What a link preview shows, and what somebody whom we took for one may press."""

    shop: str
    amount: int
    currency: str
    description: str
    action: str


@bp.before_request
def _guard() -> None:
    guards.limit_body(FORM_BYTES)
    guards.refuse_foreign_origins()


@bp.errorhandler(BadLink)
def refused(error: BadLink) -> ResponseReturnValue:
    """What the shopper should do, and below it what the merchant's developer should mend."""
    return draw("links/refused.html", error.http_status, problems=error.problems, page=around())


@bp.errorhandler(KeyUnavailable)
def later(error: KeyUnavailable) -> ResponseReturnValue:
    return draw("links/later.html", error.http_status, page=around())


@bp.get("/checkout")
def checkout() -> ResponseReturnValue:
    """The link's session, opened the first time: the signature is the merchant's consent, so a GET may."""
    return _enter(request.query_string)


@bp.post("/checkout")
def go_on() -> ResponseReturnValue:
    """The button on the card: a person wants to pay, whatever their browser calls itself."""
    return _to_page(_open(_verified(request.query_string)))


@bp.get("/checkstand/", strict_slashes=False)
def checkstand() -> ResponseReturnValue:
    """What stands behind `#` stays in the browser: a script carries it over, or the shopper does."""
    if {"sign", "appcode"} & set(request.args):
        return _enter(request.query_string)
    return draw("links/checkstand.html", script="move.js", page=around())


@bp.post("/checkstand/", strict_slashes=False)
def pasted() -> ResponseReturnValue:
    """The whole address, pasted by somebody whose browser runs no scripts."""
    return _to_page(_open(_verified(query_of(request.form.get("link", "")))))


def _verified(query: bytes) -> Verified:
    return signed_links.verify_link(reading_db(), parts().vault, read_link(query))


def _enter(query: bytes) -> ResponseReturnValue:
    link = _verified(query)
    known = signed_links.session_of_link(reading_db(), link)
    if known is None and _only_looks():
        order = link.order
        action = f"{url_for('signed_links.checkout')}?{query.decode('latin-1')}"
        card = Card(shop_name(link.merchant), order.amount, order.currency, order.description, action)
        return draw("links/card.html", page=around(link.merchant), card=card)
    return _to_page(known or _open(link))


def _only_looks() -> bool:
    """Previews and prefetches must not start a session's clock long before the shopper comes."""
    ahead = any("prefetch" in request.headers.get(name, "") or request.headers.get(name) == "preview"
                for name in SPECULATIVE)  # fmt: skip
    return ahead or request.method == "HEAD" or device_of(request.user_agent.string) is Device.BOT


def _open(link: Verified) -> str:
    return signed_links.open_link(db(), parts().terms, link, now())


def _to_page(session_id: str) -> ResponseReturnValue:
    return redirect(url_for("shopper.show", session_id=session_id, **language.asked_for()), 303)


@bp.route("/checkout/check", methods=["GET", "POST"])
def check() -> ResponseReturnValue:
    """Say what is wrong with a link. About its signature only to whom the link's own API key belongs."""
    link = request.form.get("link", "")
    if request.method == "GET" or not link.strip():
        return draw("links/checker.html", page=around(), link="", checked=None, key_wrong=False)
    api_key, query = request.form.get("api_key", "").strip(), query_of(link)
    merchant = _merchant_named(query, api_key) if api_key else None
    checked = signed_links.check(reading_db(), parts().vault, parts().terms, query, merchant=merchant, now=now())
    key_wrong = bool(api_key) and merchant is None
    return draw("links/checker.html", page=around(), link=link, checked=checked, key_wrong=key_wrong)


def _merchant_named(query: bytes, api_key: str) -> Merchant | None:
    """Whose API key this is, if the link names their app code."""
    try:
        with limits.keys_are_checked(api_key):
            merchant = holder_of(reading_db(), api_key, Scope.WRITE, now()).merchant
    except (NotAllowed, NotAuthentic):
        return None
    return merchant if signed_links.names(query, merchant) else None
