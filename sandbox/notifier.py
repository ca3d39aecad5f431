"""Notifications: signs them, sends them, and repeats them until the merchant's side says SUCCESS."""

import json
import logging
import threading
from datetime import datetime, timedelta
from typing import NamedTuple

import requests
from flask import Flask

from checkout.domain.signing import sign_notification

from .context import Sandbox
from .facts import stamp
from .rows import Notice, Order, Record

log = logging.getLogger(__name__)

# fmt: off
RETRY_AFTER = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 10, 60, 2 * 60, 6 * 60, 15 * 60))
# fmt: on
TIMEOUT_SECONDS = 10.0
LEASE = timedelta(seconds=60)
IDLE_SECONDS = 0.25


class Sent(NamedTuple):
    """One delivery as it went over the wire. `status` is None when nobody answered."""

    body: bytes
    sign: str
    url: str
    status: int | None


def deliver_due(app: Flask, now: datetime) -> list[Sent]:
    """Send every notification that is due at `now`, once each, earliest first."""
    sandbox: Sandbox = app.extensions["sandbox"]
    asked = "SELECT * FROM notice WHERE over = 0 AND due_at <= ? ORDER BY due_at, id"
    with sandbox.ledger.store.reading() as db:
        due = [Notice.of(row) for row in db.execute(asked, (now.timestamp(),)).fetchall()]
    sent = (deliver_notice(sandbox, notice, now) for notice in due)
    return [one for one in sent if one is not None]


def deliver_notice(sandbox: Sandbox, notice: Notice, now: datetime) -> Sent | None:
    """Send one notification. None: another process has it, or it is over."""
    if not _claimed(sandbox, notice, now):
        return None
    record, order, key = _about(sandbox, notice)
    body = json.dumps(fields(record, order)).encode()
    sign = sign_notification(body, key)
    status, accepted = _post(sandbox.http, notice.url, body, sign)
    tries = notice.tries + 1
    over = accepted or tries > len(RETRY_AFTER)
    due = now if over else now + RETRY_AFTER[tries - 1] / sandbox.notify_speed
    with sandbox.ledger.store.writing() as db:
        db.execute(
            "UPDATE notice SET tries = ?, over = ?, status = ?, due_at = ? WHERE id = ?",
            (tries, over, status, due.timestamp(), notice.id),
        )
    return Sent(body, sign, notice.url, status)


def fields(record: Record, order: Order) -> dict[str, str]:
    """A notification's fields (qfpay.md section 6), in the order in which QFPay writes them."""
    mchid = {"mchid": order.mchid} if order.mchid else {}
    return {
        "status": "1",
        "pay_type": record.pay_type,
        "sysdtm": stamp(record.sysdtm),
        "paydtm": stamp(record.paid_at or record.sysdtm),
        "goods_name": order.goods_name,
        "txcurrcd": record.currency,
        "txdtm": record.txdtm,
        **mchid,
        "txamt": str(record.amount),
        "exchange_rate": "",
        "chnlsn2": "",
        "out_trade_no": record.out_trade_no,
        "syssn": record.syssn,
        "cash_fee_type": "",
        "cancel": record.cancel,
        "respcd": "0000",
        "goods_info": "",
        "cash_fee": "0",
        "notify_type": record.order_type,
        "chnlsn": record.chnlsn,
        "cardcd": record.cardcd,
    }


class Notifier:
    """Delivers in a daemon thread of its own, begun with the first call (so after a server has forked)."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._begun = threading.Lock()

    def begin(self) -> None:
        """Start the thread once; cheap to call again."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._run, name="sandbox-notifier", daemon=True).start()

    def _run(self) -> None:
        resting = threading.Event()
        sandbox: Sandbox = self._app.extensions["sandbox"]
        while not resting.wait(IDLE_SECONDS):
            try:
                deliver_due(self._app, sandbox.now())
            except Exception:  # one bad round must not silence the sandbox for ever
                log.exception("the notifier stumbled")


def _claimed(sandbox: Sandbox, notice: Notice, now: datetime) -> bool:
    """Take the row for a while by pushing its due time ahead; only one of several processes succeeds."""
    with sandbox.ledger.store.writing() as db:
        changed = db.execute(
            "UPDATE notice SET due_at = ? WHERE id = ? AND over = 0 AND tries = ? AND due_at = ?",
            ((now + LEASE).timestamp(), notice.id, notice.tries, notice.due_at.timestamp()),
        )
        return changed.rowcount == 1


def _about(sandbox: Sandbox, notice: Notice) -> tuple[Record, Order, str]:
    with sandbox.ledger.store.reading() as db:
        record = Record.of(db.execute("SELECT * FROM record WHERE syssn = ?", (notice.syssn,)).fetchone())
    return record, sandbox.ledger.order_of(record.token), sandbox.credentials[record.app_code].client_key


def _post(http: requests.Session, url: str, body: bytes, sign: str) -> tuple[int | None, bool]:
    """The answer's status, and whether it is the one QFPay wants: 200 and exactly SUCCESS."""
    headers = {"Content-Type": "application/json", "X-QF-SIGN": sign}
    try:
        answer = http.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        log.info("notification to %s not delivered: %s", url, type(error).__name__)
        return None, False
    return answer.status_code, answer.status_code == 200 and answer.content == b"SUCCESS"
