"""Sequences that a broken copy of the product has failed at, each as plain as it could be made, and what it had wrong.

Copies were broken on purpose to prove that the machine can fail; what it finds in the product itself is added here.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from checkout.domain.devices import Device
from tests.proofs.machine.faults import KILLED
from tests.proofs.machine.sequence import Sequence
from tests.proofs.machine.world import HardWorld

HOLD, REFUND = 0, 1  # of SHAPES: what becomes of late payments


@pytest.fixture
def played(tmp_path: Path, empty_books: Path) -> Iterator[Sequence]:
    """A sequence to be played by hand. It ends like every other: at rest, audited, and judged by the ledger."""
    world = HardWorld(tmp_path, empty_books)
    sequence = Sequence(world, Counter())
    sequence.steps = 1
    try:
        yield sequence
        sequence.nothing_is_wrong()
        sequence.teardown()
    finally:
        world.close()


def paid(sequence: Sequence, shape: int = HOLD) -> str:
    """A session that we know to be paid."""
    sequence._open(shape, None)
    session_id = sequence.opened[-1]
    sequence.pick(session_id, "alipay_hk", Device.MOBILE)
    sequence.pay(0)
    sequence.world.goes_on(timedelta(seconds=3))
    sequence.world.asks()
    return session_id


def statuses(sequence: Sequence, table: str) -> list[str]:
    column = "role" if table == "payment" else "status"
    return [row[0] for row in sequence.world.eye.execute(f"SELECT {column} FROM {table} ORDER BY rowid")]  # noqa: S608


def test_what_is_paid_with_both_wallets_goes_back_once(played: Sequence) -> None:
    """Found when the surplus was announced and not sent back."""
    session_id = paid(played)
    assert statuses(played, "session") == ["paid"]
    played._open(HOLD, None)
    played.pick(played.opened[-1], "alipay_hk", Device.MOBILE)
    played.pick(played.opened[-1], "alipay", Device.MOBILE)
    played.pay(0)
    played.pay(1)
    played.world.goes_on(timedelta(seconds=3))
    played.world.asks()
    assert sorted(statuses(played, "payment")) == ["accepted", "accepted", "surplus"]
    assert session_id == played.opened[0]


def test_two_refunds_together_take_no_more_than_was_paid(played: Sequence) -> None:
    """Found when an amount was reserved without looking at what is left."""
    paid(played)
    played.wants_money_back(0, "half")
    played.wants_money_back(0, "half")
    played.wants_money_back(0, "half")
    assert statuses(played, "refund") == ["reserved", "reserved"]


def test_a_refund_whose_answer_is_lost_is_found_by_its_number(played: Sequence) -> None:
    """Found when an unknown refund was called failed, and when it was sent again under a new number."""
    paid(played)
    played.wants_money_back(0, "half")
    played.world.waiting.arm("refund: time-out after")
    played.world.moves()
    assert statuses(played, "refund") == ["unknown"]
    played.world.waiting.arm("enquiry: young records missing")
    played.world.goes_on(timedelta(seconds=6))
    played.world.moves()
    assert statuses(played, "refund") == ["unknown"]


def test_a_code_that_was_lost_and_is_paid_all_the_same_counts(played: Sequence) -> None:
    """Found when an attempt without an answer was called failed."""
    played._open(HOLD, None)
    played.world.waiting.arm("payment: time-out after")
    played.pick(played.opened[0], "alipay_hk", Device.MOBILE)
    played.pay(0)
    assert statuses(played, "attempt") == ["unknown"]


def test_a_session_waits_for_the_end_of_a_code_that_was_shown(played: Sequence) -> None:
    """Found when a session expired while its code could still be paid."""
    played._open(2, None)
    played.pick(played.opened[0], "alipay_hk", Device.DESKTOP)
    played.cancel(played.opened[0])
    played.world.closes()
    assert statuses(played, "session") == ["closing"]
    played.pay(0)


def test_who_dies_after_booking_a_payment_has_booked_nothing_or_all(played: Sequence) -> None:
    """Every crash point that the taking in of one answer passes."""
    for passed in range(1, 30):
        played._open(REFUND, None)
        played.pick(played.opened[-1], "alipay_hk", Device.MOBILE)
        played.pay(0)
        played.world.goes_on(timedelta(seconds=61))
        played.world.waiting.arm(KILLED)
        played.world.steps_to_death = passed
        played.world.asks()
        assert not played.eye.look()
    assert played.world.deaths.total() > 5


def test_two_workers_at_once_book_a_payment_once(played: Sequence) -> None:
    """While one waits for the gateway's answer for five minutes, another asks too and is answered first."""
    played._open(HOLD, None)
    played.pick(played.opened[0], "alipay_hk", Device.MOBILE)
    played.pay(0)
    played.world.goes_on(timedelta(seconds=3))
    played.world.meanwhile.acts.append((False, played.sleeps))
    played.world.asks()
    assert statuses(played, "payment") == ["accepted"]


def test_what_a_late_answer_decides_has_its_question_in_the_books(played: Sequence) -> None:
    """A worker slept past its lease and closed a code by its answer, after another had asked and heard nothing."""
    played._open(HOLD, None)
    played.pick(played.opened[0], "alipay_hk", Device.MOBILE)
    played.world.goes_on(timedelta(minutes=40))

    def another_asks_in_vain() -> None:
        played.world.goes_on(timedelta(minutes=5))
        played.world.waiting.arm("enquiry: time-out")
        played.world.asks()

    played.world.meanwhile.acts.append((False, another_asks_in_vain))
    played.world.asks()
    assert statuses(played, "attempt") == ["closed"]
    played.audits()
