"""Differences of every kind are planted among healthy payments: each is found and named, and nothing else is."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from checkout.services.differences import KINDS
from checkout.store.oversight import Difference
from sandbox import portal_refund
from tests.proofs.scale import Scale, Tally
from tests.stories.cast import Merchant, World
from tests.stories.nights import (
    change,
    later,
    pays_elsewhere,
    reconciles,
    rows,
    unwatched,
)
from tests.stories.test_refunds import REFUSES, asks, does_the_next_refund_and_says, read

PLANTED, PLANTED_AT_RELEASE = 66, 1001  # of all kinds together
OTHERWISE = ("amount = 8799", "currency = 'USD'", "pay_type = '801512'")
HEALTHY = 5  # so many sessions of each kind of good end

Found = tuple[str, str]  # the kind, and the syssn that it is about
Plant = Callable[["Garden", int], Found]


class Garden:
    """One shop's books and the gateway's, grown by the ordinary ways and then bent by hand."""

    def __init__(self, world: World, bo: Merchant) -> None:
        self.world, self.bo = world, bo
        self.paid: list[dict[str, Any]] = []
        self.refunded: list[tuple[dict[str, Any], str]] = []  # a session, and its refund's number

    def grow(self, payments: int, refunds: int) -> None:
        """Booked payments, of which some have a part that went back: both ledgers agree."""
        for n in range(payments):
            session = self.bo.opens(reference=f"P-{n}")
            self.world.shopper(session).picks("alipay_hk")
            self.world.pays(session)
            self.paid.append(session)
            later(self.world, seconds=0.3)
            if n % 20 == 0:
                self.world.passes(3)
        self.world.passes(6)
        for n in range(refunds):
            session = self.paid.pop()
            answer = asks(self.bo, session, f"r-{n}", amount=1000)
            later(self.world, seconds=0.3)
            self.world.works()
            self.refunded.append((session, read(self.bo, answer)["out_trade_no"]))
            assert read(self.bo, answer)["status"] == "succeeded"

    def number(self) -> str:
        """A booked payment that nothing else is planted on."""
        return self.world.attempt(self.paid.pop()).out_trade_no

    def payment(self, number: str) -> str:
        return self.world.ledger.order(number).payments[0].syssn

    def refund(self) -> tuple[str, str]:
        """A refund that both ledgers hold: its number and its syssn."""
        session, number = self.refunded.pop()
        records = self.world.ledger.order(self.world.attempt(session).out_trade_no).refunds
        return number, next(record.syssn for record in records if record.out_trade_no == number)


def payment_unknown(garden: Garden, n: int) -> Found:
    pays_elsewhere(garden.world, garden.bo, f"Elsewhere{n}")
    return "payment_unknown", garden.payment(f"Elsewhere{n}")


def payment_not_booked(garden: Garden, n: int) -> Found:
    session = unwatched(garden.world, garden.bo, reference=f"U-{n}")
    garden.world.pays(session)
    return "payment_not_booked", garden.payment(garden.world.attempt(session).out_trade_no)


def payment_differs(garden: Garden, n: int) -> Found:
    number = garden.number()
    change(garden.world, f"UPDATE record SET {OTHERWISE[n % 3]} WHERE out_trade_no = :number", number=number)  # noqa: S608 - ours
    return "payment_differs", garden.payment(number)


def payment_returned(garden: Garden, n: int) -> Found:
    number = garden.number()
    change(garden.world, "UPDATE record SET cancel = '3' WHERE out_trade_no = :number", number=number)
    return "payment_returned", garden.payment(number)


def payment_missing_at_gateway(garden: Garden, n: int) -> Found:
    number = garden.number()
    syssn = garden.payment(number)
    statement = ("DELETE FROM record", "UPDATE record SET respcd = '1143'")[n % 2]
    change(garden.world, f"{statement} WHERE out_trade_no = :number", number=number)
    return "payment_missing_at_gateway", syssn


def refund_unknown(garden: Garden, n: int) -> Found:
    """Of a payment that we do not show either: its record is gone from the gateway's books, its refund is not."""
    pays_elsewhere(garden.world, garden.bo, f"Refunded{n}")
    record = portal_refund(garden.world.ledger, f"Refunded{n}", 100)
    change(garden.world, "DELETE FROM record WHERE out_trade_no = :number", number=f"Refunded{n}")
    return "refund_unknown", record.syssn


def refund_not_booked(garden: Garden, n: int) -> Found:
    number = garden.number()
    own = (None, "", number)[n % 3]
    return "refund_not_booked", portal_refund(garden.world.ledger, number, 1000 + n, out_trade_no=own).syssn


def refund_differs(garden: Garden, n: int) -> Found:
    number, syssn = garden.refund()
    change(garden.world, "UPDATE record SET amount = 999 WHERE out_trade_no = :number", number=number)
    return "refund_differs", syssn


def refund_missing_at_gateway(garden: Garden, n: int) -> Found:
    number, syssn = garden.refund()
    statement = ("DELETE FROM record", "UPDATE record SET respcd = '1145'")[n % 2]
    change(garden.world, f"{statement} WHERE out_trade_no = :number", number=number)
    return "refund_missing_at_gateway", syssn


def refund_done_after_failure(garden: Garden, n: int) -> Found:
    session = garden.paid.pop()
    does_the_next_refund_and_says(garden.world, REFUSES)
    answer = asks(garden.bo, session, f"f-{n}", amount=1000)
    garden.world.works()
    assert read(garden.bo, answer)["status"] == "failed"
    return "refund_done_after_failure", garden.world.ledger.order(garden.world.attempt(session).out_trade_no).refunds[
        0
    ].syssn


def refund_exceeds(garden: Garden, n: int) -> Found:
    """Our own refund of the whole waits; meanwhile somebody takes a part in the portal."""
    session = garden.paid.pop()
    asks(garden.bo, session, f"e-{n}")
    return "refund_exceeds", portal_refund(garden.world.ledger, garden.world.attempt(session).out_trade_no, 1000).syssn


# In this order, because the worker must not run once books were bent or refunds wait.
PLANTS: list[Plant] = [
    refund_done_after_failure, payment_unknown, payment_not_booked, payment_differs, payment_returned,
    payment_missing_at_gateway, refund_unknown, refund_not_booked, refund_differs, refund_missing_at_gateway,
    refund_exceeds,
]  # fmt: skip
ON_A_PAYMENT, ON_A_REFUND = 6, 2  # how many of them need one that is booked


@pytest.fixture
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea")


def test_reconciliation_finds_every_difference_and_no_other(
    world: World, bo: Merchant, scale: Scale, tally: Tally
) -> None:
    each = (PLANTED_AT_RELEASE if scale.release else PLANTED) // len(PLANTS)
    garden = Garden(world, bo)
    refunds = each * ON_A_REFUND + HEALTHY
    garden.grow(payments=each * ON_A_PAYMENT + HEALTHY + refunds, refunds=refunds)
    for _ in range(HEALTHY):  # codes that nobody paid
        world.shopper(bo.opens()).picks("alipay_hk")
    planted: list[Found] = []
    for plant in PLANTS:
        for n in range(each):
            planted.append(plant(garden, n))
            later(world, seconds=0.3)
    assert len(garden.paid) == len(garden.refunded) == HEALTHY
    later(world, minutes=30)

    done = reconciles(world, bo)

    found = Counter((row.kind, row.syssn) for row in rows(world, Difference))
    assert done.trouble is None
    assert {kind for kind, _ in planted} == set(KINDS)
    assert found == Counter(planted)
    again = reconciles(world, bo)
    assert {row.id for row in again.open} == {row.id for row in done.open}
    assert len(rows(world, Difference)) == len(planted)
    assert world.violations() == []
    tally.add("differences planted", len(planted))
    tally.add("kinds", len(KINDS))
    tally.add("found", sum((found & Counter(planted)).values()))
    tally.add("false", sum((found - Counter(planted)).values()))
    tally.add("healthy payments beside them", HEALTHY * 2)
