"""Near the end of a month, an enquiry names each month that the payment may be filed under."""

from datetime import UTC, date, datetime, timedelta

import pytest

from checkout.gateway.months import HONG_KONG, Window, day_of, midnight, windows_between, windows_for

MONTHS = range(1, 13)


def hkt(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=HONG_KONG)  # type: ignore[arg-type,misc]


def month(year: int, number: int) -> Window:
    after = hkt(year + number // 12, number % 12 + 1, 1)
    return Window(hkt(year, number, 1), after - timedelta(seconds=1))


def midnight_after(number: int) -> datetime:
    """The first moment after month `number` of 2028, a leap year."""
    return month(2028, number).end + timedelta(seconds=1)


def following(number: int) -> Window:
    return month(2028 + number // 12, number % 12 + 1)


@pytest.mark.parametrize("number", MONTHS)
def test_in_the_middle_of_a_month_no_bounds_are_needed(number: int) -> None:
    made = hkt(2028, number, 15, 12)
    assert windows_for(made, made + timedelta(minutes=30), made + timedelta(minutes=3)) == (None,)


@pytest.mark.parametrize("number", MONTHS)
def test_a_payment_made_a_minute_before_midnight_is_sought_in_both_months(number: int) -> None:
    made = midnight_after(number) - timedelta(minutes=1)
    both = (month(2028, number), following(number))
    for later in (0, 2, 30, 60 * 24, 60 * 24 * 45):
        assert windows_for(made, made + timedelta(minutes=30), made + timedelta(minutes=later)) == both


@pytest.mark.parametrize("number", MONTHS)
def test_a_payment_made_just_after_midnight_may_be_filed_before_it(number: int) -> None:
    made = midnight_after(number) + timedelta(minutes=4)
    assert windows_for(made, made + timedelta(minutes=30), made) == (month(2028, number), following(number))


@pytest.mark.parametrize("number", MONTHS)
def test_ten_minutes_after_midnight_the_new_month_is_still_named(number: int) -> None:
    """By the gateway's clock the old one may be the current one yet."""
    made, now = (midnight_after(number) + timedelta(minutes=minutes) for minutes in (6, 8))
    assert windows_for(made, made + timedelta(minutes=30), now) == (following(number),)


def test_a_month_begins_with_its_first_second_whenever_it_is_asked() -> None:
    made = hkt(2028, 3, 15, 12, 30, 17, 250_000)
    assert windows_for(made, made + timedelta(minutes=30), made + timedelta(minutes=3, seconds=5)) == (None,)
    assert windows_for(made, made, made + timedelta(days=40)) == (month(2028, 3),)


@pytest.mark.parametrize("number", MONTHS)
def test_next_month_a_payment_is_sought_where_it_was_made(number: int) -> None:
    made = midnight_after(number) - timedelta(days=3)
    assert windows_for(made, made + timedelta(hours=1), made + timedelta(days=4)) == (month(2028, number),)


@pytest.mark.parametrize("number", MONTHS)
def test_a_few_minutes_around_midnight_the_current_month_is_named(number: int) -> None:
    made = midnight_after(number) - timedelta(hours=3)
    ends = made + timedelta(minutes=30)
    edge = midnight_after(number)
    for minutes in (-9, -1, 0, 1, 9):
        assert windows_for(made, ends, edge + timedelta(minutes=minutes)) == (month(2028, number),)
    assert windows_for(made, ends, edge - timedelta(minutes=11)) == (None,)


def test_a_clock_set_back_asks_for_the_month_of_creation() -> None:
    made = hkt(2028, 3, 15)
    assert windows_for(made, made + timedelta(minutes=30), hkt(2028, 2, 10)) == (month(2028, 3),)


def test_a_long_life_names_every_month_it_touches() -> None:
    made = hkt(2028, 11, 30, 23, 58)
    assert windows_for(made, made + timedelta(days=40), made + timedelta(days=50)) == (
        month(2028, 11),
        month(2028, 12),
        month(2029, 1),
    )


def test_a_window_never_leaves_its_month() -> None:
    for number in MONTHS:
        made = midnight_after(number) - timedelta(minutes=1)
        for window in windows_for(made, made + timedelta(minutes=30), made):
            assert window is not None
            assert (window.start.year, window.start.month) == (window.end.year, window.end.month)
            assert (window.start.day, window.start.hour, window.end.strftime("%H:%M:%S")) == (1, 0, "23:59:59")


def test_a_stretch_is_cut_at_the_end_of_each_month_and_nothing_is_named_twice() -> None:
    assert windows_between(hkt(2028, 1, 31), hkt(2028, 3, 1, 12)) == (
        Window(hkt(2028, 1, 31), month(2028, 1).end),
        month(2028, 2),
        Window(hkt(2028, 3, 1), hkt(2028, 3, 1, 11, 59, 59)),
    )
    assert windows_between(hkt(2028, 3, 1), hkt(2028, 3, 1)) == ()
    assert windows_between(hkt(2028, 3, 2), hkt(2028, 3, 1)) == ()


@pytest.mark.parametrize("number", MONTHS)
def test_a_day_is_hong_kongs_whatever_zone_its_moment_is_told_in(number: int) -> None:
    day = date(2028, number, 1)
    begins = midnight(day)
    assert begins == hkt(2028, number, 1)
    assert begins.tzinfo is UTC
    assert (day_of(begins - timedelta(microseconds=1)), day_of(begins)) == (day - timedelta(days=1), day)
    assert windows_between(begins, midnight(day + timedelta(days=1))) == (
        Window(hkt(2028, number, 1), hkt(2028, number, 1, 23, 59, 59)),
    )
