"""What a merchant does by hand in QFPay's portal: it refunds, and no API call says so."""

import secrets
from datetime import datetime, timedelta

from .facts import stamp
from .ledger import Ledger, insert, new_syssn, queue_notices
from .rows import Record


def portal_refund(
    ledger: Ledger, number: str, amount: int, at: datetime | None = None, *, out_trade_no: str | None = None
) -> Record:
    """Refund a paid order without a call of its API, and notify as after any refund.

    No document says which number such a refund gets: by default one of the portal's own; `""` and the
    payment's own number are possible too. ValueError when not so much is left.
    """
    now = at or ledger.clock()
    order = ledger.order(number)
    payment = order.payments[0]
    gone = sum(refund.amount for refund in order.refunds if refund.origssn == payment.syssn)
    if amount > payment.amount - gone:
        raise ValueError(f"{payment.amount - gone} is left of {number}")
    same = ("app_code", "token", "pay_type", "currency", "chnlsn", "cardcd")
    row = {name: getattr(payment, name) for name in same} | {
        "syssn": new_syssn(now),
        "out_trade_no": f"P{secrets.randbelow(10**18):018d}" if out_trade_no is None else out_trade_no,
        "order_type": "refund",
        "origssn": payment.syssn,
        "amount": amount,
        "txdtm": stamp(now),
        "sysdtm": now.replace(microsecond=0).timestamp(),
        "paid_at": now.timestamp(),
        "expires_at": payment.expires_at.timestamp(),
        "respcd": "0000",
        "lag_until": (now - timedelta(seconds=1)).timestamp(),
    }
    with ledger.store.writing() as db:
        cancel = "3" if gone + amount == payment.amount else "5"
        db.execute("UPDATE record SET cancel = ? WHERE syssn = ?", (cancel, payment.syssn))
        insert(db, "record", row)
        queue_notices(db, order, str(row["syssn"]), now)
    return next(record for record in ledger.order(number).refunds if record.syssn == row["syssn"])
