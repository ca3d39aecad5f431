"""The answer of a COMMIT is cut off, at each one that stores something, over the whole road of a payment."""

import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.exc import SQLAlchemyError

from checkout.services.deliveries import deliver_next
from checkout.services.enquiries import enquire_next
from checkout.services.returning import move_next_refund
from checkout.store.models import CheckoutSession, Event
from tests.databases import PostgresServer
from tests.proofs.scale import Scale, Tally
from tests.proofs.stage import Stage, differences, settled_in
from tests.proxy import FaultProxy
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant
from tests.stories.conftest import migrate

COMMIT = b"COMMIT\0"  # as libpq's simple query spells it on the wire
WRITES = ("INSERT", "UPDATE", "DELETE")
LONGEST_LEASE = 65  # seconds


class Line:
    """Between us and PostgreSQL: cuts the answer of one COMMIT, counted among those that store something."""

    def __init__(self, engine: Engine, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.seen = self._cut_at = 0
        event.listen(engine, "before_cursor_execute", self._executes)
        event.listen(engine, "commit", self._commits)
        event.listen(engine, "rollback", lambda connection: connection.info.pop("wrote", None))

    def watch(self, cut_at: int) -> None:
        """Count from here; 0 cuts none."""
        self.seen, self._cut_at = 0, cut_at

    def _executes(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(WRITES):
            connection.info["wrote"] = True

    def _commits(self, connection: Connection) -> None:
        if connection.info.pop("wrote", None):
            self.seen += 1
            if self.seen == self._cut_at:
                self.proxy.cut_answer_after(COMMIT)


class Road:
    """One session from its order to the refund of its payment, with whoever repeats what was not answered."""

    def __init__(self, stage: Stage, bo: Merchant) -> None:
        self.stage, self.bo = stage, bo
        self.session: dict[str, Any] = {}
        self.refund: dict[str, Any] = {}

    def phases(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("session creations", self.opens),
            ("starts of payments", self.picks),
            ("notifications", self.is_told),
            ("enquiries", lambda: self._goes_on(self.works, lambda: self.bo.reads(self.session)["status"] == "paid")),
            ("deliveries", lambda: self._goes_on(self.delivers, self.has_heard)),
            ("refund requests", self.refunds),
            ("refunds", lambda: self._goes_on(self.works, self.is_refunded)),
            ("last deliveries", lambda: self._goes_on(self.delivers, self.has_heard)),
        ]

    def opens(self) -> None:
        order = self.bo.order(reference=uuid.uuid4().hex)
        self.session = self._asks("/v1/checkout-sessions", order)

    def picks(self) -> None:
        ada = self.stage.shopper(self.session)
        assert ada.picks("alipay_hk").status_code == 303
        assert "data-qr" in ada.page()  # nobody is left without a code
        self.stage.pays(self.session)

    def is_told(self) -> None:
        assert set(self.stage.notifies()) == {200}
        self.stage.clock.now += timedelta(seconds=3)

    def refunds(self) -> None:
        self.refund = self._asks(f"/v1/checkout-sessions/{self.session['id']}/refunds", {"amount": 100})

    def works(self) -> bool:
        asked = _survives(lambda: enquire_next(self.stage.asking))
        return _survives(lambda: move_next_refund(self.stage.refunding)) or asked

    def delivers(self) -> bool:
        return _survives(lambda: deliver_next(self.stage.posting))

    def has_heard(self) -> bool:
        with self.stage.parts.sessions() as db:
            events = set(db.scalars(select(Event.id).where(Event.session_id == self.session["id"])))
        return events <= {request.headers["webhook-id"] for request in self.bo.inbox.heard} and bool(events)

    def is_refunded(self) -> bool:
        answer = self.bo.api("GET", f"/v1/refunds/{self.refund['id']}")
        return bool(answer.json and answer.json["status"] == "succeeded")

    def _goes_on(self, step: Callable[[], bool], done: Callable[[], bool]) -> None:
        """The worker's ordinary steps; what was cut off is due again when its lease ends, and nobody lends a hand."""
        for _ in range(12):  # a refund that was never sent is looked for twice, five minutes apart, before it is
            while step():
                pass
            if done():
                return
            self.stage.clock.now += timedelta(seconds=LONGEST_LEASE)
        raise AssertionError(f"never done: {self.bo.reads(self.session)}")

    def _asks(self, path: str, body: object) -> dict[str, Any]:
        """With a key, and twice: the second answer is the first one."""
        key = uuid.uuid4().hex
        first, again = (self.bo.api("POST", path, body, Idempotency_Key=key) for _ in range(2))
        assert first.status_code == 201, first.text
        assert again.data == first.data
        return dict(first.json or {})


def _survives(step: Callable[[], bool]) -> bool:
    """As the worker does it: what the database does to a step ends the step and nothing else."""
    with suppress(SQLAlchemyError):
        return step()
    return False


@pytest.fixture
def far_stage(
    postgres: PostgresServer, hooks: HttpServer, inboxes: dict[str, Inbox], tmp_path: Path
) -> Iterator[tuple[Stage, FaultProxy, Merchant]]:
    url = postgres.new_database(migrate)
    with FaultProxy(postgres.port) as proxy:
        far = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        inbox = inboxes["/commits"] = Inbox()
        with settled_in(far, tmp_path / "ledger.db", hooks, inbox, "/commits") as stage:
            told = stage.shop()
            yield stage, proxy, Merchant(stage, told.told, inbox)
    postgres.drop_database(url)


def test_commits_whose_answers_are_lost(
    far_stage: tuple[Stage, FaultProxy, Merchant], scale: Scale, tally: Tally
) -> None:
    stage, proxy, bo = far_stage
    tally.database = "postgresql"
    line = Line(stage.parts.engine, proxy)
    travel(Road(stage, bo), line, cut=None)  # the first one opens the budget's row
    there_are = travel(Road(stage, bo), line, cut=None)  # undisturbed, to learn how many COMMITs there are
    assert all(there_are.values())
    places = [(phase, at) for phase, commits in there_are.items() for at in range(1, commits + 1)]
    for phase, at in itertools.islice(itertools.cycle(places), scale.lost_commits):
        travel(Road(stage, bo), line, cut=(phase, at))
        tally.add("COMMITs cut")
        tally.add(f"of {phase}")
        stage.clock.now += timedelta(minutes=1)
    with stage.parts.sessions() as db:
        assert db.scalar(select(func.count()).select_from(CheckoutSession)) == scale.lost_commits + 2
    violations = list(differences(stage, bo.inbox))
    tally.add("violations", len(violations))
    assert violations == []


def travel(road: Road, line: Line, cut: tuple[str, int] | None) -> Counter[str]:
    """Walk the road once; how many COMMITs there were in each phase that stored something."""
    commits: Counter[str] = Counter()
    for phase, step in road.phases():
        at = cut[1] if cut and cut[0] == phase else 0
        line.watch(at)
        step()
        commits[phase] = max(commits[phase], line.seen)
        assert line.seen >= at, "there was nothing to cut"
        assert line.proxy.trap is None, "armed, and nothing was cut"
    return commits
