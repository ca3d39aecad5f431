"""Checking signed links: whoever is signed in has the shop's own key tried, and types no API key."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from checkout.domain.link_checking import query_of
from checkout.domain.roles import May
from checkout.domain.storefront_links import LONGEST_LINK
from checkout.services import signed_links
from checkout.web.back_office import guard
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.context import now, parts, reading_db

bp = Blueprint("link_checks", __name__, url_prefix="/<shop_id>/links/check")


@bp.get("")
@needs(May.LINKS)
def show() -> ResponseReturnValue:
    return page("office/link_check.html", link="", checked=None, foreign=False)


@bp.post("")
@needs(May.LINKS, takes=4 * LONGEST_LINK)
def check() -> ResponseReturnValue:
    """Say what is wrong with a link. Opens nothing and writes nothing down."""
    link = request.form.get("link", "").strip()
    if not link:
        return show()
    merchant, query = guard.shop().merchant, query_of(link)
    own = signed_links.names(query, merchant)
    checked = signed_links.check(
        reading_db(), parts().vault, parts().terms, query, merchant=merchant if own else None, now=now()
    )
    return page("office/link_check.html", link=link, checked=checked, foreign=not own)
