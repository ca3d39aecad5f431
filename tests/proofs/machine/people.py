"""What people do, as rules: merchants, shoppers, and shoppers' wallets."""

import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy.orm import Session

from checkout.domain.devices import Device
from checkout.domain.orders import Order, RefundWish
from checkout.services import attempts, refunds, sessions, snapshots, watching
from checkout.services.keys import Answer
from checkout.store.models import Merchant
from checkout.store.pages import read_page
from sandbox import Scenario
from sandbox.rows import Order as GatewayOrder
from tests.proofs.machine.world import HardWorld

# Amount, currency, minutes, policy for late payments.
SHAPES = (
    (8800, "HKD", 30, "hold"),
    (8801, "HKD", 30, "refund"),
    (8802, "HKD", 5, "accept"),
    (201, "HKD", 30, "hold"),
    (9_999, "HKD", 60, "refund"),
    (8803, "HKD", 1440, "accept"),
)
KEYS = ("none", "new", "again", "other body")
WISHES = ("all", "half", "one", "too much", "again", "other body")
DEVICES = (Device.MOBILE, Device.MOBILE, Device.DESKTOP)
FOUND_UNTIL = timedelta(hours=20)  # after a code's end: later money is found by reconciliation alone
ANY = st.integers(0, 3)


class People(RuleBasedStateMachine):
    """Whom a rule means is counted back from the latest."""

    world: HardWorld
    opened: list[str]
    session_keys: list[tuple[str, int]]  # with the shape that was asked for
    refund_keys: list[tuple[str, str]]  # with the session
    payments: int
    forged: int
    deceived: bool  # the gateway forgot something, or our clock was set: we may have believed a code unpaid

    def a_session(self, which: int) -> str:
        return self.opened[-1 - which % len(self.opened)]

    def one_that_is(self, status: str, which: int) -> str:
        """A session of this status, if there is one; else any."""
        query = "SELECT id FROM session WHERE status = ? ORDER BY rowid DESC LIMIT 2"
        found = self.world.eye.execute(query, (status,)).fetchall()
        return str(found[which % len(found)][0]) if found else self.a_session(which)

    def a_merchant(self, db: Session, session_id: str) -> Merchant:
        owner = self.world.eye.execute("SELECT merchant_id FROM session WHERE id = ?", (session_id,)).fetchone()
        return db.get_one(Merchant, owner[0])

    def codes(self) -> list[GatewayOrder]:
        """Every order that the gateway ever took, newest first: a code that was lost may be paid like a shown one."""
        return self.world.ledger.orders(6)

    # --- the merchant

    @rule(shape=st.integers(0, len(SHAPES) - 1), key=st.sampled_from(KEYS))
    def opens(self, shape: int, key: str) -> None:
        if key in ("again", "other body") and self.session_keys:
            name, first = self.session_keys[-1]
            self._open((first + 2 * (key == "other body")) % len(SHAPES), name)
        elif key == "none":
            self._open(shape, None)
        else:
            name = f"key-{len(self.session_keys)}"
            self.session_keys.append((name, shape))
            self._open(shape, name)

    def _open(self, shape: int, key: str | None) -> None:
        amount, currency, minutes, late = SHAPES[shape]
        order = Order.read({
            "amount": amount, "currency": currency, "reference": key or "A-1", "return_url": "https://shop.example/",
            "expires_in": minutes, "late_payment": late,
        })  # fmt: skip
        merchant_id = self.world.shops[shape % len(self.world.shops)].told.merchant_id
        answer = self.world.with_db(
            lambda db: sessions.open_session(
                db, self.world.parts.terms, db.get_one(Merchant, merchant_id), order, key=key, now=self.world.ours()
            )
        )
        if isinstance(answer, Answer):
            session_id = json.loads(answer.body)["id"]
            if session_id not in self.opened:
                self.opened.append(session_id)

    @rule(which=ANY, wish=st.sampled_from(WISHES))
    def wants_money_back(self, which: int, wish: str) -> None:
        session_id, key = self.one_that_is("paid", which), f"refund-{len(self.refund_keys)}"
        if wish in ("again", "other body") and self.refund_keys:
            key, session_id = self.refund_keys[-1]
        else:
            self.refund_keys.append((key, session_id))
        amounts = {"half": 4000, "one": 1, "too much": 1_000_000, "other body": 7}
        asked = RefundWish.read({"amount": amounts[wish]} if wish in amounts else {})

        def ask(db: Session) -> Any:
            merchant = self.a_merchant(db, session_id)
            session = sessions.session_of(db, merchant, session_id)
            return refunds.request_refund(db, merchant, session, asked, key=key, now=self.world.ours())

        self.world.with_db(ask)

    def cancel(self, session_id: str) -> None:
        self.world.with_db(
            lambda db: sessions.cancel_session(db, self.world.parts.terms, session_id, self.world.ours())
        )

    def read(self, session_id: str) -> None:
        def read(db: Session) -> None:
            session = sessions.session_of(db, self.a_merchant(db, session_id), session_id)
            said = snapshots.snapshot(db, self.world.parts.terms, session)
            assert said["amount_refunded"] <= said["amount"]

        self.world.with_db(read)

    # --- the shopper

    @rule(which=ANY, wallet=st.sampled_from(("alipay_hk", "alipay")), device=st.sampled_from(DEVICES))
    def picks(self, which: int, wallet: str, device: Device) -> None:
        self.pick(self.a_session(which), wallet, device)

    @rule(which=ANY)
    def picks_again(self, which: int) -> None:
        self.pick(self.one_that_is("open", which), "alipay_hk", Device.MOBILE)

    def pick(self, session_id: str, wallet: str, device: Device) -> None:
        def start(db: Session) -> None:
            parts = self.world.parts
            shown = attempts.start_attempt(
                db, parts.gateways, parts.terms, session_id, wallet, device=device, clock=self.world.ours
            )
            found = self.world.eye.execute("SELECT target FROM attempt WHERE id = ?", (shown.id,)).fetchone()
            assert found == (shown.target,), f"{shown.target} is shown, and {found} is in the books"

        self.world.with_db(start)

    def say_paid(self, session_id: str) -> None:
        self.world.with_db(lambda db: watching.ask_soon(db, session_id, self.world.ours()))

    def look(self, session_id: str) -> None:
        found = "SELECT id FROM attempt WHERE session_id = ? ORDER BY rowid DESC LIMIT 1"
        row = self.world.eye.execute(found, (session_id,)).fetchone()
        if row:
            self.world.with_db(lambda db: watching.sign_of_life(db, row[0], self.world.ours()))

    @rule(which=ANY)
    def page_polls(self, which: int) -> None:
        """A page that follows the payment: from our own database, whatever is under way."""
        with self.world.parts.reading.connect() as connection:
            assert read_page(connection, self.a_session(which)) is not None

    @rule(which=ANY, what=st.sampled_from(("read", "look", "look", "say_paid", "say_paid", "cancel")))
    def somebody_stirs(self, which: int, what: str) -> None:
        """The shop reads, the page polls, the shopper says that she paid, or somebody gives up."""
        acts = {"read": self.read, "look": self.look, "say_paid": self.say_paid, "cancel": self.cancel}
        acts[what](self.a_session(which))

    # --- her wallet

    @precondition(lambda self: self.world.road.calls)
    @rule(which=ANY)
    def pays(self, which: int) -> None:
        self.pay(which)

    @precondition(lambda self: self.world.road.calls)
    @rule()
    def pays_the_latest(self) -> None:
        self.pay(0)

    @precondition(lambda self: self.world.road.calls)
    @rule(which=ANY, late=st.sampled_from((0, 0, 1, 600, 3600)))
    def pays_at_the_end(self, which: int, late: int) -> None:
        """In the last second of the session, or so many seconds after it."""
        if not (codes := self.codes()):
            return
        order = codes[which % len(codes)]
        asked = "SELECT s.expires_at FROM session s JOIN attempt a ON a.session_id = s.id WHERE a.out_trade_no = ?"
        row = self.world.eye.execute(asked, (order.out_trade_no,)).fetchone()
        ends = datetime.fromisoformat(row[0]).replace(tzinfo=self.world.clock.now.tzinfo) + timedelta(seconds=late)
        self.world.clock.now = max(ends, self.world.clock.now)
        self.pay(which)

    def pay(self, which: int) -> None:
        codes = self.codes()
        if not codes:
            return
        order, now = codes[which % len(codes)], self.world.clock.now
        if (
            order.payable_at(now)
            and now < order.expires_at + FOUND_UNTIL
            and order.scenario is not Scenario.NOT_ENOUGH_BALANCE
        ):
            scan = self.world.ledger.scan(order.token)
            if scan is not None and self.world.ledger.settle(scan.syssn):
                self.payments += 1

    @precondition(lambda self: self.world.road.calls)
    @rule(which=ANY)
    def declines(self, which: int) -> None:
        codes = self.codes()
        if codes and codes[which % len(codes)].payable_at(self.world.clock.now):
            scan = self.world.ledger.scan(codes[which % len(codes)].token)
            if scan is not None and scan.open:
                self.world.ledger.refuse(scan.syssn)
