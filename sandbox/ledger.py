"""The truth about every order, payment and refund, and how wallets change it."""

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from .facts import CURRENCIES, HONG_KONG, PAY_TYPES, Refusal
from .line import Trouble
from .rows import OPEN, Call, Notice, Order, Record
from .scenarios import LAG, LAG_SECONDS, NOTICES, REFUSED_WITH_RECORD, SEVERAL_PAY, Scenario
from .store import Store

CALLS_PER_SECOND = 100

Clock = Callable[[], datetime]


def real_time() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def new_syssn(at: datetime) -> str:
    """A QFPay number: the Hong Kong date and 18 random digits."""
    return f"{at.astimezone(HONG_KONG):%Y%m%d}{secrets.randbelow(10**18):018d}"


class Ledger:
    """Pretend QFPay's books.

    Every method is one transaction. `at` defaults to the ledger's clock. Numbers are `out_trade_no`; where two
    app codes used the same one, the latest order is meant unless `app_code` says which.
    """

    def __init__(self, path: str, clock: Clock = real_time) -> None:
        self.store = Store(path)
        self.clock = clock

    # --- what tests and people look at

    def orders(self, latest: int = -1) -> list[Order]:
        """All orders, newest first; `latest` limits how many."""
        with self.store.reading() as db:
            rows = db.execute("SELECT * FROM trade ORDER BY created_at DESC, rowid DESC LIMIT ?", (latest,)).fetchall()
            return [_with_records(db, row) for row in rows]

    def order(self, number: str, *, app_code: str | None = None) -> Order:
        """KeyError when no payment call ever ordered this number."""
        with self.store.reading() as db:
            return _find(db, number, app_code)

    def order_of(self, token: str) -> Order:
        """The order whose wallet page has this token; KeyError when there is none."""
        with self.store.reading() as db:
            row = db.execute("SELECT * FROM trade WHERE token = ?", (token,)).fetchone()
            if row is None:
                raise KeyError(token)
            return _with_records(db, row)

    def calls(self, path: str | None = None) -> list[Call]:
        """Every API call in the order of arrival; of one path such as /trade/v1/query, or of all."""
        with self.store.reading() as db:
            rows = db.execute("SELECT * FROM call WHERE ?1 IS NULL OR path = ?1 ORDER BY id", (path,)).fetchall()
            return [Call.of(row) for row in rows]

    def notices(self, number: str | None = None) -> list[Notice]:
        """Every notification, of one payment's or refund's number or of all."""
        asked = """SELECT notice.* FROM notice JOIN record USING (syssn)
                   WHERE ?1 IS NULL OR out_trade_no = ?1 ORDER BY notice.id"""
        with self.store.reading() as db:
            return [Notice.of(row) for row in db.execute(asked, (number,)).fetchall()]

    # --- what a payment call does

    def take_order(self, order: Order) -> None:
        """Raise Refusal(1251) when the number was used before, for a payment or for a refund."""
        row = {name: getattr(order, name) for name in Order.__annotations__ if name != "records"}
        row |= {"created_at": order.created_at.timestamp(), "expires_at": order.expires_at.timestamp()}
        with self.store.writing() as db:
            use_number(db, order.app_code, order.out_trade_no)
            insert(db, "trade", row)
            if order.scenario in REFUSED_WITH_RECORD:
                _new_scan(db, order, order.created_at, REFUSED_WITH_RECORD[order.scenario])

    # --- what the shopper's wallet does

    def scan(self, token: str, at: datetime | None = None) -> Record | None:
        """The wallet opened the code: the open record, the paid one, or a new one. None: the code is dead."""
        now = at or self.clock()
        with self.store.writing() as db:
            order = self._order_of(db, token)
            known = [record for record in order.records if record.open or record.paid]
            if known and order.scenario != Scenario.DOUBLE:
                return known[-1]
            return _new_scan(db, order, now) if order.payable_at(now) else None

    def settle(self, syssn: str, at: datetime | None = None) -> bool:
        """The shopper paid this scan. False: it is no longer open, or the order has been paid by another scan."""
        now = at or self.clock()
        with self.store.writing() as db:
            record = _record(db, syssn)
            order = self._order_of(db, record.token)
            if not record.open or (order.payments and order.scenario not in SEVERAL_PAY):
                return False
            _mark_paid(db, order, record, now)
            if order.scenario == Scenario.PAID_TWICE:
                _mark_paid(db, order, _new_scan(db, order, now), now)
            return True

    def refuse(self, syssn: str) -> bool:
        """The shopper declined this scan; the code itself lives on. False: it was not open."""
        with self.store.writing() as db:
            changed = db.execute(
                "UPDATE record SET respcd = '1201' WHERE syssn = ? AND respcd IN (?, ?)", (syssn, *OPEN)
            )
            return changed.rowcount == 1

    def pay(self, number: str, at: datetime | None = None, *, app_code: str | None = None) -> Record:
        """Pay an order as a shopper would, scanning it if need be; `at` may lie after its end of life.

        ValueError when it has been paid already (scenario `double` allows more).
        """
        now = at or self.clock()
        scan = self._open_scan(number, now, app_code)
        if not self.settle(scan.syssn, now):
            raise ValueError(f"{number} has been paid already")
        with self.store.reading() as db:
            return _record(db, scan.syssn)

    def decline(self, number: str, at: datetime | None = None, *, app_code: str | None = None) -> Record:
        """Scan an order if need be, and let the wallet decline. ValueError when it has been paid already."""
        scan = self._open_scan(number, at or self.clock(), app_code)
        if not self.refuse(scan.syssn):
            raise ValueError(f"{number} has been paid already")
        with self.store.reading() as db:
            return _record(db, scan.syssn)

    # --- what tests script

    def set_scenario(self, number: str, scenario: Scenario) -> None:
        """Give a payment's or refund's number a scenario, before or after the gateway hears of it."""
        with self.store.writing() as db:
            db.execute("UPDATE trade SET scenario = ? WHERE out_trade_no = ?", (scenario, number))
            db.execute("INSERT INTO script (out_trade_no, scenario) VALUES (?, ?)", (number, scenario))

    def set_next(self, scenario: Scenario) -> None:
        """Give the next payment or refund call a scenario. Several wait in line."""
        with self.store.writing() as db:
            db.execute("INSERT INTO script (out_trade_no, scenario) VALUES ('', ?)", (scenario,))

    def scripted(self, number: str) -> Scenario | None:
        """Take the scenario set for this number or for the next call."""
        with self.store.writing() as db:
            asked = "SELECT * FROM script WHERE out_trade_no IN (?, '') ORDER BY out_trade_no DESC, id LIMIT 1"
            row = db.execute(asked, (number,)).fetchone()
            if row is None:
                return None
            db.execute("DELETE FROM script WHERE id = ?", (row["id"],))
            return Scenario(row["scenario"])

    def inject(self, path: str, trouble: Trouble, count: int = 1) -> None:
        """Let the next `count` calls of a path such as /trade/v1/query fail, without any effect."""
        with self.store.writing() as db:
            db.execute("INSERT INTO fault (path, trouble, remaining) VALUES (?, ?, ?)", (path, trouble, count))

    # --- what every API call leaves behind

    def note_call(
        self, path: str, app_code: str, params: Mapping[str, str], at: datetime, *, per_minute: int | None
    ) -> tuple[int, Trouble | None]:
        """Write down a call; returns its id and the trouble that awaits it, HTTP 429 when over a limit.

        The limits are those of qfpay.md section 4, for each merchant, who has one app code here; None lifts both.
        """
        with self.store.writing() as db:
            limits = {} if per_minute is None else {60: per_minute, 1: CALLS_PER_SECOND}
            busy = any(_calls_since(db, app_code, at.timestamp() - span) >= most for span, most in limits.items())
            row = {"at": at.timestamp(), "app_code": app_code, "path": path, "params": json.dumps(dict(params))}
            call = insert(db, "call", row | {"counted": not busy})
            return call, Trouble.HTTP_429 if busy else _next_fault(db, path)

    def note_answer(self, call: int, answer: str) -> None:
        """Write down what a call was told."""
        with self.store.writing() as db:
            db.execute("UPDATE call SET answer = ? WHERE id = ?", (answer, call))

    def _order_of(self, db: sqlite3.Connection, token: str) -> Order:
        return _with_records(db, db.execute("SELECT * FROM trade WHERE token = ?", (token,)).fetchone())

    def _open_scan(self, number: str, now: datetime, app_code: str | None) -> Record:
        with self.store.writing() as db:
            order = _find(db, number, app_code)
            scans = [record for record in order.records if record.open]
            return scans[-1] if scans else _new_scan(db, order, now)


def use_number(db: sqlite3.Connection, app_code: str, number: str) -> None:
    """Raise Refusal(1251) when the number was used before. The primary key is the referee."""
    try:
        db.execute("INSERT INTO number VALUES (?, ?)", (app_code, number))
    except sqlite3.IntegrityError:
        raise Refusal("1251", f"out_trade_no: {number} was used before") from None


def insert(db: sqlite3.Connection, table: str, row: Mapping[str, object]) -> int:
    """Insert one row; table and column names are ours, never a caller's."""
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    return db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", dict(row)).lastrowid or 0  # noqa: S608


def queue_notices(db: sqlite3.Connection, order: Order, syssn: str, due: datetime) -> None:
    """Queue what QFPay will tell about a success: once, unless the scenario says otherwise."""
    if not order.notify_url:
        return
    for _ in range(NOTICES.get(order.scenario, 1) if order.scenario else 1):
        insert(db, "notice", {"syssn": syssn, "url": order.notify_url, "due_at": due.timestamp()})


def _find(db: sqlite3.Connection, number: str, app_code: str | None) -> Order:
    asked = """SELECT * FROM trade WHERE out_trade_no = ?1 AND (?2 IS NULL OR app_code = ?2)
               ORDER BY created_at DESC LIMIT 1"""
    row = db.execute(asked, (number, app_code)).fetchone()
    if row is None:
        raise KeyError(number)
    return _with_records(db, row)


def _with_records(db: sqlite3.Connection, row: sqlite3.Row) -> Order:
    records = db.execute("SELECT * FROM record WHERE token = ? ORDER BY sysdtm, rowid", (row["token"],))
    return Order.of(row, tuple(Record.of(record) for record in records.fetchall()))


def _record(db: sqlite3.Connection, syssn: str) -> Record:
    row = db.execute("SELECT * FROM record WHERE syssn = ?", (syssn,)).fetchone()
    if row is None:
        raise KeyError(syssn)
    return Record.of(row)


def _new_scan(db: sqlite3.Connection, order: Order, now: datetime, respcd: str = "1143") -> Record:
    """The first scan carries the number and time that the payment call was told; each later one gets its own."""
    first = not order.records
    scan = {
        "syssn": order.syssn if first else new_syssn(now),
        "sysdtm": (order.created_at if first else now).timestamp(),
        "order_type": "payment",
        "origssn": "",
        "respcd": respcd,
        "expires_at": order.expires_at.timestamp(),
        "cardcd": f"2088{secrets.randbelow(10**12):012d}",
    }
    same = ("app_code", "out_trade_no", "token", "pay_type", "amount", "currency", "txdtm")
    insert(db, "record", scan | {name: getattr(order, name) for name in same})
    return _record(db, str(scan["syssn"]))


def _mark_paid(db: sqlite3.Connection, order: Order, record: Record, now: datetime) -> None:
    noticed = now + timedelta(seconds=LAG_SECONDS) if order.scenario in LAG else now
    paid = {
        "respcd": "0000",
        "paid_at": now.timestamp(),
        "lag_respcd": LAG.get(order.scenario, "") if order.scenario else "",
        "lag_until": noticed.timestamp(),
        "chnlsn": f"{now.astimezone(HONG_KONG):%Y%m%d}2200{secrets.randbelow(10**16):016d}",
    } | _twisted(order)
    changes = ", ".join(f"{name} = :{name}" for name in paid)
    db.execute(f"UPDATE record SET {changes} WHERE syssn = :syssn", paid | {"syssn": record.syssn})  # noqa: S608
    queue_notices(db, order, record.syssn, noticed)


def _twisted(order: Order) -> dict[str, object]:
    """How the paid record differs from the order, for the scenarios about that."""
    match order.scenario:
        case Scenario.WRONG_AMOUNT:
            return {"amount": order.amount - 1}
        case Scenario.WRONG_CURRENCY:
            return {"currency": next(code for code in CURRENCIES if code != order.currency)}
        case Scenario.WRONG_PAY_TYPE:
            return {"pay_type": next(code for code in PAY_TYPES if code != order.pay_type)}
        case Scenario.RETURNED:
            return {"cancel": "3"}
        case _:
            return {}


def _calls_since(db: sqlite3.Connection, app_code: str, moment: float) -> int:
    asked = "SELECT count(*) FROM call WHERE counted = 1 AND app_code = ? AND at > ?"
    return int(db.execute(asked, (app_code, moment)).fetchone()[0])


def _next_fault(db: sqlite3.Connection, path: str) -> Trouble | None:
    row = db.execute("SELECT * FROM fault WHERE path = ? AND remaining > 0 ORDER BY id LIMIT 1", (path,)).fetchone()
    if row is None:
        return None
    db.execute("UPDATE fault SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
    return Trouble(row["trouble"])
