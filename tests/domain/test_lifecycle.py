"""The state machines: complete, paid absorbs, and money always gets in."""

from enum import StrEnum
from typing import Any

import pytest

from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    FINAL_SESSION,
    LIVE_ATTEMPT,
    REFUND_COMES_FROM,
    REFUND_IN_FLIGHT,
    SESSION_COMES_FROM,
    AttemptStatus,
    RefundStatus,
    SessionStatus,
    public_refund_status,
    public_status,
)
from tests.states import MACHINES, PAGE, edges, page

each_machine = pytest.mark.parametrize(
    ("words", "comes_from", "start"),
    [(machine.words, machine.comes_from, machine.start) for machine in MACHINES],
    ids=[machine.name for machine in MACHINES],
)
one_way = pytest.mark.parametrize(
    ("words", "comes_from", "start"),
    [
        (machine.words, machine.comes_from, machine.start)
        for machine in MACHINES
        if machine.name in ("Session", "Attempt")
    ],
    ids=["Session", "Attempt"],
)


@each_machine
def test_the_table_speaks_of_every_status(words: Any, comes_from: Any, start: StrEnum) -> None:
    assert set(comes_from) == set(words)
    assert set().union(*comes_from.values()) <= set(words)


@each_machine
def test_nothing_stays_where_it_is(words: Any, comes_from: Any, start: StrEnum) -> None:
    assert not [status for status in words if status in comes_from[status]]


@one_way
def test_nothing_returns_to_the_start(words: Any, comes_from: Any, start: StrEnum) -> None:
    assert comes_from[start] == set()


@each_machine
def test_every_status_can_be_reached(words: Any, comes_from: Any, start: StrEnum) -> None:
    reached = {start}
    for _ in words:
        reached |= {status for status in words if comes_from[status] & reached}
    assert reached == set(words)


@one_way
def test_nothing_goes_round_in_circles(words: Any, comes_from: Any, start: StrEnum) -> None:
    left = set(words)
    while ends := {status for status in left if not any(status in comes_from[other] for other in left)}:
        left -= ends
    assert not left


def test_paid_absorbs() -> None:
    assert not [status for status, sources in SESSION_COMES_FROM.items() if SessionStatus.PAID in sources]


def test_money_makes_an_attempt_succeed_from_any_other_status_and_nothing_undoes_it() -> None:
    others = set(AttemptStatus) - {AttemptStatus.SUCCEEDED}
    assert ATTEMPT_COMES_FROM[AttemptStatus.SUCCEEDED] == others
    assert not [status for status, sources in ATTEMPT_COMES_FROM.items() if AttemptStatus.SUCCEEDED in sources]


def test_only_paid_can_follow_the_end_of_a_session() -> None:
    followers = {status for status, sources in SESSION_COMES_FROM.items() if sources & FINAL_SESSION}
    assert followers == {SessionStatus.PAID}


def test_an_unknown_outcome_becomes_failed_or_closed_only_by_a_word_from_the_gateway_and_never_new_again() -> None:
    assert AttemptStatus.UNKNOWN in LIVE_ATTEMPT
    assert AttemptStatus.CREATED not in {
        s for s, sources in ATTEMPT_COMES_FROM.items() if AttemptStatus.UNKNOWN in sources
    }


def test_a_refund_goes_back_to_the_queue_only_from_the_gateway_and_never_once_it_is_over() -> None:
    over = {RefundStatus.SUCCEEDED, RefundStatus.FAILED}
    assert not [status for status, sources in REFUND_COMES_FROM.items() if sources & over]
    assert REFUND_COMES_FROM[RefundStatus.RESERVED] == REFUND_IN_FLIGHT
    assert REFUND_COMES_FROM[RefundStatus.SENT] == {RefundStatus.RESERVED}, "asked about before it is sent again"


@pytest.mark.parametrize("status", RefundStatus)
def test_merchants_read_pending_until_the_gateway_has_spoken(status: RefundStatus) -> None:
    over = status in ("succeeded", "failed")
    assert public_refund_status(status) == (status if over else "pending")


@each_machine
def test_the_picture_has_each_arrow_of_the_table_and_no_other(words: Any, comes_from: Any, start: StrEnum) -> None:
    [machine] = [machine for machine in MACHINES if machine.words is words]
    inner = {tuple(line.split(" --> ")) for line in edges(machine) if "[*]" not in line}
    assert inner == {(earlier, status) for status in words for earlier in comes_from[status]}


def test_the_page_in_the_docs_is_the_one_that_the_tables_draw() -> None:
    assert PAGE.read_text() == page(), "run `make states`"


@pytest.mark.parametrize("status", SessionStatus)
def test_outsiders_never_read_closing(status: SessionStatus) -> None:
    assert public_status(status) == ("open" if status == "closing" else status)
