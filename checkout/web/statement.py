"""What was tested for people with disabilities, and what was not: the accessibility statement."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from checkout.web.link_pages import around, draw

bp = Blueprint("statement", __name__)


@bp.get("/accessibility")
def accessibility() -> ResponseReturnValue:
    return draw("pay/accessibility.html", page=around())
