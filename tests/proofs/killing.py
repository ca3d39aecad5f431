"""Rounds of killing: who dies where, who tidies up, and what must be true of the books afterwards."""

import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import select

from checkout.store.models import CheckoutSession, Refund
from tests.databases import PostgresServer
from tests.proofs.nursery import KILLED, Errand, Nursery
from tests.proofs.roads import LIFE, ROADS, reference
from tests.proofs.scale import Tally
from tests.proofs.stage import Stage, differences, settled_in
from tests.servers import HttpServer
from tests.stories.cast import NOON, Inbox
from tests.stories.conftest import migrate

Combination = tuple[str, str]  # a crash point, and a road over it

APART = 15  # seconds between two victims
PAST_ALL_LEASES = 120
LATER = (0, 1, 3, 6, 15, 65, 66, 310, 320, 630, 640)  # a refund that nobody remembers is sent again after five minutes


@dataclass
class Books:
    """Fresh books and a fresh ledger for each round, on one of the two databases."""

    kind: str
    request: pytest.FixtureRequest

    def opened(self) -> AbstractContextManager[tuple[str, Path]]:
        """Migrated books: their URL, and a folder in memory. Who is killed leaves behind what he wrote, also there."""
        return self._made(migrated=True)

    def emptied(self) -> AbstractContextManager[tuple[str, Path]]:
        """The same without any table."""
        return self._made(migrated=False)

    @contextmanager
    def _made(self, *, migrated: bool) -> Iterator[tuple[str, Path]]:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it
        with TemporaryDirectory(dir=memory) as name:
            folder = Path(name)
            if self.kind == "sqlite":
                if migrated:
                    shutil.copy(self.request.getfixturevalue("empty_books"), folder / "books.db")
                yield f"sqlite:///{folder / 'books.db'}", folder
                return
            server: PostgresServer = self.request.getfixturevalue("postgres")
            url = server.new_database(migrate if migrated else None)
            yield url, folder
            server.drop_database(url)


@dataclass
class Round:
    """Some processes that die at their points, two more that die while they tidy up, and one that finishes."""

    stage: Stage
    nursery: Nursery
    dice: random.Random
    seconds: int = 0
    walked: list[tuple[str, Combination]] = field(default_factory=list)
    kills: int = 0

    def kill(self, combination: Combination) -> None:
        """One process walks the road and must die at the point."""
        point, road = combination
        key = reference()
        self.seconds += APART
        self.nursery.must_end(self._errand(steps=ROADS[road].steps, key=key, trap=point), KILLED)
        self._arrived(key, combination)

    def _arrived(self, key: str, combination: Combination) -> None:
        _, road = combination
        if "lets_it_end" in ROADS[road].steps:
            self.seconds += int(LIFE.total_seconds())
        self.walked.append((key, combination))
        self.kills += 1

    def kill_the_worker(self, combination: Combination) -> None:
        """One more walks the road in peace, but for its last step; the worker that comes later dies at the point."""
        point, road = combination
        key = reference()
        steps = ROADS[road].steps.rsplit(" ", 1)[0]
        self.nursery.must_end(self._errand(steps=steps, key=key), 0)
        self._arrived(key, combination)
        self.seconds += PAST_ALL_LEASES
        self.nursery.must_end(self._errand(moments=LATER[:5], trap=point), KILLED)

    def recover(self) -> None:
        """Shops, shoppers and the gateway repeat what they do in life; the worker works. Nobody does anything else."""
        self.seconds += PAST_ALL_LEASES
        self.nursery.must_end(self._errand(moments=LATER[:3]), 0)
        self.seconds += APART
        for key, (_, road) in self.walked:
            if again := ROADS[road].again:
                generous = self.dice.random() < 0.5
                self.nursery.must_end(self._errand(steps=again, key=key, generous=generous), 0)
        self.seconds += APART
        self.nursery.must_end(self._errand(moments=LATER), 0)

    def _errand(self, **wishes: Any) -> Errand:
        return Errand(self.stage.place, (NOON + timedelta(seconds=self.seconds)).isoformat(), **wishes)

    def wrong_ends(self) -> Iterator[str]:
        """Every order is one session, every refund that Bo asked for is one refund, and all ended as they should."""
        with self.stage.parts.sessions() as db:
            sessions = list(db.execute(select(CheckoutSession.id, CheckoutSession.reference, CheckoutSession.status)))
            refunds = list(db.scalars(select(Refund.session_id).where(Refund.cause == "merchant")))
        for key, (point, road) in self.walked:
            mine = [(one.id, str(one.status)) for one in sessions if one.reference == key]
            if [status for _, status in mine] != [ROADS[road].ends]:
                yield f"{road} killed at {point} ended as {mine}"
            asked = sum(one == refunded for one, _ in mine for refunded in refunds)
            if asked != ("refunds" in ROADS[road].steps):
                yield f"{road} killed at {point} has {asked} refunds"


@dataclass
class Prove:
    """What all rounds of one proof share."""

    books: Books
    nursery: Nursery
    hooks: HttpServer
    inboxes: dict[str, Inbox]
    dice: random.Random
    tally: Tally
    walked: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def round(self, number: int, victims: Sequence[Combination], workers: Sequence[Combination]) -> None:
        where, inbox = f"/kills/{number}", Inbox()
        self.inboxes[where] = inbox
        with (
            self.books.opened() as (url, folder),
            settled_in(url, folder / "ledger.db", self.hooks, inbox, where) as stage,
        ):
            played = Round(stage, self.nursery, self.dice)
            for victim in sorted(victims, key=lambda one: one[1] != "expire"):  # time only goes forward
                played.kill(victim)
            for worker in workers:
                played.kill_the_worker(worker)
            played.recover()
            wrong = [*differences(stage, inbox), *played.wrong_ends()]
            assert wrong == [], f"after {played.walked}: {wrong}"
        del self.inboxes[where]
        self.walked |= {point for point, _ in (*victims, *workers)}
        self.pairs |= {(first, then) for first, _ in victims for then, _ in workers[:1]}
        self.tally.add("kills", played.kills)
