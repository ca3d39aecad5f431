"""Which screen the shopper sees: the whole table."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from checkout.domain.lifecycle import AttemptStatus, SessionStatus
from checkout.domain.stages import FINAL, WAITS, Stage, Try, stage_of

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
DEADLINE = NOON + timedelta(minutes=30)
S, A = SessionStatus, AttemptStatus


def latest(status: AttemptStatus, *, has_code: bool = True, on_phone: bool = False, ends_in: int = 31) -> Try:
    return Try(status, has_code=has_code, on_phone=on_phone, ends_at=NOON + timedelta(minutes=ends_in))


def seen(session: SessionStatus, attempt: Try | None, *, review: bool = False, now: datetime = NOON) -> Stage:
    return stage_of(session, attempt, review=review, expires_at=DEADLINE, now=now)


# fmt: off
OPEN_SCREENS = [
    (None,                                           Stage.CHOOSE),
    (latest(A.CREATED, has_code=False),              Stage.WAITING),
    (latest(A.PENDING),                              Stage.SCAN),
    (latest(A.PENDING, on_phone=True),               Stage.WALLET),
    (latest(A.PENDING, has_code=False),              Stage.UNKNOWN),  # found by an enquiry; its code never reached us
    (latest(A.UNKNOWN, has_code=False),              Stage.UNKNOWN),
    (latest(A.UNKNOWN),                              Stage.UNKNOWN),
    (latest(A.FAILED, has_code=False),               Stage.FAILED),
    (latest(A.FAILED),                               Stage.FAILED),
    (latest(A.PENDING, ends_in=0),                   Stage.FAILED),   # the code has ended, the session has not
    (latest(A.UNKNOWN, has_code=False, ends_in=0),   Stage.FAILED),
    (latest(A.CREATED, has_code=False, ends_in=0),   Stage.FAILED),
    (latest(A.CLOSED),                               Stage.CHOOSE),
]
ENDS = [
    (S.PAID,      False, Stage.PAID),
    (S.PAID,      True,  Stage.PAID),  # paid is paid: a surplus is between the shop and its books
    (S.OPEN,      True,  Stage.REVIEW),
    (S.CLOSING,   True,  Stage.REVIEW),
    (S.EXPIRED,   True,  Stage.REVIEW),
    (S.CANCELLED, True,  Stage.REVIEW),
    (S.CLOSING,   False, Stage.CLOSING),
    (S.EXPIRED,   False, Stage.EXPIRED),
    (S.CANCELLED, False, Stage.CANCELLED),
]
# fmt: on


@pytest.mark.parametrize(("attempt", "stage"), OPEN_SCREENS)
def test_while_a_session_is_open_the_latest_attempt_decides(attempt: Try | None, stage: Stage) -> None:
    assert seen(S.OPEN, attempt) is stage


@pytest.mark.parametrize(("session", "review", "stage"), ENDS)
@pytest.mark.parametrize(("attempt", "_"), OPEN_SCREENS)
def test_else_the_session_decides_whatever_was_tried(
    session: SessionStatus, review: bool, stage: Stage, attempt: Try | None, _: Stage
) -> None:
    assert seen(session, attempt, review=review) is stage


@pytest.mark.parametrize(("attempt", "_"), OPEN_SCREENS)
def test_nobody_can_pay_from_the_deadline_on(attempt: Try | None, _: Stage) -> None:
    assert seen(S.OPEN, attempt, now=DEADLINE) is Stage.CLOSING


def test_every_combination_has_a_screen_and_every_screen_a_combination() -> None:
    attempts = [attempt for attempt, _ in OPEN_SCREENS]
    shown = {seen(s, a, review=r) for s, a, r in itertools.product(S, attempts, (True, False))}
    assert shown == set(Stage)


def test_a_screen_that_waits_is_not_an_end() -> None:
    assert not FINAL & WAITS
