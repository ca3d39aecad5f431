"""Reading all that the gateway holds for one merchant in a stretch of time, as slowly as the budget allows."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from checkout.gateway.client import Enquiry, Gateway, Says
from checkout.gateway.months import Window, windows_between
from checkout.gateway.records import Record
from checkout.services import calls
from checkout.services.budgets import Use
from checkout.services.calls import NotNow
from checkout.services.enquiries import BATCH, Asking
from checkout.services.portal_refunds import DONE

T = TypeVar("T")

PATIENCE = timedelta(seconds=5)  # a spent budget refills so soon; a gateway that is known to be dead does not
MOST_WAITS = 120


@dataclass(frozen=True)
class Span:
    """From `start` up to, not including, `end`. What happened after `settled_by` is left to the ordinary enquiries."""

    start: datetime
    end: datetime
    settled_by: datetime

    @property
    def windows(self) -> tuple[Window, ...]:
        return windows_between(self.start, self.end)


@dataclass(frozen=True)
class Told:
    """One record and the answer that it stood in."""

    record: Record
    raw: bytes

    @property
    def paid(self) -> bool:
        return self.record.kind == "payment" and self.record.says in (Says.SUCCEEDED, Says.RETURNED)

    @property
    def refunded(self) -> bool:
        return self.record.kind == "refund" and self.record.code == DONE

    def before(self, moment: datetime) -> bool:
        """Whether all that it tells of had happened by then."""
        moments = (self.record.system_at, self.record.paid_at)
        return all(at <= moment for at in moments if at is not None)


@dataclass(frozen=True)
class Reader:
    """One merchant's gateway, and what it takes to ask it without holding anything open."""

    db: Session
    asking: Asking
    gateway: Gateway
    patience: Callable[[float], object] = time.sleep

    def statement(self, windows: Sequence[Window]) -> list[Told]:
        """Every record in these windows. Raises GatewayError: then nothing is known, not even of what was read."""
        return [told for window in windows for told in self._pages(window)]

    def about(self, numbers: Sequence[str], windows: Sequence[Window]) -> list[Told]:
        """Every record of these numbers in these windows."""
        batches = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
        answers = [self._ask(partial(self.gateway.enquire, batch, w)) for batch in batches for w in windows]
        return [Told(record, answer.raw) for answer in answers for record in answer.records]

    def _pages(self, window: Window) -> Iterator[Told]:
        pages = self.gateway.statement(window)
        while page := self._ask(lambda: next(pages, None)):
            yield from _told(page)

    def _ask(self, question: Callable[[], T]) -> T:
        """One call, when the minute's budget allows it; payments and refunds are never kept waiting for it."""
        clock, terms = self.asking.clock, self.asking.terms
        for _ in range(MOST_WAITS):
            try:
                return calls.ask(self.db, terms, self.gateway, question, use=Use.ENQUIRE, clock=clock)
            except NotNow as reason:
                if (wait := reason.until - clock()) > PATIENCE:
                    raise
                self.patience(max(wait.total_seconds(), 0.1))
        raise NotNow("our own budget of calls is spent", clock())


def _told(page: Enquiry) -> Iterator[Told]:
    return (Told(record, page.raw) for record in page.records)
