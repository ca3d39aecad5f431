"""One deployment that is used for many sequences: emptied, not built anew; in a file whose loss would be no loss."""

import dataclasses
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from checkout.crash_points import watched
from checkout.domain.errors import CheckoutError
from checkout.services import notices
from checkout.services.deliveries import Crew, deliver_next
from checkout.services.enquiries import Asking, Lanes, enquire_next
from checkout.services.reconciling import reconcile_next
from checkout.services.returning import move_next_refund
from checkout.services.sessions import close_next
from checkout.store.due import session_to_close
from checkout.store.models import Base
from sandbox.notifier import deliver_notice
from sandbox.rows import Notice as QueuedNotice
from tests.proofs.machine.faults import Failing, Strikes, Waiting
from tests.proofs.machine.roads import EndpointRoad, Meanwhile, Notice, NoticeRoad, Road
from tests.servers import HttpServer
from tests.stories.cast import NOON, Merchant, World

KEPT = {"merchant", "alembic_version"}
GATEWAYS_TABLES = ("notice", "record", "trade", "number", "script", "fault", "call")
ENDPOINTS = cast(HttpServer, SimpleNamespace(url="http://127.0.0.1:9"))  # nothing ever connects to it


class Killed(BaseException):
    """The process died here. No code of ours may catch it."""


class InPerson(Crew):
    """No threads: each try ends before the next step, and whoever dies in it dies here."""

    def send_off(self, work: Callable[[], None]) -> None:
        work()


@dataclasses.dataclass
class Skewed:
    """Our own clock: the true one, which is the gateway's, and how far we are off."""

    true: Callable[[], datetime]
    off: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self.true() + self.off


class HardWorld(World):
    """The stories' world, where calls, processes and the database fail when a fault waits for them."""

    def __init__(self, folder: Path, empty_books: Path) -> None:
        books = folder / "books.db"
        shutil.copy(empty_books, books)
        super().__init__(f"sqlite:///{books}", ENDPOINTS, {})
        self.waiting, self.meanwhile = Waiting(), Meanwhile()
        self.deaths: Counter[str] = Counter()
        self.steps_to_death = 0
        self._watched = watched(self._passed)
        self._watched.__enter__()
        self._weaken(self.parts.engine)
        self._pave()
        self.shops = [self._shop(), self._shop(options={"pay_types": ["801501"]})]
        self.eye = sqlite3.connect(books, isolation_level=None)  # sees what is committed, and nothing else
        self._kept = {name: self.eye.execute(f"SELECT * FROM {name}").fetchall() for name in ("merchant",)}  # noqa: S608

    def _pave(self) -> None:
        """Replace the sockets' stand-ins by roads on which things get lost."""
        self.ours = Skewed(self.clock)
        self.parts = dataclasses.replace(self.parts, clock=self.ours)
        self.road = Road(self.sandbox, self.waiting, self.meanwhile, self.goes_on)
        self.parts.gateways._transport._http.mount("https://", self.road)
        self.notice_road = NoticeRoad(self.waiting, self._hears_notice)
        self.gateway = dataclasses.replace(self.sandbox.extensions["sandbox"], http=self.notice_road)
        self.sandbox.extensions["sandbox"] = self.gateway
        self.endpoints = EndpointRoad(self.waiting)
        self.asking = dataclasses.replace(self.asking, clock=self.ours)
        self.refunding = dataclasses.replace(self.refunding, clock=self.ours)
        self.posting = dataclasses.replace(self.posting, clock=self.ours, sender=self.endpoints, crew=InPerson())

    def _shop(self, **wishes: Any) -> Merchant:
        return self.merchant(f"Shop {len(self.credentials) + 1}", **wishes)

    def _weaken(self, engine: Any) -> None:
        """Faster, because nobody pulls the plug here; and whoever must wait for a lock has found a mistake of ours."""
        engine.dispose()

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA busy_timeout=0")

        @event.listens_for(engine, "begin", insert=True)
        def _(connection: Connection) -> None:
            if connection.get_execution_options().get("sampan_read_only"):
                return
            trouble = self.waiting.strike(Strikes.DATABASE)
            if trouble and isinstance(trouble.does, Failing):
                error = sqlite3.OperationalError("a fault")
                error.sqlite_errorcode = trouble.does.code
                raise OperationalError("BEGIN IMMEDIATE", {}, error)

    def empties(self, start: datetime = NOON) -> None:
        """Nothing has ever happened here."""
        self.clock.now, self.ours.off = start, timedelta(0)
        self.waiting.armed.clear()
        self.waiting.struck.clear()
        self.meanwhile.acts.clear()
        self.steps_to_death = self.road.calls = 0
        self.notice_road.sent.clear()
        self.endpoints.heard.clear()
        self.eye.execute("BEGIN IMMEDIATE")
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "merchant":
                self.eye.execute(f"DELETE FROM {table.name}")  # noqa: S608
        self.eye.execute("DELETE FROM merchant")
        for row in self._kept["merchant"]:
            self.eye.execute(f"INSERT INTO merchant VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
        self.eye.execute("COMMIT")
        with self.ledger.store.writing() as db:
            for name in GATEWAYS_TABLES:
                db.execute(f"DELETE FROM {name}")  # noqa: S608

    def at_rest(self) -> bool:
        """Nothing of ours will ever be due again, and the gateway has nothing left to say."""
        waiting = "SELECT EXISTS (SELECT 1 FROM attempt WHERE next_at IS NOT NULL)"
        for table, due in (("session", "due_at"), ("refund", "next_at"), ("delivery", "next_at")):
            waiting += f" OR EXISTS (SELECT 1 FROM {table} WHERE {due} IS NOT NULL)"  # noqa: S608 - names are ours
        with self.ledger.store.reading() as db:
            (telling,) = db.execute("SELECT EXISTS (SELECT 1 FROM notice WHERE over = 0)").fetchone()
        return not telling and not self.eye.execute(waiting).fetchone()[0]

    def close(self) -> None:
        self._watched.__exit__(None, None, None)
        self.eye.close()
        super().close()

    def goes_on(self, time: timedelta) -> None:
        self.clock.now += time

    # --- processes

    def process(self, act: Callable[[], Any]) -> Any:
        """Do something in a process of its own: it may be told no, meet a busy database, or die. Nothing else."""
        try:
            return act()
        except (Killed, CheckoutError) as ended:
            return ended
        except OperationalError as error:
            if "a fault" not in str(error.orig):
                raise
            return error

    def _passed(self, point: str) -> None:
        if not self.waiting.armed.get(Strikes.PROCESS):
            return
        self.steps_to_death -= 1
        if self.steps_to_death <= 0:
            self.waiting.strike(Strikes.PROCESS)
            self.deaths[point] += 1
            raise Killed(point)

    def with_db(self, act: Callable[[Session], Any]) -> Any:
        def acting() -> Any:
            with self.parts.sessions() as db:
                return act(db)

        return self.process(acting)

    # --- the steps of a worker, each as if it were the first of its process

    def asks(self) -> Any:
        return self.process(lambda: enquire_next(self._alone(self.asking)))

    def moves(self) -> Any:
        return self.process(lambda: move_next_refund(self._alone(self.refunding)))

    def reconciles(self) -> Any:
        return self.process(lambda: reconcile_next(self._alone(self.asking), patience=lambda _: None))

    def delivers(self) -> Any:
        return self.process(lambda: deliver_next(dataclasses.replace(self.posting, lanes=Lanes())))

    def closes(self) -> Any:
        with self.parts.reading.connect() as connection:
            if session_to_close(connection, self.ours()) is None:
                return False
        return self.with_db(lambda db: close_next(db, self.parts.terms, self.ours()))

    def _alone(self, asking: Asking) -> Asking:
        return dataclasses.replace(asking, lanes=Lanes())

    def works(self) -> None:
        """All that is due at this moment. Only what is due is tried: at rest that spares most of the time."""
        steps = (
            ("attempt", "next_at", self.asks),
            ("session", "due_at", self.closes),
            ("refund", "next_at", self.moves),
            ("delivery", "next_at", self.delivers),
        )
        for _ in range(500):
            moved = [self._due(table, column) and step() for table, column, step in steps]
            if not any(moved):
                return
        raise AssertionError("the worker never comes to rest")

    def _due(self, table: str, column: str) -> bool:
        now = self.ours().replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} <= ?)"  # noqa: S608 - names are ours
        return bool(self.eye.execute(query, (now,)).fetchone()[0])

    # --- what the gateway tells us

    def queued(self) -> list[QueuedNotice]:
        asked = "SELECT * FROM notice WHERE over = 0 AND due_at <= ? ORDER BY due_at, id"
        with self.ledger.store.reading() as db:
            return [QueuedNotice.of(row) for row in db.execute(asked, (self.clock.now.timestamp(),)).fetchall()]

    def notifies_about(self, notice: QueuedNotice) -> None:
        deliver_notice(self.gateway, notice, self.clock.now)

    def _hears_notice(self, notice: Notice) -> int:
        """The status that our side answers; 0 when it dies over it."""
        answer = self.hears(notice)
        if isinstance(answer, CheckoutError):
            return answer.http_status
        return 0 if isinstance(answer, Killed) else 503 if isinstance(answer, OperationalError) else 200

    def hears(self, notice: Notice, merchant_id: str | None = None) -> Any:
        addressed = merchant_id or notice.url.rsplit("/", 1)[-1]
        return self.with_db(
            lambda db: notices.receive(
                db,
                self.parts.gateways,
                self.parts.terms,
                addressed,
                notice.body,
                signature=notice.sign,
                now=self.ours(),
            )
        )
