"""The state machines: complete, paid absorbs, and money always gets in."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    FINAL_SESSION,
    LIVE_ATTEMPT,
    SESSION_COMES_FROM,
    AttemptStatus,
    DeliveryStatus,
    SessionStatus,
    public_status,
)

MACHINES: dict[str, tuple[type[StrEnum], Mapping[Any, frozenset[Any]], StrEnum]] = {
    "session": (SessionStatus, SESSION_COMES_FROM, SessionStatus.OPEN),
    "attempt": (AttemptStatus, ATTEMPT_COMES_FROM, AttemptStatus.CREATED),
    "delivery": (DeliveryStatus, DELIVERY_COMES_FROM, DeliveryStatus.DUE),
}
each_machine = pytest.mark.parametrize(("words", "comes_from", "start"), MACHINES.values(), ids=MACHINES)


@each_machine
def test_the_table_speaks_of_every_status(words: Any, comes_from: Any, start: StrEnum) -> None:
    assert set(comes_from) == set(words)
    assert set().union(*comes_from.values()) <= set(words)


@each_machine
def test_nothing_returns_to_the_start_or_stays_where_it_is(words: Any, comes_from: Any, start: StrEnum) -> None:
    assert comes_from[start] == set()
    assert not [status for status in words if status in comes_from[status]]


@each_machine
def test_every_status_can_be_reached(words: Any, comes_from: Any, start: StrEnum) -> None:
    reached = {start}
    for _ in words:
        reached |= {status for status in words if comes_from[status] & reached}
    assert reached == set(words)


@each_machine
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


@pytest.mark.parametrize("status", SessionStatus)
def test_outsiders_never_read_closing(status: SessionStatus) -> None:
    assert public_status(status) == ("open" if status == "closing" else status)
