"""The time that decides: the database's, so that two machines with other clocks agree (safety.md I27)."""

import threading
import time
from datetime import UTC, datetime

from sqlalchemy import Engine, text

ANCHOR_SECONDS = 20.0


class DatabaseClock:
    """`now()` in UTC by the database, asked for each 20 s and carried on by the monotonic clock in between.

    On PostgreSQL all processes share one clock, and a wrong or jumping one on their own machines
    moves nothing. On SQLite there is one machine and its clock: a jump of it is followed within 20 s.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asking = threading.Lock()
        self._anchor: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        tick = time.monotonic()
        anchor = self._anchor
        if anchor is None:
            anchor = self._ask()
        elif tick - anchor[1] > ANCHOR_SECONDS and self._asking.acquire(blocking=False):
            # One asks; the others carry on from the old anchor. In a queue behind a database that is away,
            # each would wait for its own time-out after all those before it.
            try:
                anchor = self._ask()
            finally:
                self._asking.release()
        return anchor[0] + (datetime.fromtimestamp(tick, UTC) - datetime.fromtimestamp(anchor[1], UTC))

    def _ask(self) -> tuple[datetime, float]:
        if self._engine.dialect.name == "sqlite":
            anchor = (datetime.now(UTC), time.monotonic())
        else:
            with self._engine.connect() as connection:
                said = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            anchor = (said.astimezone(UTC), time.monotonic())
        self._anchor = anchor
        return anchor
