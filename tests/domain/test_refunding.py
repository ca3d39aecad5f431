"""When a refund may be sent, and how long one that was refused waits: each figure of the tables."""

from datetime import UTC, datetime, timedelta

import pytest

from checkout.domain import refunding
from checkout.domain.refunding import after_no_answer, may_be_there, pause_ends, waits_until


def hong_kong(wall: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{wall}+08:00")


@pytest.mark.parametrize(
    ("wall", "ends"),
    [
        ("10T12:00:00", None),
        ("10T23:24:59", None),
        ("10T23:25:00", "11T00:35:00"),
        ("10T23:59:59", "11T00:35:00"),
        ("11T00:00:00", "11T00:35:00"),
        ("11T00:34:59.999999", "11T00:35:00"),
        ("11T00:35:00", None),
        ("30T23:30:00.5", "31T00:35:00"),
    ],
)
def test_the_pause_is_from_2325_to_0035_in_hong_kong(wall: str, ends: str | None) -> None:
    now = hong_kong(wall).astimezone(UTC)
    assert pause_ends(now) == (hong_kong(ends) if ends else None)


def test_what_it_says_is_in_the_zone_that_it_was_asked_in() -> None:
    now = hong_kong("10T23:30:00")
    ends = pause_ends(now)
    assert ends is not None
    assert ends.tzinfo is now.tzinfo


@pytest.mark.parametrize(
    ("code", "wall", "tries", "waits"),
    [
        ("1269", "10T12:00:00", 0, timedelta(days=1)),
        ("1269", "10T12:00:00", 7, timedelta(days=1)),
        ("1269", "10T12:00:00", 8, None),
        ("1269", "10T12:00:00", 9, None),
        ("1265", "10T12:00:00", 0, None),
        ("1265", "10T23:30:00", 0, timedelta(minutes=65)),
        ("1265", "10T23:30:00", 8, None),
        ("1264", "10T12:00:00", 0, None),
        ("1264", "10T23:30:00", 0, None),
        ("", "10T12:00:00", 0, None),
    ],
)
def test_only_two_refusals_mean_later(code: str, wall: str, tries: int, waits: timedelta | None) -> None:
    now = hong_kong(wall)
    assert waits_until(code, now, tries) == (None if waits is None else now + waits)


@pytest.mark.parametrize(
    ("code", "klass", "unsure"),
    [("1100", "retry", True), ("1265", "retry", False), ("1269", "retry", False), ("1100", "final", False)],
)
def test_a_refusal_that_only_says_later_is_asked_about(code: str, klass: str, unsure: bool) -> None:
    assert may_be_there(code, klass) == unsure


@pytest.mark.parametrize(
    ("taken", "pause"),
    [(0, 3), (11.9, 3), (12, 3), (40, 10), (3600, 900), (7200, 1800), (7204, 1800), (86400, 1800)],
)
def test_a_quarter_of_the_time_so_far_passes_until_the_next_question(taken: float, pause: float) -> None:
    now = hong_kong("10T12:00:00")
    assert after_no_answer(now, since=now - timedelta(seconds=taken)) == now + timedelta(seconds=pause)


def test_the_figures_are_those_that_qfpay_names() -> None:
    assert refunding.MOST_TRIES == 8
    assert timedelta(seconds=5) == refunding.BETWEEN
    assert timedelta(minutes=5) == refunding.NOT_FOUND_FOR
