"""Refunds of what was paid; reversal and closing of what was not."""

import sqlite3
from datetime import datetime, time, timedelta

from .checks import Call, check_txdtm, require
from .context import here
from .facts import CLOSABLE, HONG_KONG, REVERSIBLE, TEXTS, Refusal, stamp
from .ledger import insert, new_syssn, queue_notices, use_number
from .rows import Order, Record
from .scenarios import LAG_SECONDS, REFUND_DONE, REFUND_REFUSED, REFUND_SCENARIOS, REFUNDED, Scenario

REFUND_NEEDS = frozenset({"syssn", "out_trade_no", "txamt", "txdtm"})
UNDO_NEEDS = frozenset({"txamt", "txdtm"})
PAUSE_FROM, PAUSE_TO = time(23, 30), time(0, 30)
QUICK = timedelta(seconds=3)  # what Antom wants between partial refunds; QFPay names no figure


def refund(call: Call) -> tuple[dict[str, object], Scenario | None]:
    """Answer a refund call (qfpay.md section 5.1); the whole check and the booking are one transaction."""
    require(call, needs=REFUND_NEEDS, takes=frozenset({"mchid", "udid", "txzone"}))
    check_txdtm(call)
    wall = call.now.astimezone(HONG_KONG).time()
    if here().refund_pause and (wall >= PAUSE_FROM or wall < PAUSE_TO):
        raise Refusal("1265")
    scenario = here().ledger.scripted(call.get("out_trade_no"))
    with here().ledger.store.writing() as db:
        use_number(db, call.app_code, call.get("out_trade_no"))  # undone when a check below refuses
        order, payment = _payment(db, call)
        scenario = scenario or (order.scenario if order.scenario in REFUND_SCENARIOS else None)
        _check_refund(order, payment, call, scenario)
        booked = _book_refund(db, order, payment, call, scenario)
    if scenario in REFUND_DONE:
        code = REFUND_DONE[scenario]
        return {"respcd": code, "resperr": TEXTS[code], "respmsg": TEXTS[code]}, scenario
    return booked, scenario


def reverse(call: Call) -> dict[str, object]:
    """Withdraw an unpaid order of the two QR pay types (section 5.2)."""
    return _withdraw(call, REVERSIBLE)


def close(call: Call) -> dict[str, object]:
    """Withdraw an unpaid order of 801514 (section 5.3)."""
    return _withdraw(call, CLOSABLE)


def _payment(db: sqlite3.Connection, call: Call) -> tuple[Order, Record]:
    """The order and the record that a refund names; Refusal(1268) for a stranger's or an unknown one."""
    row = db.execute(
        "SELECT * FROM record WHERE app_code = ? AND syssn = ? AND order_type = 'payment'",
        (call.app_code, call.get("syssn")),
    ).fetchone()
    if row is None:
        raise Refusal("1268", "syssn: no such payment")
    return here().ledger.order_of(row["token"]), Record.of(row)


def _check_refund(order: Order, payment: Record, call: Call, scenario: Scenario | None) -> None:
    if payment.respcd_at(call.now) != "0000":
        raise Refusal("1261", "syssn: is not paid")
    left = payment.amount - _refunded(order, payment)
    if not left or payment.cancel == "3":
        raise Refusal(REFUNDED.get(scenario, "1262") if scenario else "1262", "syssn: is refunded")
    if int(call.get("txamt")) > left:
        raise Refusal("1272", f"txamt: at most {left} is left")
    if scenario in REFUND_REFUSED:
        raise Refusal(REFUND_REFUSED[scenario])
    if any(call.now - refund.paid_at < QUICK for refund in _refunds(order, payment) if refund.paid_at):
        raise Refusal("1145", "syssn: another refund of it is still being processed")  # section 5.1 names no code


def _refunds(order: Order, payment: Record) -> list[Record]:
    return [refund for refund in order.refunds if refund.origssn == payment.syssn]


def _refunded(order: Order, payment: Record) -> int:
    return sum(refund.amount for refund in _refunds(order, payment))


def _book_refund(
    db: sqlite3.Connection, order: Order, payment: Record, call: Call, scenario: Scenario | None
) -> dict[str, object]:
    amount, lags = int(call.get("txamt")), scenario in (Scenario.REFUND_PROCESSING, Scenario.PROCESSING_1145)
    noticed = call.now + timedelta(seconds=LAG_SECONDS) if lags else call.now
    whole = _refunded(order, payment) + amount == payment.amount
    db.execute("UPDATE record SET cancel = ? WHERE syssn = ?", ("3" if whole else "5", payment.syssn))
    same = ("app_code", "token", "pay_type", "currency", "expires_at", "chnlsn", "cardcd")
    row = {name: getattr(payment, name) for name in same} | {
        "syssn": new_syssn(call.now),
        "out_trade_no": call.get("out_trade_no"),
        "order_type": "refund",
        "origssn": payment.syssn,
        "amount": amount,
        "txdtm": call.get("txdtm"),
        "sysdtm": call.now.replace(microsecond=0).timestamp(),
        "paid_at": call.now.timestamp(),
        "expires_at": payment.expires_at.timestamp(),
        "respcd": "0000",
        "lag_respcd": "1145",
        "lag_until": noticed.timestamp(),
    }
    insert(db, "record", row)
    queue_notices(db, order, str(row["syssn"]), noticed)
    return _receipt(call, str(row["syssn"]), payment.syssn, "1145" if lags else "0000", payment.currency)


def _withdraw(call: Call, possible: frozenset[str]) -> dict[str, object]:
    require(call, needs=UNDO_NEEDS, takes=frozenset({"syssn", "out_trade_no", "mchid", "udid", "txzone"}))
    order = _order(call)
    if int(call.get("txamt")) != order.amount:
        raise Refusal("1266", "txamt: is not the order's")
    if call.get("txdtm") != order.txdtm:
        raise Refusal("1267", "txdtm: is not the order's")
    if order.payments:
        raise Refusal("1260")
    if order.pay_type not in possible:
        raise Refusal("1297", "pay_type: cannot be withdrawn this way")
    if order.closed_at is not None:
        raise Refusal("1142")
    if call.now >= order.expires_at:
        raise Refusal("1181")
    _mark_closed(order, call.now)
    return _receipt(call, new_syssn(call.now), order.syssn, "0000", order.currency)


def _order(call: Call) -> Order:
    if not call.params.keys() & {"syssn", "out_trade_no"}:
        raise Refusal("1104", "syssn or out_trade_no: one is needed")
    with here().ledger.store.reading() as db:
        row = db.execute(
            "SELECT token FROM trade WHERE app_code = ? AND (syssn = ? OR out_trade_no = ?)",
            (call.app_code, call.get("syssn"), call.get("out_trade_no")),
        ).fetchone()
    if row is None:
        raise Refusal("1268", "syssn, out_trade_no: no such order")
    return here().ledger.order_of(row["token"])


def _mark_closed(order: Order, now: datetime) -> None:
    """Refusal(1260) when the shopper was faster."""
    with here().ledger.store.writing() as db:
        if db.execute("SELECT 1 FROM record WHERE token = ? AND respcd = '0000'", (order.token,)).fetchone():
            raise Refusal("1260")
        db.execute(
            "UPDATE trade SET closed_at = ? WHERE token = ? AND closed_at IS NULL", (now.timestamp(), order.token)
        )
        db.execute("UPDATE record SET respcd = '1142' WHERE token = ? AND respcd IN ('1143', '1298')", (order.token,))


def _receipt(call: Call, syssn: str, original: str, respcd: str, currency: str) -> dict[str, object]:
    now = stamp(call.now)
    return {
        "syssn": syssn,
        "orig_syssn": original,
        "out_trade_no": call.get("out_trade_no"),
        "txamt": call.get("txamt"),
        "txcurrcd": currency,
        "txdtm": call.get("txdtm"),
        "sysdtm": now,
        "paydtm": now,
        "respcd": respcd,
        "resperr": "",
        "respmsg": "",
        "chnlsn": "",
        "cash_fee": "",
        "cash_fee_type": "",
        "cash_refund_fee": "",
        "cash_refund_fee_type": "",
    }
