"""The dress of the pages about links: a sheet and a script of their own, and the policy that knows them by hash."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Response, make_response, render_template, request
from markupsafe import Markup

from checkout.domain.text import plain
from checkout.store.models import Merchant
from checkout.web import headers, language
from checkout.web.assets import small, source_of
from checkout.web.context import parts


@dataclass(frozen=True)
class Dress:
    css: Markup
    js: Markup
    css_source: str  # as CSP sources: 'sha256-…'
    js_source: str


@dataclass(frozen=True)
class Around:
    """What the frame of a page needs: which languages it offers, and whether its money is real."""

    languages: tuple[tuple[str, str, str, bool], ...] = ()
    sandbox: bool = False


def around(merchant: Merchant | None = None) -> Around:
    joined = parts()
    pretend = merchant is not None and joined.config.SANDBOX and merchant.base_url.endswith("/sandbox")
    return Around(language.switch(request.path), pretend)


def shop_name(merchant: Merchant) -> str:
    return plain(merchant.name)


def draw(template: str, status: int = 200, *, script: str = "rest.js", **values: Any) -> Response:
    """A page with the shopper pages' sheet, ours behind it, and the one script that it names."""
    language.choose(None)
    dress = dress_of(parts().assets.css, script)
    text = render_template(template, lang=language.current().value, assets=dress, **values)
    response = make_response(text, status)
    policy = headers.content_security_policy(dress.css_source, dress.js_source, (), framed=False)
    response.headers["Content-Security-Policy"] = policy
    response.vary.update(("Accept-Language",))
    return response


@cache
def dress_of(shoppers: Markup, script: str) -> Dress:
    css, js = shoppers + small("links/links.css"), small(f"links/{script}")
    return Dress(css, js, source_of(css), source_of(js))
