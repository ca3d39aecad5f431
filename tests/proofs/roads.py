"""The roads on which a process may be killed: what the parties do, what they do again, and how it must end."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checkout.crash_points import arm
from checkout.services.reconciling import reconcile_next
from sandbox import Scenario, deliver_due
from tests.proofs.stage import Stage
from tests.stories.alipay import Inside
from tests.stories.cast import Merchant, Shopper


@dataclass(frozen=True)
class Road:
    """`steps` lead to the last one, in which the process dies; `again` is what shops, shoppers and gateways repeat."""

    steps: str
    again: str
    ends: str = "paid"


# fmt: off
ROADS = {
    "open":    Road("opens",                                             "opens picks pays"),
    "start":   Road("opens picks",                                       "opens picks pays"),
    "inside":  Road("opens enters",                                      "opens picks pays"),
    "notice":  Road("opens picks pays is_told",                          "is_told"),
    "settle":  Road("opens picks pays waits works",                      ""),
    "surplus": Road("opens picks pays_twice waits works",                ""),
    "refund":  Road("opens picks pays waits works refunds",              "opens refunds"),
    "return":  Road("opens picks pays waits works refunds works",        ""),
    "find":    Road("opens picks pays waits works refunds loses_answer works waits works", ""),
    "expire":  Road("opens_briefly picks_briefly lets_it_end works",     "", ends="expired"),
    "cancel":  Road("opens cancels",                                     "opens cancels", ends="cancelled"),
}
# Each place in the product where a process may die, and the roads that lead over it.
ALL_POINTS = {
    "key.before_commit":      "open refund",
    "key.committed":          "open refund",
    "alipay.answer_taken":    "inside",
    "alipay.user_known":      "inside",
    "attempt.before_intent":  "start inside",
    "attempt.intended":       "start",
    "order.before_send":      "start return",
    "order.sent":             "start return",
    "attempt.answered":       "start",
    "attempt.before_commit":  "start",
    "attempt.recorded":       "start",
    "notice.before_commit":   "notice",
    "notice.committed":       "notice",
    "enquiry.before_claim":   "settle expire",
    "enquiry.claimed":        "settle expire",
    "question.before_send":   "settle find expire",
    "question.answered":      "settle find expire",
    "enquiry.answered":       "settle expire",
    "payment.before_fact":    "settle surplus",
    "payment.booked":         "settle",
    "surplus.booked":         "surplus",
    "surplus.reserved":       "surplus",
    "payment.announced":      "settle surplus",
    "enquiry.before_commit":  "settle",
    "enquiry.between_rows":   "settle expire",
    "delivery.before_claim":  "settle",
    "delivery.claimed":       "settle",
    "delivery.before_send":   "settle",
    "delivery.sent":          "settle",
    "delivery.before_mark":   "settle",
    "delivery.marked":        "settle",
    "refund.before_reserve":  "refund",
    "refund.reserved":        "refund",
    "refund.before_claim":    "return",
    "refund.claimed":         "return",
    "refund.answered":        "return",
    "refund.before_result":   "return",
    "refund.recorded":        "return",
    "refund.before_enquiry":  "find",
    "refund.enquired":        "find",
    "refund.before_heard":    "find",
    "session.closing":        "expire",
    "session.ended":          "expire cancel",
    "session.swept":          "expire",
    "cancel.before_commit":   "cancel",
    "cancel.committed":       "cancel",
}
# A night is longer than a code's life, and the tables change before anybody may walk: tests of their own.
RECONCILING = "opens picks pays a_night_passes reconciles"
RECONCILIATION_POINTS = ("reconciliation.claimed", "reconciliation.compared", "reconciliation.written")
MIGRATION_POINTS = ("migration.applied", "migration.before_commit", "migration.committed")
# fmt: on
BRIEFLY = 5  # minutes: the shortest life of a session, and of a code that heeds its time
LIFE = timedelta(minutes=BRIEFLY + 2)


@dataclass
class Party:
    """All who meet in one session: Bo, Ada, her wallet, the gateway, and our own worker."""

    stage: Stage
    key: str
    generous: bool = False  # somebody also finds the way to orders whose code was never shown
    session: dict[str, Any] | None = None

    def walks(self, steps: str, trap: str = "") -> None:
        """Take the steps; the trap is armed before the last."""
        *before, last = steps.split()
        for step in before:
            self._step(step)()
        arm(trap)
        self._step(last)()
        arm("")

    def _step(self, name: str) -> Callable[[], object]:
        step: Callable[[], object] = getattr(self, name)
        return step

    @property
    def bo(self) -> Merchant:
        return self.stage.shop()

    @property
    def opened(self) -> dict[str, Any]:
        assert self.session, "nothing was opened on this road"
        return self.session

    @property
    def ada(self) -> Shopper:
        return self.stage.shopper(self.opened)

    def opens(self, minutes: int = 60) -> None:
        order = self.bo.order(reference=self.key, expires_in=minutes)
        answer = self.bo.api("POST", "/v1/checkout-sessions", order, Idempotency_Key=f"open-{self.key}")
        assert answer.status_code == 201, answer.text
        self.session = answer.json

    def opens_briefly(self) -> None:
        self.opens(BRIEFLY)

    def picks(self, wallet: str = "alipay_hk") -> None:
        answer = self.ada.picks(wallet)
        assert answer.status_code == 303, answer.text

    def enters(self) -> None:
        """Ada opens the page in Alipay's app, which tells us who she is without a tap."""
        answer = Inside(self.stage, self.opened["url"]).enters()
        assert answer.status_code == 303, answer.text

    def picks_briefly(self) -> None:
        self.picks("alipay")

    def pays(self) -> None:
        """Ada pays the code that she sees, if it has not been paid."""
        orders = {order.out_trade_no: order for order in self.stage.ledger.orders()}
        for attempt in self.stage.attempts(self.opened):
            order = orders.get(attempt.out_trade_no)
            if order and not order.payments and (attempt.target or self.generous):
                self.stage.ledger.pay(attempt.out_trade_no)

    def pays_twice(self) -> None:
        number = self.stage.attempt(self.opened).out_trade_no
        self.stage.ledger.set_scenario(number, Scenario.PAID_TWICE)
        self.stage.ledger.pay(number)

    def is_told(self) -> None:
        deliver_due(self.stage.sandbox, self.stage.clock())

    def waits(self) -> None:
        self.stage.clock.now += timedelta(seconds=6)

    def works(self) -> None:
        self.stage.works()

    def a_night_passes(self) -> None:
        self.stage.clock.now += timedelta(days=1)

    def reconciles(self) -> None:
        while reconcile_next(self.stage.asking, patience=lambda _: None):
            pass

    def refunds(self) -> None:
        path = f"/v1/checkout-sessions/{self.opened['id']}/refunds"
        answer = self.bo.api("POST", path, {"amount": 5000}, Idempotency_Key=f"refund-{self.key}")
        assert answer.status_code == 201, answer.text
        self.refund = answer.json

    def loses_answer(self) -> None:
        assert self.refund
        self.stage.ledger.set_scenario(self.refund["out_trade_no"], Scenario.LOST_ANSWER)

    def lets_it_end(self) -> None:
        self.stage.clock.now += LIFE

    def cancels(self) -> None:
        answer = self.bo.api("POST", f"/v1/checkout-sessions/{self.opened['id']}/cancel")
        assert answer.status_code == 200, answer.text


def reference() -> str:
    return f"A-{uuid.uuid4().hex}"
