"""The API, described: the OpenAPI document for programs, and the reference for people, both from one table."""

import hashlib
import json
from functools import lru_cache

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from checkout.web.assets import small, source_of
from checkout.web.context import parts
from checkout.web.openapi.document import document
from checkout.web.openapi.reference import reference
from checkout.web.openapi.samples import LANGUAGES

bp = Blueprint("docs", __name__)

FRESH_SECONDS = 300
CSS = ("pay/tokens.css", "pay/elements.css", "docs/docs.css")


@bp.get("/v1/openapi.json")
def openapi() -> ResponseReturnValue:
    """Public: it says nothing about anybody."""
    text, tag = _document(parts().config.PUBLIC_URL)
    return _kept(Response(text, mimetype="application/json"), tag)


@lru_cache(maxsize=4)
def _document(public_url: str) -> tuple[str, str]:
    text = json.dumps(document(public_url), ensure_ascii=False, separators=(",", ":"))
    return text, _tag(text)


def _tag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _kept(response: Response, tag: str) -> Response:
    """Anybody may keep it for a while, and ask by its tag whether it is still the same."""
    response.set_etag(tag, weak=True)  # weak: it may be compressed on the way
    response.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    return make_response(response.make_conditional(request))


@bp.get("/docs")
def show() -> ResponseReturnValue:
    """The reference, for people. In English, as the names of the API are."""
    text, css_source, tag = _page(parts().config.PUBLIC_URL)
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {css_source}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return _kept(response, tag)


@lru_cache(maxsize=4)
def _page(public_url: str) -> tuple[str, str, str]:
    css = Markup("").join(small(name) for name in CSS)
    text = render_template("docs/reference.html", css=css, languages=LANGUAGES, **reference(public_url))
    return text, source_of(css), _tag(text)
