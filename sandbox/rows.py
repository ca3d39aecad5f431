"""The ledger's rows as values: orders, records, notices and calls."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from .scenarios import Scenario

OPEN = ("1143", "1298")  # the shopper can still pay it


def moment(seconds: float | None) -> datetime | None:
    """Read a stored moment; aware, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _surely(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class Record:
    """One thing that an enquiry finds: a scan of an order's code, or a refund. Amounts in minor units."""

    syssn: str
    app_code: str
    out_trade_no: str
    order_type: str  # payment | refund
    origssn: str
    token: str
    pay_type: str
    amount: int
    currency: str
    txdtm: str
    sysdtm: datetime
    paid_at: datetime | None
    expires_at: datetime
    respcd: str
    lag_respcd: str
    lag_until: datetime
    cancel: str
    chnlsn: str
    cardcd: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Record":
        values = {name: row[name] for name in cls.__annotations__}
        values |= {name: _surely(row[name]) for name in ("sysdtm", "expires_at", "lag_until")}
        return cls(**values | {"paid_at": moment(row["paid_at"])})

    def respcd_at(self, now: datetime) -> str:
        """What an enquiry made at `now` says about this record."""
        if now < self.lag_until:
            return self.lag_respcd
        if self.respcd in OPEN and now >= self.expires_at:
            return "1181"
        return self.respcd

    @property
    def paid(self) -> bool:
        return self.order_type == "payment" and self.respcd == "0000"

    @property
    def open(self) -> bool:
        return self.order_type == "payment" and self.respcd in OPEN


@dataclass(frozen=True)
class Order:
    """What a payment call ordered, and the records it has led to, oldest first."""

    token: str
    app_code: str
    out_trade_no: str
    syssn: str
    pay_type: str
    amount: int
    currency: str
    txdtm: str
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    goods_name: str
    udid: str
    mchid: str
    openid: str
    return_url: str
    notify_url: str
    scenario: Scenario | None
    records: tuple[Record, ...] = ()

    @classmethod
    def of(cls, row: sqlite3.Row, records: tuple[Record, ...] = ()) -> "Order":
        values = {name: row[name] for name in cls.__annotations__ if name != "records"}
        values |= {name: _surely(row[name]) for name in ("created_at", "expires_at")}
        scenario = Scenario(row["scenario"]) if row["scenario"] else None
        return cls(**values | {"closed_at": moment(row["closed_at"]), "scenario": scenario, "records": records})

    @property
    def payments(self) -> tuple[Record, ...]:
        """The paid scans, oldest first."""
        return tuple(record for record in self.records if record.paid)

    @property
    def refunds(self) -> tuple[Record, ...]:
        return tuple(record for record in self.records if record.order_type == "refund")

    def payable_at(self, now: datetime) -> bool:
        """Whether the wallet would still take a payment."""
        return self.closed_at is None and (now < self.expires_at or self.scenario == Scenario.LATE_PAYMENT)


@dataclass(frozen=True)
class Notice:
    """One notification: to whom, about which record, and how far it got."""

    id: int
    syssn: str
    url: str
    due_at: datetime
    tries: int
    over: bool
    status: int | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Notice":
        values = {name: row[name] for name in cls.__annotations__}
        return cls(**values | {"due_at": _surely(row["due_at"]), "over": bool(row["over"])})


@dataclass(frozen=True)
class Call:
    """One API call as it arrived. `answer` is the status code or the trouble that it met; empty while under way."""

    at: datetime
    app_code: str
    path: str
    params: dict[str, str]
    answer: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Call":
        return cls(_surely(row["at"]), row["app_code"], row["path"], json.loads(row["params"]), row["answer"])
