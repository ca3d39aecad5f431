"""The query call: finds records by number and time, as strictly as the documents can be read."""

from collections.abc import Callable
from datetime import datetime, timedelta

from .checks import Call, hong_kong, require
from .context import here
from .facts import HONG_KONG, Refusal, stamp
from .rows import Record

LISTS = frozenset({"syssn", "out_trade_no", "pay_type"})
TAKES = LISTS | {"mchid", "respcd", "start_time", "end_time", "txzone", "page", "page_size"}
SECOND = timedelta(seconds=1)


def find(call: Call) -> dict[str, object]:
    """Answer an enquiry (qfpay.md section 4), newest record first. The outer 0000 only means that the call worked."""
    require(call, needs=frozenset(), takes=TAKES, lists=LISTS)
    if not call.params.keys() & {"syssn", "out_trade_no", "start_time"}:
        raise Refusal("1104", "syssn, out_trade_no or start_time and end_time: one is needed")
    page, size = int(call.get("page") or 1), int(call.get("page_size") or 10)
    found = _matching(call)[(page - 1) * size : page * size]
    return {
        "respcd": "0000",
        "resperr": "請求成功",
        "respmsg": "",
        "page": page,
        "page_size": size,
        "data": [item(record, goods_name, mchid, call.now) for record, goods_name, mchid in found],
    }


def item(record: Record, goods_name: str, mchid: str, now: datetime) -> dict[str, str | None]:
    """One record in the gateway's words."""
    paid = stamp(record.paid_at) if record.paid_at else stamp(record.sysdtm)
    return {
        "syssn": record.syssn,
        "out_trade_no": record.out_trade_no,
        "origssn": record.origssn or None,
        "order_type": record.order_type,
        "pay_type": record.pay_type,
        "txamt": str(record.amount),
        "txcurrcd": record.currency,
        "txdtm": record.txdtm,
        "sysdtm": stamp(record.sysdtm),
        "paydtm": paid,
        "respcd": record.respcd_at(now),
        "errmsg": "",
        "cancel": record.cancel,
        "chnlsn": record.chnlsn,
        "chnlsn2": "",
        "cardcd": record.cardcd,
        "cardtp": "5",
        "clisn": "",
        "userid": "",
        "udid": "",
        "mchid": mchid,
        "goods_name": goods_name,
        "goods_info": "",
        "goods_detail": "",
        "exchange_rate": "",
        "cash_fee": "0",
        "cash_fee_type": "",
        "cash_refund_fee": "0",
        "cash_refund_fee_type": "",
    }


def _matching(call: Call) -> list[tuple[Record, str, str]]:
    """Records with the goods name and mchid of their orders."""
    first, last = _bounds(call)
    asked = ["record.app_code = ?", "sysdtm >= ?", "sysdtm < ?"]
    values: list[object] = [call.app_code, first.timestamp(), last.timestamp()]
    for name in sorted(LISTS & call.params.keys()):
        wanted = call.get(name).split(",")
        asked.append(f"record.{name} IN ({', '.join('?' * len(wanted))})")
        values += wanted
    where = " AND ".join(asked)
    sql = f"""SELECT record.*, trade.goods_name, trade.mchid FROM record JOIN trade USING (token)
              WHERE {where} ORDER BY sysdtm DESC, record.rowid DESC"""  # noqa: S608 - names are ours
    with here().ledger.store.reading() as db:
        rows = db.execute(sql, values).fetchall()
    fits = _respcd_filter(call)
    return [(record, row["goods_name"], row["mchid"]) for row in rows if fits(record := Record.of(row))]


def _respcd_filter(call: Call) -> Callable[[Record], bool]:
    wanted = call.get("respcd")
    return lambda record: not wanted or record.respcd_at(call.now) == wanted


def _bounds(call: Call) -> tuple[datetime, datetime]:
    """The first moment asked for and the first one after; without bounds the current month, even for known numbers."""
    if "start_time" not in call.params and "end_time" not in call.params:
        start = call.now.astimezone(HONG_KONG).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return start, (start + timedelta(days=32)).replace(day=1)
    for name in ("start_time", "end_time"):
        if name not in call.params:
            raise Refusal("1104", f"{name}: is missing, the other bound was given")
    start, end = (hong_kong(name, call.get(name)) for name in ("start_time", "end_time"))
    if end < start or (start.year, start.month) != (end.year, end.month):
        raise Refusal("1104", "start_time, end_time: must lie in one calendar month, in this order")
    return start, end + SECOND
