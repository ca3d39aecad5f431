"""How the back office looks: its sheet and script by hashed address, the frame around each page, what is refused."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from checkout.domain.errors import CheckoutError, TooManyAttempts
from checkout.domain.roles import May
from checkout.domain.text import plain
from checkout.services import passkeys
from checkout.store import office_queries
from checkout.web import filters, language
from checkout.web.assets import small, small_ones
from checkout.web.back_office import asking, guard
from checkout.web.back_office.guard import Open, needs
from checkout.web.context import now, parts, reading_db

bp = Blueprint("look", __name__)

CSS = (
    "pay/tokens.css",
    "office/plain.css",
    "office/frame.css",
    "office/parts.css",
    "office/story.css",
    "office/telling.css",
    "office/branding.css",
)
KINDS = {"office.css": "text/css", "office.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# What stands in the navigation: what one needs, the first page, what it is called.
NAVIGATION = (
    (May.SEE, "office.payments.listing", "Payments"),
    (May.SEE, "office.reviews.listing", "Reviews"),
    (May.SEE, "office.takings.show", "Takings"),
    (May.SEE, "office.deliveries.listing", "Deliveries"),
    (May.SEE, "office.links.listing", "Links"),
    (May.READ_LOG, "office.settings.log", "Settings"),
)


@dataclass(frozen=True)
class Sheet:
    """What a page fetches, and the address that changes with it."""

    text: dict[str, str]
    digest: str


def install(app: Flask) -> None:
    css = "".join(small(name) for name in CSS)
    js = ";\n".join(small_ones("office", ".js").values())
    digest = hashlib.sha256((css + js).encode()).hexdigest()[:16]
    app.add_template_filter(plain)
    app.add_template_filter(datetime.fromisoformat, "from_rfc")
    app.add_template_filter(lambda moment: filters.hong_kong_clock(moment, language.current()), "hkt_seconds")
    app.add_template_filter(lambda day: filters.date_in_words(day, "day", language.current()), "day_name")
    app.add_template_filter(lambda day: filters.date_in_words(day, "month", language.current()), "month_name")
    app.extensions["sampan.office"] = Sheet({"office.css": css, "office.js": js}, digest)


def sheet() -> Sheet:
    return cast(Sheet, current_app.extensions["sampan.office"])


@bp.get("/static/<digest>/<name>")
@needs(Open.CACHES)
def static(digest: str, name: str) -> ResponseReturnValue:
    """For a year: another content has another address."""
    if name not in KINDS or digest != sheet().digest:
        abort(404)
    response = Response(sheet().text[name], mimetype=KINDS[name])
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def say(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def page(template: str, *, status: int = 200, **about: Any) -> Response:
    """One page with its frame: who is here, in which shop, where they can go."""
    here, shop = guard.visitor_or_none(), g.get("shop")
    proven, named = bool(here and here.proven(now())), asking.site_or_none() is not None
    frame = {
        "lang": language.current().value,
        "languages": _languages(),
        "sheet": sheet().digest,
        "sandbox": parts().config.SANDBOX and (shop is None or shop.merchant.base_url.endswith("/sandbox")),
        "here": here if here and here.complete else None,
        "shop": shop,
        "shops": g.get("shops", []),
        "navigation": _navigation() if shop else [],
        "proven": proven,
        "passkeys_work": named,
        "has_passkeys": bool(named and here and not proven and passkeys.has_any(reading_db(), here.person)),
    }
    return Response(render_template(template, **frame, **about), status, mimetype="text/html")


def _languages() -> list[tuple[str, str, str, bool]]:
    """Value, label, address, whether it is the one on the page. What was posted is not there to be fetched again."""
    path = request.path if request.method == "GET" else url_for("office.signing_in.home")
    kept = {name: value for name, value in request.args.items() if name != "lang" and request.method == "GET"}
    return [
        (value, label, f"{path}?{urlencode(kept | {'lang': value})}", chosen)
        for value, label, _, chosen in language.switch(path)
    ]


def _navigation() -> list[tuple[str, str, bool, int]]:
    """Address, name, whether we are there, how many wait."""
    shop = guard.shop()
    waiting = office_queries.reviews_open(reading_db(), shop.id)
    section = (request.blueprint or "").split(".")[1:2]
    return [
        (
            url_for(endpoint, shop_id=shop.id),
            name,
            endpoint.split(".")[1:2] == section,
            waiting if name == "Reviews" else 0,
        )
        for what, endpoint, name in NAVIGATION
        if shop.may(what)
    ]


def refused(error: HTTPException) -> ResponseReturnValue:
    return error.response if error.response is not None else _refusal(error.code or 500)


def not_done(error: CheckoutError) -> ResponseReturnValue:
    response = _refusal(error.http_status)
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def nowhere(error: HTTPException) -> ResponseReturnValue:
    """At an address below ours that no rule knows, so that no guard has run: the page of what is hidden."""
    guard.recognise()
    response = say(_refusal(error.code or 500))
    if methods := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _refusal(code: int) -> Response:
    """With the way back into a shop of the visitor's own, whatever they looked for."""
    guard.find_own_shop()
    return page("office/refused.html", status=code, code=code)
