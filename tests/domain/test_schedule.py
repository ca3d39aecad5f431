"""When we ask, minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.schedule import (
    AFTER_END,
    CLAIM_LEASE,
    QUIET,
    SHORTEST_PAUSE,
    code_ends_at,
    code_minutes,
    next_enquiry,
    next_poll_ms,
    unanswered_enquiry,
    undecided_enquiry,
)

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
END = NOON + timedelta(minutes=31)


def after(seconds: float, since: datetime = NOON) -> datetime:
    return since + timedelta(seconds=seconds)


def pause_at(age: float, *, watched: bool) -> float:
    found = next_enquiry(after(age), created_at=NOON, ends_at=END, watched=watched)
    assert found is not None
    return (found - after(age)).total_seconds()


@pytest.mark.parametrize(("age", "watched", "pause"), [
    (2,    True,  3), (59,   True,  3), (60,   True,  5), (299,  True,  5), (300,  True, 15), (1800, True, 15),
    (2,    False, 15), (59,  False, 15), (299, False, 15), (1800, False, 15),
])  # fmt: skip
def test_an_open_page_is_asked_about_more_often(age: float, watched: bool, pause: float) -> None:
    assert pause_at(age, watched=watched) == pause


@pytest.mark.parametrize("watched", [True, False])
def test_one_question_lands_right_after_the_end_of_a_code(watched: bool) -> None:
    before_end = END - timedelta(seconds=2)
    assert next_enquiry(before_end, created_at=NOON, ends_at=END, watched=watched) == after(1, END)


def test_a_question_at_the_very_end_is_the_one_that_expiry_waits_for() -> None:
    assert next_enquiry(END, created_at=NOON, ends_at=END, watched=True) == after(AFTER_END[0], END)


@pytest.mark.parametrize(("left", "wanted", "minutes"), [
    (40 * 60, 30, 30), (30 * 60, 30, 30), (30 * 60 - 1, 30, 30), (29 * 60, 30, 29), (12 * 60 + 0.5, 30, 13),
    (5 * 60, 30, 5), (60, 30, 5), (0, 30, 5), (-60, 30, 5), (40 * 60, 10, 10), (40 * 60, 3, 5),
    (119.5 * 60, 500, 120), (120 * 60, 500, 120), (121 * 60, 500, 120), (10**6, 500, 120),
])  # fmt: skip
def test_a_code_lives_as_long_as_its_session_within_what_the_gateway_takes(
    left: float, wanted: int, minutes: int
) -> None:
    assert code_minutes(timedelta(seconds=left), wanted) == minutes


def test_unless_somebody_wishes_otherwise_a_code_lives_half_an_hour() -> None:
    assert code_minutes(timedelta(hours=2)) == 30


def test_late_payments_are_looked_for_until_a_day_has_passed() -> None:
    asked, moment = [], after(1, END)
    while following := next_enquiry(moment, created_at=NOON, ends_at=END, watched=False):
        asked.append((following - END).total_seconds())
        moment = following
    assert tuple(asked) == AFTER_END
    assert AFTER_END[-1] == 24 * 3600


@given(age=st.floats(0, 3 * 24 * 3600), minutes=st.integers(5, 120), watched=st.booleans())
def test_the_next_question_is_always_ahead(age: float, minutes: int, watched: bool) -> None:
    ends_at, now = NOON + timedelta(minutes=minutes), after(age)
    found = next_enquiry(now, created_at=NOON, ends_at=ends_at, watched=watched)
    assert found is None or found > now
    if now < ends_at:
        assert found is not None
        assert found <= min(now + timedelta(seconds=QUIET), ends_at + timedelta(seconds=1))


@pytest.mark.parametrize(("minutes", "obeyed", "life"), [
    (30,  True,  31),   # what was sent, and a minute of grace
    (5,   True,  6),
    (5,   False, 36),   # a type that may ignore expired_time lives QFPay's 30 minutes, and 5 to be sure
    (30,  False, 36),
    (120, False, 126),  # or what was sent, if that is longer
])  # fmt: skip
def test_a_code_has_surely_ended_after(minutes: int, obeyed: bool, life: int) -> None:
    assert code_ends_at(NOON, minutes=minutes, obeyed=obeyed) == NOON + timedelta(minutes=life)


@pytest.mark.parametrize(("tries", "seconds"), [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (7, 60), (10**6, 60)])
def test_silence_is_answered_with_patience(tries: int, seconds: int) -> None:
    assert unanswered_enquiry(NOON, tries=tries) == after(seconds)


@pytest.mark.parametrize(
    ("since", "seconds"), [(0, 60), (3599, 60), (3600, 1800), (86399, 1800), (86400, 86400), (10**7, 86400)]
)
def test_a_code_that_ended_without_a_word_is_asked_about_more_and_more_seldom(since: int, seconds: int) -> None:
    now = after(since, END)
    assert undecided_enquiry(now, ends_at=END) == after(seconds, now)


@pytest.mark.parametrize(("age", "milliseconds"), [(0, 2000), (59, 2000), (60, 3000), (300, 5000), (900, 10_000)])
def test_a_page_asks_us_less_and_less_often(age: float, milliseconds: int) -> None:
    assert next_poll_ms(age) == milliseconds


def test_a_lease_outlives_the_longest_call_and_two_questions_keep_their_distance() -> None:
    assert CLAIM_LEASE.total_seconds() >= 30
    assert SHORTEST_PAUSE.total_seconds() == 2
