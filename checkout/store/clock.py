"""The time that decides: the database's, so that two machines with other clocks agree (safety.md I27)."""

import threading
import time
from datetime import UTC, datetime

from sqlalchemy import Engine, text

ANCHOR_SECONDS = 20.0


class DatabaseClock:
    """`now()` in UTC by the database, asked for each 20 s and carried on by the monotonic clock in between.

    A wall clock that is set back, or wrong, on one machine moves nothing: on PostgreSQL all
    processes share one clock; on SQLite the file's machine is the only one there is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._anchor: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        tick = time.monotonic()
        anchor = self._anchor
        if anchor is None or tick - anchor[1] > ANCHOR_SECONDS:
            anchor = self._ask()
        return anchor[0] + (datetime.fromtimestamp(tick, UTC) - datetime.fromtimestamp(anchor[1], UTC))

    def _ask(self) -> tuple[datetime, float]:
        with self._lock:
            if self._engine.dialect.name == "sqlite":
                anchor = (datetime.now(UTC), time.monotonic())
            else:
                with self._engine.connect() as connection:
                    said = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
                anchor = (said.astimezone(UTC), time.monotonic())
            self._anchor = anchor
            return anchor
