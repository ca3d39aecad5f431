"""The merchant's API, version 1 (interface.md section 4): JSON in and out, problem details for errors."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from checkout.domain.errors import Invalid
from checkout.domain.orders import Order, RefundWish, read_json
from checkout.services import refunds, sessions
from checkout.services.snapshots import snapshot
from checkout.store.models import CheckoutSession
from checkout.web import guards
from checkout.web.context import db, now, parts, reading_db

bp = Blueprint("merchant_api", __name__, url_prefix="/v1")

LONGEST_KEY = 255
MOST_ROWS = 100
UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
LIST_PARAMETERS = {"reference", "status", "created_after", "limit", "cursor"}
STATUSES = ("open", "paid", "expired", "cancelled")


@bp.before_request
def _guard() -> None:
    guards.limit_body(guards.API_BYTES)


@bp.post("/checkout-sessions")
def create() -> ResponseReturnValue:
    """Open a session. Never waits for the gateway."""
    merchant = guards.merchant_by_key()
    key = _idempotency_key()
    order = Order.read(_json_body())
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
def listing() -> ResponseReturnValue:
    """Newest first, a page at a time."""
    merchant = guards.merchant_by_key()
    filters, limit, after = _listing_wishes()
    rows, last = sessions.list_sessions(
        reading_db(), parts().terms, merchant, filters=filters, limit=limit, after=after
    )
    return jsonify(data=rows, next_cursor=_cursor(last) if last else None)


@bp.post("/checkout-sessions/<session_id>/cancel")
def cancel(session_id: str) -> ResponseReturnValue:
    """Safe when the shopper has just paid: then it stays paid and says so."""
    merchant = guards.merchant_by_key()
    if request.get_data() and _json_body() != {}:
        raise Invalid({"body": "must be empty"})
    session = sessions.session_of(db(), merchant, session_id)
    sessions.cancel_session(db(), parts().terms, session.id, now(), by_merchant=merchant)
    fresh = sessions.session_of(db(), merchant, session_id)
    return jsonify(snapshot(db(), parts().terms, fresh))


@bp.post("/checkout-sessions/<session_id>/refunds")
def refund(session_id: str) -> ResponseReturnValue:
    """Send money back, all that is left by default. Never waits for the gateway: 201 and pending."""
    merchant = guards.merchant_by_key()
    key = _idempotency_key()
    if key is None:
        raise Invalid({"Idempotency-Key": "is required for refunds: it keeps a repeated call from paying out twice"})
    wish = RefundWish.read(_json_body() if request.get_data() else {})
    session = sessions.session_of(db(), merchant, session_id)
    answer = refunds.request_refund(db(), merchant, session, wish, key=key, now=now())
    return Response(answer.body, answer.status_code, mimetype="application/json")


@bp.get("/refunds/<refund_id>")
def read_refund(refund_id: str) -> ResponseReturnValue:
    merchant = guards.merchant_by_key()
    return jsonify(refunds.refund_of(reading_db(), merchant, refund_id))


def _json_body() -> object:
    if request.mimetype != "application/json":
        abort(415, "Send the body as application/json.")
    return read_json(request.get_data())


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isprintable()):
        raise Invalid({"Idempotency-Key": f"must have 1 to {LONGEST_KEY} printable characters"})
    return key


def _listing_wishes() -> tuple[dict[str, Any], int, tuple[datetime, str] | None]:
    errors = {
        name: "is not a parameter of this call; remove it" for name in request.args if name not in LIST_PARAMETERS
    }
    errors |= {name: "must stand once" for name in request.args if len(request.args.getlist(name)) > 1}
    filters: dict[str, Any] = {"reference": request.args.get("reference"), "status": request.args.get("status")}
    if filters["status"] not in (None, *STATUSES):
        errors["status"] = f"must be one of {', '.join(STATUSES)}"
    limit = request.args.get("limit", "20")
    if not (re.fullmatch(r"[1-9][0-9]{0,2}", limit, re.ASCII) and int(limit) <= MOST_ROWS):
        errors["limit"] = f"must be a whole number from 1 to {MOST_ROWS}"
    after = None
    try:
        filters["created_after"] = _moment(request.args.get("created_after"))
    except UNREADABLE:
        errors["created_after"] = "must be an RFC 3339 time with its zone, such as 2026-03-01T18:30:00Z"
    try:
        after = _position(request.args.get("cursor"))
    except UNREADABLE:
        errors["cursor"] = "must be the next_cursor of an earlier answer"
    if errors:
        raise Invalid(errors)
    return filters, int(limit), after


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 2000 <= moment.year < 3000:  # nothing of ours is older, and databases end somewhere
        raise ValueError("no zone, or no year of ours")
    return moment.astimezone(UTC)


def _cursor(session: CheckoutSession) -> str:
    position = json.dumps([session.created_at.isoformat(), session.id])
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _position(cursor: str | None) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    created_at, session_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    known = isinstance(session_id, str) and session_id.isascii() and session_id.isprintable()
    if not isinstance(created_at, str) or not known or not (moment := _moment(created_at)):
        raise ValueError("not a position")
    return moment, session_id
