"""What can go wrong, as a table: which call each fault strikes, and how."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox import Scenario


class Strikes(StrEnum):
    """Whose next doing a fault spoils."""

    PAYMENT = "/trade/v1/payment"
    QUERY = "/trade/v1/query"
    REFUND = "/trade/v1/refund"
    NOTICE = "notice"  # a notification on its way to us
    ENDPOINT = "endpoint"  # a webhook on its way to a merchant
    DATABASE = "database"
    PROCESS = "process"


class Wire(StrEnum):
    """What may happen to one exchange, wherever it leads. `un…` and `not_…`: the other side never heard of it."""

    NOT_SENT = "not_sent"
    UNHEARD = "unheard"
    UNANSWERED = "unanswered"
    UNHEARD_500 = "unheard_500"
    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    HTML = "html"
    GARBAGE = "garbage"
    SLOW = "slow"  # it is all well, but the clock has gone on
    FORGETFUL = "forgetful"  # an enquiry does not list yet what is young
    TWICE = "twice"


@dataclass(frozen=True)
class Code:
    """The gateway refuses with this code, and has done nothing."""

    code: str


@dataclass(frozen=True)
class Denied:
    """The gateway refuses with one of these codes, and has done what was asked where True stands beside it."""

    ways: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Failing:
    """SQLite's own code, when a transaction is about to begin."""

    code: int


@dataclass(frozen=True)
class Trouble:
    """One row: `does` is of the wire, a code, or a course of events that the sandbox itself knows."""

    strikes: Strikes
    does: Wire | Code | Denied | Failing | Scenario | None = None


S, W, C = Strikes, Wire, Scenario
KILLED = "process: killed"
DENIED = Denied((("1100", False), ("1297", True), ("1264", True), ("1296", False), ("1146", True), ("1100", True)))

# fmt: off
FAULTS: dict[str, Trouble] = {
    "payment: connection refused":       Trouble(S.PAYMENT, W.NOT_SENT),
    "payment: time-out before":          Trouble(S.PAYMENT, W.UNHEARD),
    "payment: time-out after":           Trouble(S.PAYMENT, W.UNANSWERED),
    "payment: HTTP 500 without effect":  Trouble(S.PAYMENT, W.UNHEARD_500),
    "payment: HTTP 500 with effect":     Trouble(S.PAYMENT, W.HTTP_500),
    "payment: HTTP 429":                 Trouble(S.PAYMENT, W.HTTP_429),
    "payment: HTML":                     Trouble(S.PAYMENT, W.HTML),
    "payment: garbage":                  Trouble(S.PAYMENT, W.GARBAGE),
    "payment: slow":                     Trouble(S.PAYMENT, W.SLOW),
    "payment: wrong echo":               Trouble(S.PAYMENT, C.WRONG_ECHO),
    "payment: no pay_url":               Trouble(S.PAYMENT, C.NO_PAY_URL),
    "payment: evil pay_url":             Trouble(S.PAYMENT, C.EVIL_PAY_URL),
    "payment: refused 1104":             Trouble(S.PAYMENT, C.REFUSED_1104),
    "payment: no balance 1201":          Trouble(S.PAYMENT, C.NOT_ENOUGH_BALANCE),
    "payment: busy 1298":                Trouble(S.PAYMENT, C.BUSY_1298),
    "record: wrong amount":              Trouble(S.PAYMENT, C.WRONG_AMOUNT),
    "record: wrong currency":            Trouble(S.PAYMENT, C.WRONG_CURRENCY),
    "record: wrong pay type":            Trouble(S.PAYMENT, C.WRONG_PAY_TYPE),
    "record: returned":                  Trouble(S.PAYMENT, C.RETURNED),
    "record: 1143 though paid":          Trouble(S.PAYMENT, C.PENDING_1143),
    "record: 1145 though paid":          Trouble(S.PAYMENT, C.PROCESSING_1145),
    "record: each scan can be paid":     Trouble(S.PAYMENT, C.DOUBLE),
    "record: paid twice":                Trouble(S.PAYMENT, C.PAID_TWICE),
    "record: paid after its end":        Trouble(S.PAYMENT, C.LATE_PAYMENT),
    "notification: never":               Trouble(S.PAYMENT, C.NOTIFICATION_LOST),
    "notification: thrice":              Trouble(S.PAYMENT, C.DUPLICATE_NOTIFICATION),
    "notification: before the answer":   Trouble(S.PAYMENT, C.NOTIFICATION_EARLY),
    "notification: lost on its way":     Trouble(S.NOTICE, W.UNHEARD),
    "notification: our answer lost":     Trouble(S.NOTICE, W.UNANSWERED),
    "notification: repeated at once":    Trouble(S.NOTICE, W.TWICE),
    "refund: connection refused":        Trouble(S.REFUND, W.NOT_SENT),
    "refund: time-out before":           Trouble(S.REFUND, W.UNHEARD),
    "refund: time-out after":            Trouble(S.REFUND, W.UNANSWERED),
    "refund: HTTP 500 with effect":      Trouble(S.REFUND, W.HTTP_500),
    "refund: slow":                      Trouble(S.REFUND, W.SLOW),
    "refund: low takings 1269":          Trouble(S.REFUND, C.LOW_TAKINGS),
    "refund: not at night 1265":         Trouble(S.REFUND, Code("1265")),
    "refund: denied, done or not":      Trouble(S.REFUND, DENIED),
    "refund: processing 1145":           Trouble(S.REFUND, C.REFUND_PROCESSING),
    "enquiry: time-out":                 Trouble(S.QUERY, W.UNANSWERED),
    "enquiry: HTTP 500":                 Trouble(S.QUERY, W.HTTP_500),
    "enquiry: HTTP 429":                 Trouble(S.QUERY, W.HTTP_429),
    "enquiry: garbage":                  Trouble(S.QUERY, W.GARBAGE),
    "enquiry: slow":                     Trouble(S.QUERY, W.SLOW),
    "enquiry: young records missing":    Trouble(S.QUERY, W.FORGETFUL),
    "enquiry: busy 1298":                Trouble(S.QUERY, Code("1298")),
    "webhook: HTTP 500":                 Trouble(S.ENDPOINT, W.HTTP_500),
    "webhook: time-out":                 Trouble(S.ENDPOINT, W.UNANSWERED),
    "database: busy":                    Trouble(S.DATABASE, Failing(sqlite3.SQLITE_BUSY)),
    "database: disk error":              Trouble(S.DATABASE, Failing(sqlite3.SQLITE_IOERR)),
    KILLED:                              Trouble(S.PROCESS),
}
# fmt: on


@dataclass
class Waiting:
    """Faults that wait for their moment, one for each kind of call, and how often each has had it."""

    armed: dict[Strikes, str] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)

    def arm(self, name: str) -> None:
        self.armed[FAULTS[name].strikes] = name

    def strike(self, what: Strikes) -> Trouble | None:
        """The fault that this doing meets. It is used up, and counted."""
        if (name := self.armed.pop(what, None)) is None:
            return None
        self.struck[name] += 1
        return FAULTS[name]
