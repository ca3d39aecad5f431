"""Who is being called: one call at a time to each merchant's gateway or endpoint, in each process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from checkout.gateway.accounts import Gateways
from checkout.services.terms import Terms


class Lanes:
    """Merchants being asked about by this process: one at a time each, so that a hanging gateway holds up one lane."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._told: Callable[[], object] = lambda: None

    def telling(self, told: Callable[[], object]) -> "Lanes":
        """The same lanes, for those who are to be told each time that one of theirs is entered: there is work."""
        same = copy(self)
        same._told = told
        return same

    @property
    def busy(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._busy)

    @contextmanager
    def entered(self, merchant_id: str) -> Iterator[bool]:
        with self._lock:
            free = merchant_id not in self._busy
            self._busy.add(merchant_id)
        try:
            if free:
                self._told()
            yield free
        finally:
            if free:
                with self._lock:
                    self._busy.discard(merchant_id)


@dataclass(frozen=True)
class Asking:
    """What one enquiry needs, bundled because a worker step takes no arguments."""

    reading: Engine
    sessions: sessionmaker[Session]
    gateways: Gateways
    terms: Terms
    clock: Callable[[], datetime]
    lanes: Lanes
