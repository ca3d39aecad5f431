"""Ten minutes of bad weather: the audit each minute, nothing lost at the end, and no process grows."""

import random
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from checkout.services.audit import audit
from tests.databases import PostgresServer
from tests.proofs.scale import Scale, Tally
from tests.proofs.soaking import Customer, Deployment, children, weight
from tests.proofs.stage import Stage, differences
from tests.servers import Process
from tests.stories.conftest import migrate

CUSTOMERS = 3
WARM_UP = 0.3  # of the time: pools fill, caches are built
MORE_MEMORY, MORE_FILES, MORE_CONNECTIONS = 0.10, 6, 6  # growth that is noise


@contextmanager
def crowd(deployment: Deployment, seed: int) -> Iterator[list[Customer]]:
    over = threading.Event()
    customers = [Customer(deployment, seed + number) for number in range(CUSTOMERS)]
    threads = [threading.Thread(target=customer.lives, args=(over,)) for customer in customers]
    for thread in threads:
        thread.start()
    try:
        yield customers
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


class Watch:
    """Looks at the processes every few seconds, at the books each minute, and kills one worker now and then."""

    def __init__(self, deployment: Deployment, tally: Tally, seconds: int) -> None:
        self.deployment, self.tally, self.seconds = deployment, tally, seconds
        self.samples: list[tuple[int, int, int]] = []

    def watches(self) -> None:
        stage = Stage(self.deployment.place, datetime.now(UTC))
        mortal = self.deployment.worker()
        try:
            for second in range(self.seconds):
                time.sleep(1)
                self.deployment.gust()
                if second % 5 == 4:
                    self.samples.append(self._sample())
                if second % 20 == 19:
                    mortal = self._replaced(mortal)
                if second % 60 == 15:
                    with stage.parts.sessions() as db:
                        assert audit(db) == []
                    self.tally.add("audits")
        finally:
            mortal.__exit__(None, None, None)
            stage.close()

    def _replaced(self, mortal: Process) -> Process:
        mortal.send(signal.SIGKILL)
        mortal.__exit__(None, None, None)
        self.tally.add("kills")
        return self.deployment.worker()

    def _sample(self) -> tuple[int, int, int]:
        pids = [*children(self.deployment.web.pid), self.deployment.steady.pid]
        weights = [weight(pid) for pid in pids]
        with psycopg.connect(self.deployment.database_url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            row = connection.execute(query).fetchone()
        return sum(w[0] for w in weights), sum(w[1] for w in weights), row[0] if row else 0

    def growth(self) -> tuple[float, float, float]:
        """Of memory (share), files and connections: the last third against the one after the warm-up."""
        settled = self.samples[int(len(self.samples) * WARM_UP) :]
        third = max(len(settled) // 3, 1)
        first, last = (
            [statistics.median(c) for c in zip(*part, strict=True)] for part in (settled[:third], settled[-third:])
        )
        return last[0] / first[0] - 1, last[1] - first[1], last[2] - first[2]


def _traces(output: str) -> str:
    """What stands about errors of ours in the log, and a little around it."""
    lines = output.splitlines()
    found = [place for place, line in enumerate(lines) if "unexpected error" in line]
    return "\n".join(line for place in found for line in lines[max(place - 3, 0) : place + 80])


@pytest.mark.postgres
def test_a_soak_in_bad_weather(postgres: PostgresServer, tmp_path: Path, scale: Scale, seed: int, tally: Tally) -> None:
    database_url = postgres.new_database(migrate)
    with Deployment(database_url, tmp_path, random.Random(seed)) as deployment:
        watch = Watch(deployment, tally, scale.soak_seconds)
        with crowd(deployment, seed) as customers:
            watch.watches()
        deployment.storm(False)
        for customer in customers:
            assert customer.strange == [], _traces(deployment.web.output())
            for name, count in customer.counts.items():
                tally.add(name, count)
        tally.counts["faults"] = deployment.faults()
        assert deployment.web.stop() == 0
        assert deployment.steady.stop() == 0
        memory, files, connections = watch.growth()
        tally.counts |= {"% more memory": round(memory * 100, 1), "more files": files, "more connections": connections}
        if scale.release:  # twenty seconds say nothing about growth
            assert memory <= MORE_MEMORY
            assert files <= MORE_FILES
            assert connections <= MORE_CONNECTIONS
        assert_nothing_lost(deployment, tally)


def assert_nothing_lost(deployment: Deployment, tally: Tally) -> None:
    """The ordinary sweeps run to their rest over two days of a clock that we move; then everybody says the same."""
    stage = Stage(deployment.place, datetime.now(UTC))
    try:
        for seconds, step in ((600, 10), (4 * 3600, 300), (44 * 3600, 3600)):
            stage.passes(seconds, step)
        found = list(differences(stage, deployment.inbox))
        tally.counts["differences"] = len(found)
        assert not found, "\n".join(found)
    finally:
        stage.close()
