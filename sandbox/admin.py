"""For people and tests: the ledger as a page and as JSON, and the switches for scenarios and faults."""

import dataclasses
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from .alipay_books import TOKEN_PATH, Oddity, Visits
from .context import here
from .facts import PAY_TYPES, money, stamp
from .line import Trouble
from .rows import Order
from .scenarios import TRICKS, Scenario

bp = Blueprint("admin", __name__)

PATHS = frozenset(f"/trade/v1/{verb}" for verb in ("payment", "query", "refund", "reversal", "close")) | {TOKEN_PATH}
SCENARIOS = frozenset(map(str, Scenario))
TROUBLES = frozenset(map(str, Trouble))
ODDITIES = frozenset(map(str, Oddity))
LATEST = 30


@bp.get("/")
def index() -> ResponseReturnValue:
    now = here().now()
    orders = [(order, money(order.amount, order.currency), _says(order, now)) for order in here().ledger.orders(LATEST)]
    return render_template("index.html", orders=orders, tricks=TRICKS, pay_types=PAY_TYPES, stamp=stamp)


@bp.get("/admin/ledger")
def ledger() -> ResponseReturnValue:
    """Everything that is in the books; moments in ISO 8601, UTC."""
    books = here().ledger
    return jsonify(
        orders=[_plain(order) for order in books.orders()],
        notices=[_plain(notice) for notice in books.notices()],
        calls=[_plain(call) for call in books.calls()],
    )


@bp.post("/admin/scenario")
def scenario() -> ResponseReturnValue:
    """`{"next": scenario}` or `{"out_trade_no": number, "scenario": scenario}`."""
    match _json():
        case {"next": str(name)} if name in SCENARIOS:
            here().ledger.set_next(Scenario(name))
        case {"out_trade_no": str(number), "scenario": str(name)} if name in SCENARIOS:
            here().ledger.set_scenario(number, Scenario(name))
        case _:
            abort(422, f"give a scenario, one of {', '.join(Scenario)}")
    return jsonify(ok=True)


@bp.post("/admin/alipay")
def alipay() -> ResponseReturnValue:
    """`{"next": oddity}`: what happens to the next shopper whom Alipay is asked about."""
    match _json():
        case {"next": str(name)} if name in ODDITIES:
            Visits(here().ledger.store).set_next(Oddity(name))
        case _:
            abort(422, f"give next, one of {', '.join(Oddity)}")
    return jsonify(ok=True)


@bp.post("/admin/fault")
def fault() -> ResponseReturnValue:
    """`{"path": "/trade/v1/query", "fault": "http_500", "count": 3}`; the count is 1 when not given."""
    wanted = _json()
    match {"count": 1} | wanted:
        case {"path": str(path), "fault": str(name), "count": int(count)} if path in PATHS and name in TROUBLES:
            here().ledger.inject(path, Trouble(name), count)
        case _:
            abort(422, f"give path, count and fault, one of {', '.join(Trouble)}")
    return jsonify(ok=True)


def _json() -> dict[str, object]:
    # Only JSON: a page of another site cannot send that without asking first.
    body: object = request.get_json()
    return body if isinstance(body, dict) else {}


def _says(order: Order, now: datetime) -> str:
    """The state of an order in the gateway's codes."""
    if not order.records:
        return "not opened yet" if order.payable_at(now) else "never opened"
    return ", ".join(f"{record.order_type} {record.respcd_at(now)}" for record in order.records)


def _plain(row: Any) -> dict[str, object]:
    return dataclasses.asdict(row, dict_factory=_with_iso_moments)


def _with_iso_moments(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in pairs}
