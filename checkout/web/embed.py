"""The storefront's one line: a script that opens the checkout inside the shop's page (interface.md section 3)."""

from functools import lru_cache

from flask import Blueprint, make_response, request
from flask.typing import ResponseReturnValue

from checkout.web import headers
from checkout.web.assets import small
from checkout.web.context import parts

bp = Blueprint("embed", __name__)

AN_HOUR = 3600


@lru_cache(maxsize=8)
def script_for(public_url: str) -> str:
    """With the one address that it opens written into it: no page of the shop can talk it into another."""
    return small("embed/embed.js").replace("{pages}", f"{public_url}/pay/")


@bp.get("/embed.js")
def embed() -> ResponseReturnValue:
    headers.serve_everyone()
    answer = make_response(script_for(parts().config.PUBLIC_URL))
    answer.mimetype = "text/javascript"
    answer.cache_control.public, answer.cache_control.max_age = True, AN_HOUR
    answer.add_etag(weak=True)  # compressed or not, the same script
    return answer.make_conditional(request)
