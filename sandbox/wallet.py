"""The pretend wallet: the page behind a pay_url, where a shopper pays or declines."""

from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .context import here
from .facts import PAY_TYPES, money
from .rows import Order, Record

bp = Blueprint("wallet", __name__, url_prefix="/wallet")


class Stage(StrEnum):
    """What the wallet shows."""

    ASK = "ask"
    PAID = "paid"
    DECLINED = "declined"
    ALREADY = "already"
    OVER = "over"


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Opening a code is a scan, which the gateway notices; only the shopper's POST pays."""
    order = _order(token)
    if scan := _known_scan(order):
        return _page(order, scan)
    return _page(order, here().ledger.scan(token))


@bp.post("/<token>")
def act(token: str) -> ResponseReturnValue:
    order = _order(token)
    scan = _known_scan(order) or here().ledger.scan(token)
    if scan is None or not order.payable_at(here().now()):
        return _page(order, None), 409
    match request.form.get("action"):
        case "pay":
            done = here().ledger.settle(scan.syssn)
        case "decline":
            done = here().ledger.refuse(scan.syssn)
        case _:
            abort(400, "action must be pay or decline")
    order = _order(token)
    scan = next(record for record in order.records if record.syssn == scan.syssn)
    if not done:
        return _page(order, scan, Stage.ALREADY if order.payments else None), 409
    if scan.paid and PAY_TYPES[order.pay_type].returns and order.return_url:
        return redirect(_way_back(order, scan), 303)
    return redirect(url_for(".show", token=token, scan=scan.syssn), 303)


def _order(token: str) -> Order:
    try:
        return here().ledger.order_of(token)
    except KeyError:
        abort(404)


def _known_scan(order: Order) -> Record | None:
    """The scan that the page was about, when it says so."""
    syssn = request.values.get("scan")
    return next((scan for scan in order.records if scan.syssn == syssn and not scan.origssn), None)


def _page(order: Order, scan: Record | None, stage: Stage | None = None) -> str:
    stage = stage or _stage(order, scan, here().now())
    if order.return_url:
        g.may_lead_to = _origin(order.return_url)
    return render_template(
        "wallet.html",
        order=order,
        scan=scan,
        stage=stage,
        pay_type=PAY_TYPES[order.pay_type],
        amount=money(order.amount, order.currency),
        way_back=_way_back(order, scan) if stage == Stage.PAID and scan and order.return_url else "",
    )


def _stage(order: Order, scan: Record | None, now: datetime) -> Stage:
    if scan and scan.paid:
        return Stage.PAID
    if not order.payable_at(now) or scan is None:
        return Stage.OVER
    return Stage.ASK if scan.open else Stage.DECLINED


def _way_back(order: Order, scan: Record) -> str:
    """The merchant's address with what QFPay once appended (qfpay.md section 3.6). Unsigned: proof of nothing."""
    news = {
        "syssn": scan.syssn,
        "out_trade_no": order.out_trade_no,
        "pay_type": order.pay_type,
        "txamt": str(order.amount),
        "txdtm": order.txdtm,
        "respcd": scan.respcd_at(here().now()),
        "respmsg": "",
    }
    return f"{order.return_url}?{urlencode(({'mchid': order.mchid} if order.mchid else {}) | news)}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
