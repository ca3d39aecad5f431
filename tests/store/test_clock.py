"""The clock that decides is the database's, whatever a process believes the time to be."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import Engine, text

from checkout.store.clock import DatabaseClock


def test_on_postgresql_a_wrong_clock_of_ours_moves_nothing(books: Engine) -> None:
    if books.dialect.name == "sqlite":
        pytest.skip("one machine, one clock")
    with books.connect() as connection, time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        before = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        told = DatabaseClock(books)()
        after = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        ours = datetime.now(UTC)
    assert before - timedelta(minutes=1) < told <= after < ours


def test_between_two_questions_it_goes_on_by_the_monotonic_clock(books: Engine) -> None:
    ask = DatabaseClock(books)
    told = [ask() for _ in range(1000)]
    assert told == sorted(told)
    assert told[-1] - told[0] < timedelta(seconds=5)
