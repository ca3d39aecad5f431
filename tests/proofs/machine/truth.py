"""What must be true: of the books after every step, and of the books and the gateway's ledger once all is at rest."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox import Scenario
from sandbox.rows import Record
from tests.proofs.machine.world import HardWorld

Row = tuple[Any, ...]

# What each of these may still become. A status that is not named may become anything.
# fmt: off
ENDS = {
    "session":  {"paid": {"paid"}, "expired": {"expired", "paid"}, "cancelled": {"cancelled", "paid"},
                 "closing": {"closing", "paid", "expired", "cancelled"}},
    "attempt":  {"succeeded": {"succeeded"}, "closed": {"closed", "succeeded"},
                 "failed": {"failed", "closed", "succeeded"}},
    "refund":   {"succeeded": {"succeeded"}, "failed": {"failed"}},
    "delivery": {"done": {"done"}, "dead": {"dead"}},
    "payment":  {role: {role} for role in ("accepted", "surplus", "late", "mismatch")},
    "event":    {},
}
# A row: its id, its status, and what may never change.
WATCHED = {
    "session":  "SELECT id, status, amount, currency, merchant_id, expires_at, late_payment FROM session",
    "attempt":  "SELECT id, status, session_id, out_trade_no, pay_type, created_at, ends_at FROM attempt",
    "payment":  "SELECT id, role, syssn, out_trade_no, amount, currency, pay_type, paid_at FROM payment",
    "refund":   "SELECT id, status, payment_id, amount, out_trade_no, cause FROM refund",
    "delivery": "SELECT id, status, event_id, url FROM delivery",
    "event":    "SELECT id, type, about, version, body FROM event",
}
RESERVES = """SELECT p.id FROM payment p WHERE p.refunded > p.amount OR p.refunded < 0 OR p.refunded !=
              (SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.payment_id = p.id AND r.status != 'failed')"""
ACCEPTED = "SELECT session_id FROM payment WHERE role = 'accepted' GROUP BY session_id HAVING count(*) > 1"
# fmt: on


@dataclass
class Eye:
    """Looks at what is committed, through a connection of its own, and remembers what it saw."""

    world: HardWorld
    seen: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    _as_of: int = -1
    _calls: int = -1

    def look(self) -> list[str]:
        """What a step has broken. Nearly free when it changed nothing."""
        wrong = list(self._numbers()) if self.world.road.calls != self._calls else []
        self._calls = self.world.road.calls
        (as_of,) = self.world.eye.execute("PRAGMA data_version").fetchone()
        if as_of == self._as_of:
            return wrong
        self._as_of = as_of
        for table in WATCHED:
            wrong += self._compare(table)
        wrong += [f"payment {one} has another reserve than its refunds hold" for (one,) in self._ask(RESERVES)]
        return wrong + [f"session {one} has two accepted payments" for (one,) in self._ask(ACCEPTED)]

    def _ask(self, query: str) -> list[Row]:
        return self.world.eye.execute(query).fetchall()

    def _compare(self, table: str) -> Iterator[str]:
        before, now = self.seen[table], {row[0]: row for row in self._ask(WATCHED[table])}
        for row_id, old in before.items():
            new = now.get(row_id)
            if new is None:
                yield f"{table} {row_id} has vanished"
            elif new != old:
                if new[2:] != old[2:]:
                    yield f"{table} {row_id} was {old[2:]} and is {new[2:]}"
                if new[1] not in ENDS[table].get(old[1], {new[1]}):
                    yield f"{table} {row_id} was {old[1]} and is {new[1]}"
        self.seen[table] = now

    def _numbers(self) -> Iterator[str]:
        """Each number that the gateway has heard was in our books before, and stands for one thing."""
        with self.world.ledger.store.reading() as db:
            heard = {row[0] for row in db.execute("SELECT out_trade_no FROM number")}
        for number in heard - {row[0] for row in self._ask("SELECT number FROM trade_no")}:
            yield f"number {number} was sent before it was written down"


@dataclass(frozen=True)
class Ledger:
    """The gateway's own truth, by number."""

    payments: dict[str, list[Record]]
    refunds: dict[str, list[Record]]
    scenarios: dict[str, Scenario | None]

    @classmethod
    def of(cls, world: HardWorld) -> "Ledger":
        payments, refunds = defaultdict(list), defaultdict(list)
        orders = world.ledger.orders()
        for record in (record for order in orders for record in order.records):
            if record.paid:
                payments[record.out_trade_no].append(record)
            elif record.order_type == "refund":
                refunds[record.out_trade_no].append(record)
        return cls(payments, refunds, {order.out_trade_no: order.scenario for order in orders})


def judge(world: HardWorld, *, deceived: bool) -> list[str]:
    """The books against the gateway's ledger, when all is at rest. `deceived`: an answer or our clock was wrong."""
    books = Books(world)
    ledger = Ledger.of(world)
    checks = (books.payments(ledger), books.sessions(ledger, deceived), books.refunds(ledger), books.news())
    return [wrong for found in checks for wrong in found] + list(books.unfinished())


class Books:
    """Our tables as plain rows: read past all of our own code."""

    def __init__(self, world: HardWorld) -> None:
        self.world = world
        for table in ("session", "attempt", "payment", "refund", "event", "delivery", "idempotency"):
            cursor = world.eye.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608
            names = [column[0] for column in cursor.description]
            setattr(self, f"_{table}", [dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
        self._by_id = {row["id"]: row for row in self._session + self._attempt + self._payment}

    _session: list[dict[str, Any]]
    _attempt: list[dict[str, Any]]
    _payment: list[dict[str, Any]]
    _refund: list[dict[str, Any]]
    _event: list[dict[str, Any]]
    _delivery: list[dict[str, Any]]
    _idempotency: list[dict[str, Any]]

    def payments(self, ledger: Ledger) -> Iterator[str]:
        """Each payment of the gateway's is exactly one of ours, word for word (I1)."""
        theirs = Counter(
            (r.syssn, r.out_trade_no, r.amount, r.currency, r.pay_type, _second(r.paid_at))
            for records in ledger.payments.values()
            for r in records
        )
        ours = Counter(
            (p["syssn"], p["out_trade_no"], p["amount"], p["currency"], p["pay_type"], _second(_moment(p["paid_at"])))
            for p in self._payment
        )
        for fact in theirs - ours:
            yield f"paid at the gateway, not booked: {fact}"
        for fact in ours - theirs:
            yield f"booked, never paid at the gateway: {fact}"

    def sessions(self, ledger: Ledger, deceived: bool) -> Iterator[str]:
        for session in self._session:
            paid = [
                record
                for attempt in self._attempt
                if attempt["session_id"] == session["id"]
                for record in ledger.payments.get(attempt["out_trade_no"], ())
                if _fits(record, session, attempt) and ledger.scenarios[record.out_trade_no] is not Scenario.RETURNED
            ]
            roles = [p["role"] for p in self._payment if p["session_id"] == session["id"]]
            if wrong := _judge_session(session, paid, roles, deceived):
                yield f"session {session['id']} {wrong}; it is {session['status']}, its payments {roles}"

    def refunds(self, ledger: Ledger) -> Iterator[str]:
        """What went back at the gateway is what we say went back, once each, and never more than came."""
        known = {refund["out_trade_no"] for refund in self._refund}
        for number in ledger.refunds.keys() - known:
            yield f"refund {number} at the gateway is not in our books"
        for refund in self._refund:
            there = ledger.refunds.get(refund["out_trade_no"], [])
            payment, session = self._by_id[refund["payment_id"]], self._by_id[refund["session_id"]]
            expected = [(refund["amount"], payment["syssn"])] if refund["status"] == "succeeded" else []
            if [(r.amount, r.origssn) for r in there] != expected:
                yield f"refund {refund['id']} is {refund['status']}, but the gateway has {there}"
            if refund["status"] == "failed" and refund["cause"] != "merchant" and not session["review"]:
                yield f"refund {refund['id']} of a {refund['cause']} failed, and nobody was told"
        by_payment = Counter[str]()
        for record in (record for records in ledger.refunds.values() for record in records):
            by_payment[record.origssn] += record.amount
        yield from (
            f"more went back of {p['syssn']} than came" for p in self._payment if by_payment[p["syssn"]] > p["amount"]
        )
        yield from self._unwanted()

    def _unwanted(self) -> Iterator[str]:
        for payment in self._payment:
            session = self._by_id[payment["session_id"]]
            goes_back = payment["role"] == "surplus" or (payment["role"], session["late_payment"]) == ("late", "refund")
            causes = [r["cause"] for r in self._refund if r["payment_id"] == payment["id"] and r["cause"] != "merchant"]
            if causes != ([payment["role"]] if goes_back else []):
                yield f"payment {payment['id']} is {payment['role']}, but was sent back because of {causes}"
            if payment["role"] in ("late", "mismatch") and not goes_back and not session["review"]:
                yield f"payment {payment['id']} is {payment['role']}, and nobody looks at it"
        asked = [json.loads(row["answer"]).get("id", "") for row in self._idempotency]
        for merchants_own in (r["id"] for r in self._refund if r["cause"] == "merchant"):
            if asked.count(merchants_own) != 1:
                yield f"refund {merchants_own} has {asked.count(merchants_own)} requests"

    def news(self) -> Iterator[str]:
        """A paid session is announced exactly once, versions never fall, and the endpoint has heard every word."""
        versions: dict[str, int] = {}
        announced = Counter(e["session_id"] for e in self._event if e["type"] == "checkout_session.paid")
        for session in self._session:
            times = announced[session["id"]]
            if times != (session["status"] == "paid"):
                yield f"session {session['id']} is {session['status']}, and was announced as paid {times} times"
        for event in self._event:
            if event["version"] < versions.get(event["session_id"], 0):
                yield f"event {event['id']} has a lower version than the one before"
            versions[event["session_id"]] = event["version"]
            heard = self.world.endpoints.heard.get(event["id"], [])
            if not heard or set(heard) != {event["body"]}:
                yield f"event {event['id']} was heard as {heard[:2]}"

    def unfinished(self) -> Iterator[str]:
        for refund in self._refund:
            if refund["status"] not in ("succeeded", "failed"):
                yield f"refund {refund['id']} is still {refund['status']}"
        for delivery in self._delivery:
            if delivery["status"] != "done":
                yield f"delivery {delivery['id']} is {delivery['status']} after {delivery['tries']} tries"
        keyed = Counter(s["reference"] for s in self._session if s["reference"].startswith("key-"))
        yield from (f"{times} sessions for {reference}" for reference, times in keyed.items() if times > 1)


def _judge_session(session: dict[str, Any], paid: list[Record], roles: list[str], deceived: bool) -> str | None:
    ends = _moment(session["expires_at"])
    assert ends is not None
    in_time = any(record.paid_at and record.paid_at <= ends for record in paid)
    accepted = roles.count("accepted")
    if session["status"] not in ("paid", "expired", "cancelled"):
        return "has not ended"
    if accepted != (session["status"] == "paid"):
        return f"has {accepted} accepted payments"
    if in_time and not accepted and not deceived:
        return "was paid in time, and nothing was accepted"
    if paid and session["late_payment"] == "accept" and not accepted:
        return "accepts late payments, and did not"
    if accepted and not in_time and session["late_payment"] != "accept":
        return "accepted a payment that came too late"
    if roles.count("mismatch") + len(paid) != len(roles):
        return f"has {len(paid)} fitting payments at the gateway"
    return None


def _fits(record: Record, session: dict[str, Any], attempt: dict[str, Any]) -> bool:
    theirs = (record.amount, record.currency, record.pay_type)
    return theirs == (session["amount"], session["currency"], attempt["pay_type"])


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written).replace(tzinfo=UTC)


def _second(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)
