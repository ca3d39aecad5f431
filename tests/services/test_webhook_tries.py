"""When a webhook that failed is tried again."""

from datetime import timedelta

import pytest

from checkout.services.webhooks import RETRY_AFTER, Answer, next_try, read_retry_after
from tests.services.endpoints import NOON

FAILED = Answer(status=500, error="answered 500")


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    tries = [next_try(n, FAILED, NOON, 0.0) for n in range(len(RETRY_AFTER))]

    assert [moment - NOON for moment in tries if moment] == list(RETRY_AFTER)
    assert sum(RETRY_AFTER, timedelta()) == timedelta(days=3, hours=3, minutes=35, seconds=5)
    assert next_try(len(RETRY_AFTER), FAILED, NOON, 0.0) is None


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 270), (0.0, 300), (1.0, 330)])
def test_jitter_moves_a_try_by_a_tenth(jitter: float, seconds: int) -> None:
    assert next_try(2, FAILED, NOON, jitter) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("tries", "retry_after", "seconds"),
    [(1, 90, 90), (1, 0, 5), (2, 90, 300), (1, 86_400, 86_400), (1, 999_999, 86_400), (1, None, 5)],
)
def test_a_merchant_may_ask_for_more_time_but_not_for_less(tries: int, retry_after: int | None, seconds: int) -> None:
    answer = Answer(status=503, error="answered 503", retry_after=retry_after)

    assert next_try(tries, answer, NOON, 0.0) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("answer", [Answer(status=204), Answer(status=410, error="answered 410")])
def test_what_is_delivered_or_unwanted_is_not_tried_again(answer: Answer) -> None:
    assert next_try(1, answer, NOON, 0.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 01 Mar 2027 12:00:00 GMT", 86_400),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: int | None) -> None:
    assert read_retry_after(value, NOON) == seconds
