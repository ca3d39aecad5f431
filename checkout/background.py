"""The background work: small steps in a few threads, in a process of its own or inside the web process."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from checkout.services.deliveries import Posting, deliver_next
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.keys import forget_keys
from checkout.services.reconciling import reconcile_next
from checkout.services.returning import move_next_refund
from checkout.services.sessions import close_next
from checkout.store.due import session_to_close
from checkout.web.context import Parts, parts_of

log = logging.getLogger(__name__)

Step = Callable[[], bool]  # does one small thing; False: there was nothing to do

IDLE_SECONDS = 0.5
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
        steps: list[Step] = [lambda: enquire_next(asking)] * ENQUIRERS
        steps += [lambda: enquire_next(asking, first_tries_only=True)] * FIRST_TRIERS
        steps += [lambda: deliver_next(posting)] * DELIVERERS
        steps += [lambda: deliver_next(posting, first_tries_only=True)] * FIRST_TRIERS
        steps += [lambda: move_next_refund(refunding)] * REFUNDERS + [self._close_next, self._forget_next]
        steps += [lambda: self._reconcile_next(asking)]
        self._threads = [threading.Thread(target=self._run, args=(step,), daemon=True) for step in steps]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the steps under way; what does not finish in time is leased, and due again when the lease ends."""
        self._stopping.set()
        # With the sandbox in this very process, a call under way waits for a server that is stopping too.
        deadline = time.monotonic() + (SANDBOX_STOP_SECONDS if self._joined.config.SANDBOX else STOP_SECONDS)
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def wait(self) -> None:
        # Not for ever at once: a signal that another thread took is only noticed when this one wakes.
        while not self._stopping.wait(1.0):
            pass

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def _run(self, step: Step) -> None:
        while not self._stopping.is_set():
            try:
                if not step():
                    self._stopping.wait(IDLE_SECONDS)
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
        self._stopping.wait(FORGET_SECONDS)
        return False


def start_background(app: Flask) -> None:
    """Run the background work inside this web process, if the settings say so. Call it after the fork."""
    joined = parts_of(app)
    if joined.config.embedded_worker and "sampan.worker" not in app.extensions:
        app.extensions["sampan.worker"] = worker = Worker(joined)
        worker.start()


def stop_background(app: Flask) -> None:
    if worker := app.extensions.pop("sampan.worker", None):
        worker.stop()
