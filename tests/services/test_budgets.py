"""The budget of calls: never more than the rate in any minute, and half of it after the gateway said "too many"."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.store.engine import make_engine, writing_sessions
from checkout.store.models import Budget
from tests.stories.cast import NOON
from tests.stories.conftest import empty_books, migrate

__all__ = ["empty_books"]

RATE = 300


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('empty_books'), tmp_path / 'books.db')}"
    else:
        url = request.getfixturevalue("postgres").new_database(migrate).replace("postgresql:", "postgresql+psycopg:")
    engine = make_engine(url)
    with writing_sessions(engine)() as session:
        yield session
    engine.dispose()


def take(db: Session, use: Use = Use.CREATE, *, after: float = 0.0) -> bool:
    return budgets.take(db, "host/APP1", use=use, rate_per_minute=RATE, now=at(after))


def squeeze(db: Session, *, after: float = 0.0) -> bool:
    return budgets.squeeze(db, "host/APP1", rate_per_minute=RATE, now=at(after))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def drained(db: Session, seconds: float, use: Use = Use.CREATE) -> int:
    """How many calls leave when one is tried each 50 ms for so many seconds."""
    return sum(take(db, use, after=tick / 20) for tick in range(int(seconds * 20)))


def test_a_minute_never_has_more_calls_than_the_rate(db: Session) -> None:
    assert RATE - 2 <= drained(db, 60) <= RATE


def test_after_too_many_calls_a_minute_has_half(db: Session) -> None:
    take(db)
    assert squeeze(db)
    assert RATE // 2 - 2 <= drained(db, 60) <= RATE // 2


def test_a_squeeze_ends_after_its_minute(db: Session) -> None:
    take(db)
    squeeze(db)
    drained(db, 60)
    whole = sum(take(db, after=120 + tick / 20) for tick in range(20 * 60))
    assert RATE - 2 <= whole <= RATE


def test_an_empty_bucket_gains_nothing_from_a_squeeze(db: Session) -> None:
    while take(db):
        pass
    squeeze(db)
    assert not take(db)
    assert not take(db, after=0.4)
    assert take(db, after=0.6)  # at half of the four a second


def tokens(db: Session, credential: str = "host/APP1") -> int:
    return db.get_one(Budget, credential, populate_existing=True).tokens


@pytest.mark.parametrize(("left", "kept"), [(59_000, 30_000), (30_001, 30_000), (30_000, 30_000), (24_000, 24_000)])
def test_a_squeeze_leaves_what_is_less_than_half_of_a_bucket(db: Session, left: int, kept: int) -> None:
    take(db)
    db.execute(update(Budget).values(tokens=left))
    db.commit()
    assert squeeze(db)
    assert tokens(db) - kept == 120_000  # what a minute refills at half the rate: there at its end


def test_a_squeeze_is_of_one_credential(db: Session) -> None:
    for credential in ("host/APP1", "host/APP2"):
        budgets.take(db, credential, use=Use.CREATE, rate_per_minute=RATE, now=at(0))
    assert squeeze(db)
    assert tokens(db, "host/APP2") == 59_000


@pytest.mark.parametrize(("behind", "meant"), [(1.0, True), (1.5, False)])
def test_a_clock_that_is_a_second_behind_squeezes_too(db: Session, behind: float, meant: bool) -> None:
    take(db, after=behind)
    assert squeeze(db) is meant


def test_a_crowd_that_is_refused_at_once_squeezes_it_once(db: Session) -> None:
    take(db)
    assert [squeeze(db, after=second) for second in range(5)] == [True, False, False, False, False]
    assert squeeze(db, after=61)


def test_creating_still_has_its_share_of_a_squeezed_bucket(db: Session) -> None:
    take(db)
    squeeze(db)
    while take(db, Use.ENQUIRE):
        pass
    assert sum(take(db, Use.REFUND) for _ in range(100)) >= 15
    assert sum(take(db, Use.CREATE) for _ in range(100)) >= 5


def test_a_bucket_that_nobody_opened_is_not_squeezed(db: Session) -> None:
    assert not squeeze(db)


def test_a_clock_that_is_a_little_behind_takes_no_harm(db: Session) -> None:
    take(db, after=0.2)
    assert take(db, after=0.0)
    assert sum(take(db, after=0.2) for _ in range(100)) in (57, 58)
