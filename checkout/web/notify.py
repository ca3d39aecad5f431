"""Where the gateway tells us that something was paid (interface.md section 6)."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from checkout.services import notices
from checkout.web import guards
from checkout.web.context import db, now, parts

bp = Blueprint("notify", __name__, url_prefix="/notify")


@bp.post("/<merchant_id>")
def receive(merchant_id: str) -> ResponseReturnValue:
    """Answers exactly SUCCESS once the notification is stored; the gateway repeats itself until it reads this."""
    guards.limit_body(guards.NOTICE_BYTES)
    body = request.get_data(cache=False)
    signature = request.headers.get("X-QF-SIGN")
    notices.receive(db(), parts().gateways, parts().terms, merchant_id, body, signature=signature, now=now())
    return "SUCCESS", 200, {"Content-Type": "text/plain; charset=utf-8"}
