"""Deliveries: what the shop's server was told, how it answered, and telling it again."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from checkout.domain.endpoints import EVENT_TYPES, TEST_EVENT, ResendWish
from checkout.domain.errors import Refused
from checkout.domain.lifecycle import DeliveryStatus
from checkout.domain.roles import May
from checkout.domain.text import plain
from checkout.gateway.months import midnight
from checkout.services import event_log
from checkout.services.snapshots import rfc3339
from checkout.web import listing as cursors
from checkout.web.back_office import guard
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.back_office.searches import day_of
from checkout.web.context import db, now, reading_db

bp = Blueprint("deliveries", __name__, url_prefix="/<shop_id>/deliveries")

ROWS = 50
A_WEEK = timedelta(days=7)
AN_INSTANT = timedelta(microseconds=1)  # `created_after` leaves its own moment out

# What the filter offers, and which deliveries are meant.
STATUSES: dict[str, tuple[DeliveryStatus, ...]] = {"failed": event_log.FAILED, "waiting": (DeliveryStatus.DUE,)}


@bp.get("")
@needs(May.SEE)
def listing() -> ResponseReturnValue:
    """Events with their deliveries, newest first."""
    return _listing()


def _listing(status: int = 200, *, problem: str = "") -> ResponseReturnValue:
    guard.look_again()
    asked = {name: plain(request.args.get(name, ""))[:60] for name in ("status", "type", "session")}
    filters = {
        "statuses": STATUSES.get(asked["status"]),
        "type": asked["type"] if asked["type"] in (*EVENT_TYPES, TEST_EVENT) else None,
        "session": asked["session"] or None,
    }
    after = cursors.position_in(request.args.get("cursor", ""))
    found, last = event_log.list_events(reading_db(), guard.shop().id, filters=filters, limit=ROWS, after=after)
    return page(
        "office/deliveries.html",
        status=status,
        found=found,
        asked=asked,
        types=(*EVENT_TYPES, TEST_EVENT),
        since=(now() - A_WEEK).date(),
        next_cursor=cursors.cursor_of(last),
        first=after is None,
        problem=problem,
    )


@bp.get("/<event_id>")
@needs(May.SEE)
def show(event_id: str) -> ResponseReturnValue:
    """One event: each delivery with every try that we still know of."""
    return _show(event_id)


def _show(event_id: str, status: int = 200, *, problem: str = "") -> ResponseReturnValue:
    guard.look_again()
    event = event_log.event_of(reading_db(), guard.shop().id, event_id)
    body = event_log.body_of(reading_db(), event_id)
    return page(
        "office/delivery.html", status=status, event=event, body=body, problem=problem, test=event["type"] == TEST_EVENT
    )


@bp.post("/<event_id>/redeliver")
@needs(May.REDELIVER)
def redeliver(event_id: str) -> ResponseReturnValue:
    """Send one again, heard or not: the worker does it within a second."""
    try:
        event_log.redeliver(db(), guard.errand(), event_id)
    except Refused:
        return _show(event_id, 409, problem="nobody")
    flash("resent:1")
    return redirect(url_for(".show", shop_id=guard.shop().id, event_id=event_id), 303)


@bp.post("/redeliver")
@needs(May.REDELIVER)
def redeliver_all() -> ResponseReturnValue:
    """Send again what failed since the beginning of a Hong Kong day."""
    since = day_of(request.form.get("since", ""))
    if since is None:
        return _listing(422, problem="day")
    wish = ResendWish.read({"created_after": rfc3339(midnight(since) - AN_INSTANT)})
    try:
        resent = event_log.redeliver_all(db(), guard.errand(), wish)
    except Refused:
        return _listing(409, problem="nobody")
    flash(f"resent_more:{resent.events}" if resent.more else f"resent:{resent.events}")
    return redirect(url_for(".listing", shop_id=guard.shop().id), 303)
