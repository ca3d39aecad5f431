"""The background work: small steps in a few threads, in a process of its own or inside the web process."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from checkout.services.deliveries import Posting, deliver_next
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.keys import forget_keys
from checkout.services.lookout import Lookout
from checkout.services.reconciling import reconcile_next
from checkout.services.returning import move_next_refund
from checkout.services.sessions import close_next
from checkout.services.throttling import forget_tries
from checkout.store.due import session_to_close
from checkout.web.context import Parts, parts_of

log = logging.getLogger(__name__)

Step = Callable[[], bool]  # does one small thing; False: there was nothing to do
Kit = TypeVar("Kit", Asking, Posting)

AFTER_TROUBLE_SECONDS = 3.0
STOP_SECONDS, SANDBOX_STOP_SECONDS = 20.0, 2.0
KEYS_KEPT = timedelta(days=7)  # by the promise of safety.md F57
FORGET_SECONDS = 3600.0
RECONCILE_SECONDS = 60.0  # a night's work may wait for a minute
# A call to one gateway or endpoint may hang for its whole deadline; others must not wait behind it.
ENQUIRERS, FIRST_TRIERS, DELIVERERS, REFUNDERS = 3, 2, 4, 2


class Worker:
    """Threads that take steps until they are told to stop. Leases make any number of workers harmless."""

    def __init__(self, joined: Parts) -> None:
        asking = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, joined.clock, Lanes())
        posting = Posting(joined.reading, joined.sessions, joined.vault, joined.sender, joined.clock, Lanes())
        # Lanes of their own: a refund call may take 30 s, and must not keep payments from being followed.
        refunding = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, joined.clock, Lanes())
        self._joined = joined
        self._stopping = threading.Event()
        self._phase = random.random()  # noqa: S311 - so that several processes do not look in the same moment
        self._lookouts: list[Lookout] = []
        self._threads: list[threading.Thread] = []
        self._hire(ENQUIRERS, lambda kind: enquire_next(_hurrying(asking, kind)))
        self._hire(FIRST_TRIERS, lambda kind: enquire_next(_hurrying(asking, kind), first_tries_only=True))
        self._hire(DELIVERERS, lambda kind: deliver_next(_hurrying(posting, kind)))
        self._hire(FIRST_TRIERS, lambda kind: deliver_next(_hurrying(posting, kind), first_tries_only=True))
        self._hire(REFUNDERS, lambda kind: move_next_refund(_hurrying(refunding, kind)))
        self._hire(1, lambda _: self._close_next())
        self._hire(1, lambda _: self._forget_next())
        self._hire(1, lambda _: self._reconcile_next(asking))

    def _hire(self, number: int, step: Callable[[Lookout], bool]) -> None:
        """So many threads of one kind, which share a lookout; no kind ever waits for another.

        Two kinds in a row look by turns: what is new is due for both.
        """
        nth = len(self._lookouts)
        self._lookouts.append(kind := Lookout(self._phase + nth / 2 + nth // 2 / 8))
        for _ in range(number):
            self._threads.append(threading.Thread(target=self._run, args=(partial(step, kind), kind), daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the steps under way; what does not finish in time is leased, and due again when the lease ends."""
        self.ask_to_stop()
        # With the sandbox in this very process, a call under way waits for a server that is stopping too.
        deadline = time.monotonic() + (SANDBOX_STOP_SECONDS if self._joined.config.SANDBOX else STOP_SECONDS)
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def wait(self) -> None:
        # Not for ever at once: a signal that another thread took is only noticed when this one wakes. And not by the
        # event: its lock might be this thread's own in the moment in which a signal's handler sets it.
        while not self._stopping.is_set():
            time.sleep(0.5)

    def ask_to_stop(self) -> None:
        self._stopping.set()
        for kind in self._lookouts:
            kind.close()

    def _run(self, step: Step, kind: Lookout) -> None:
        while not self._stopping.is_set():
            try:
                if step():
                    kind.worked()
                else:
                    kind.rest()
            except SQLAlchemyError as error:
                log.error("the database did not answer: %s", error.__cause__ or type(error).__name__)  # noqa: TRY400 - expected; its trace tells nothing
                self._stopping.wait(AFTER_TROUBLE_SECONDS)
            except Exception:
                # One poisoned row must not end the thread: its lease keeps it away for a while.
                log.exception("a background step failed")
                self._stopping.wait(AFTER_TROUBLE_SECONDS)

    def _close_next(self) -> bool:
        with self._joined.reading.connect() as connection:
            if session_to_close(connection, self._joined.clock()) is None:
                return False
        with self._joined.sessions() as db:
            return close_next(db, self._joined.terms, self._joined.clock())

    def _reconcile_next(self, asking: Asking) -> bool:
        if reconcile_next(asking, patience=self._stopping.wait):
            return True
        self._stopping.wait(RECONCILE_SECONDS)
        return False

    def _forget_next(self) -> bool:
        with self._joined.sessions() as db:
            forget_keys(db, self._joined.clock() - KEYS_KEPT)
            forget_tries(db, self._joined.clock())
        self._stopping.wait(FORGET_SECONDS)
        return False


def _hurrying(kit: Kit, kind: Lookout) -> Kit:
    """The same, but who enters a lane has found work, and hurries the next of the kind."""
    return replace(kit, lanes=kit.lanes.telling(kind.hurry))


def start_background(app: Flask) -> None:
    """Run the background work inside this web process, if the settings say so. Call it after the fork."""
    joined = parts_of(app)
    if joined.config.embedded_worker and "sampan.worker" not in app.extensions:
        app.extensions["sampan.worker"] = worker = Worker(joined)
        worker.start()


def stop_background(app: Flask) -> None:
    if worker := app.extensions.pop("sampan.worker", None):
        worker.stop()
