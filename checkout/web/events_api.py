"""The merchant's API: the log of what it was told, and hearing it again."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from checkout.domain.api_keys import Scope
from checkout.domain.endpoints import EVENT_TYPES, TEST_EVENT, ResendWish
from checkout.services import event_log
from checkout.web import bodies, guards, listing
from checkout.web.context import db, reading_db

bp = Blueprint("events_api", __name__, url_prefix="/v1/events")

FILTERS = {"session": listing.text, "type": listing.one_of((*EVENT_TYPES, TEST_EVENT)), "created_after": listing.moment}


@bp.before_request
def _guard() -> None:
    guards.limit_json()


@bp.get("")
def list_events() -> ResponseReturnValue:
    """Newest first, a page at a time."""
    merchant = guards.merchant_by_key()
    asked = listing.read_wishes(FILTERS)
    rows, last = event_log.list_events(
        reading_db(), merchant.id, filters=asked.filters, limit=asked.limit, after=asked.after
    )
    return jsonify(data=rows, next_cursor=listing.cursor_of(last))


@bp.get("/<event_id>")
def read(event_id: str) -> ResponseReturnValue:
    """One event, each of its deliveries with every try that we still know of."""
    merchant = guards.merchant_by_key()
    return jsonify(event_log.event_of(reading_db(), merchant.id, event_id))


@bp.post("/<event_id>/redeliver")
def redeliver(event_id: str) -> ResponseReturnValue:
    """Send it again, heard or not: 202 and the event. The worker does it within a second."""
    errand = guards.errand(Scope.WRITE)
    bodies.refuse_body()
    event_log.redeliver(db(), errand, event_id)
    return jsonify(event_log.event_of(db(), errand.merchant_id, event_id)), 202


@bp.post("/redeliver")
def redeliver_all() -> ResponseReturnValue:
    """Send a range again, by default what failed: 202 and how many."""
    errand = guards.errand(Scope.WRITE)
    resent = event_log.redeliver_all(db(), errand, ResendWish.read(bodies.json_body()))
    return jsonify(resent.as_dict()), 202
