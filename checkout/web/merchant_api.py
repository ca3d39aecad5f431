"""The merchant's API, version 1 (interface.md section 4): JSON in and out, problem details for errors."""

import json
import re

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from checkout.domain.api_keys import Scope
from checkout.domain.errors import Invalid
from checkout.domain.orders import Order, RefundWish
from checkout.services import refunds, searching, sessions
from checkout.services.snapshots import snapshot
from checkout.web import bodies, guards, listing
from checkout.web.context import db, now, parts, reading_db
from checkout.web.openapi.table import REFUND_WORDS, SESSION_WORDS

bp = Blueprint("merchant_api", __name__, url_prefix="/v1")

LONGEST_KEY = 255
FILTERS = {
    "reference": listing.text,
    "status": listing.one_of(SESSION_WORDS),
    "created_after": listing.moment,
    "created_before": listing.moment,
    "support_code": listing.text,
    "out_trade_no": listing.text,
    "syssn": listing.text,
}
REFUND_FILTERS = {"session": listing.text, "status": listing.one_of(REFUND_WORDS)}
METADATA = re.compile(r"metadata\[((?:(?!\]\[).){1,40})\]", re.DOTALL)  # `][` inside: an object in an object
MOST_PAIRS, LONGEST_VALUE = 20, 500  # as an order may have


@bp.before_request
def _guard() -> None:
    guards.limit_json()


@bp.post("/checkout-sessions")
def create() -> ResponseReturnValue:
    """Open a session. Never waits for the gateway."""
    merchant = guards.merchant_by_key()
    key = _idempotency_key()
    order = Order.read(bodies.json_body())
    answer = sessions.open_session(db(), parts().terms, merchant, order, key=key, now=now())
    response = Response(answer.body, answer.status_code, mimetype="application/json")
    response.headers["Location"] = f"/v1/checkout-sessions/{json.loads(answer.body)['id']}"
    return response


@bp.get("/checkout-sessions/<session_id>")
def read(session_id: str) -> ResponseReturnValue:
    merchant = guards.merchant_by_key()
    session = sessions.session_of(reading_db(), merchant, session_id)
    return jsonify(snapshot(reading_db(), parts().terms, session))


@bp.get("/checkout-sessions")
def find() -> ResponseReturnValue:
    """Newest first, a page at a time."""
    merchant = guards.merchant_by_key()
    pairs = {name: found[1] for name in request.args if (found := METADATA.fullmatch(name))}
    if len(pairs) > MOST_PAIRS:
        raise Invalid({"metadata": f"may have at most {MOST_PAIRS} pairs"})
    asked = listing.read_wishes({**FILTERS, **dict.fromkeys(pairs, listing.at_most(LONGEST_VALUE))})
    metadata = {key: asked.filters.pop(name) for name, key in pairs.items()}
    wanted = searching.Wanted(**asked.filters, metadata=metadata)
    rows, last = searching.find_sessions(
        reading_db(), parts().terms, merchant, wanted, limit=asked.limit, after=asked.after
    )
    return jsonify(data=rows, next_cursor=listing.cursor_of(last))


@bp.post("/checkout-sessions/<session_id>/cancel")
def cancel(session_id: str) -> ResponseReturnValue:
    """Safe when the shopper has just paid: then it stays paid and says so."""
    merchant = guards.merchant_by_key()
    bodies.refuse_body()
    session = sessions.session_of(db(), merchant, session_id)
    sessions.cancel_session(db(), parts().terms, session.id, now(), by_merchant=merchant)
    fresh = sessions.session_of(db(), merchant, session_id)
    return jsonify(snapshot(db(), parts().terms, fresh))


@bp.post("/checkout-sessions/<session_id>/refunds")
def refund(session_id: str) -> ResponseReturnValue:
    """Send money back, all that is left by default. Never waits for the gateway: 201 and pending."""
    merchant = guards.merchant_by_key(Scope.REFUNDS)
    key = _idempotency_key()
    if key is None:
        raise Invalid({"Idempotency-Key": "is required for refunds: it keeps a repeated call from paying out twice"})
    wish = RefundWish.read(bodies.json_body(optional=True))
    session = sessions.session_of(db(), merchant, session_id)
    answer = refunds.request_refund(db(), merchant, session, wish, key=key, now=now())
    return Response(answer.body, answer.status_code, mimetype="application/json")


@bp.get("/refunds")
def find_refunds() -> ResponseReturnValue:
    """Newest first, a page at a time."""
    merchant = guards.merchant_by_key()
    asked = listing.read_wishes(REFUND_FILTERS)
    rows, last = searching.find_refunds(reading_db(), merchant, **asked.filters, limit=asked.limit, after=asked.after)
    return jsonify(data=rows, next_cursor=listing.cursor_of(last))


@bp.get("/refunds/<refund_id>")
def read_refund(refund_id: str) -> ResponseReturnValue:
    merchant = guards.merchant_by_key()
    return jsonify(refunds.refund_of(reading_db(), merchant, refund_id))


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isprintable()):
        raise Invalid({"Idempotency-Key": f"must have 1 to {LONGEST_KEY} printable characters"})
    return key
