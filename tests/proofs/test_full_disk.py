"""The disk under the books is full: writes are refused whole, reads go on, and with space all goes on by itself."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from checkout.store.models import CheckoutSession
from tests.databases import PostgresServer
from tests.proofs.scale import Tally
from tests.proofs.stage import Stage, differences, settled_in
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant
from tests.stories.conftest import migrate

MEGABYTES = {"sqlite": 8, "postgresql": 128}
MOST_WRITES = 5_000
BLOCK = 64 * 1024


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Take all the space but so many bytes."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while self.free() > leave:
                file.write(b"\0" * min(BLOCK, self.free() - leave))

    def empty(self) -> None:
        self._ballast.unlink()

    def free(self) -> int:
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize


@pytest.fixture(params=list(MEGABYTES))
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(database: str, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={MEGABYTES[database]}m,mode=0755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def url_on_disk(
    database: str, disk: Disk, empty_books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    if database == "sqlite":
        shutil.copy(empty_books, disk.folder / "books.db")
        yield f"sqlite:///{disk.folder / 'books.db'}"
        return
    for folder in (tmp_path, *tmp_path.parents[:3]):  # PostgreSQL's own account must find the way
        folder.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(disk.folder))
    with PostgresServer(durable=True) as server:
        yield server.new_database(migrate)
        with suppress(FileNotFoundError):
            disk.empty()


@pytest.fixture
def stage(
    url_on_disk: str, hooks: HttpServer, inboxes: dict[str, Inbox], tmp_path: Path
) -> Iterator[tuple[Stage, Merchant]]:
    inbox = inboxes["/disk"] = Inbox()
    with settled_in(url_on_disk, tmp_path / "ledger.db", hooks, inbox, "/disk") as settled:
        yield settled, Merchant(settled, settled.shop().told, inbox)


def test_a_full_disk(stage: tuple[Stage, Merchant], disk: Disk, database: str, tally: Tally) -> None:
    tally.database = database
    world, bo = stage
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    assert readiness(world) == (200, None)

    disk.fill(leave=2 * BLOCK)
    promised = {session["id"], *fills_up(bo)}
    disk.fill()
    tally.add("writes before it was full", len(promised))
    assert readiness(world) == (503, "disk full")
    assert world.app.test_client().get("/healthz").status_code == 200
    refused = refuses(bo, session)
    tally.add("writes refused", refused)
    assert ada.stage() == "scan"  # reads go on
    assert bo.reads(session)["status"] == "open"

    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    assert set(world.notifies()) <= {200, 503}  # something so small may still find room in the file
    with suppress(SQLAlchemyError):  # which the worker survives
        world.works()

    disk.empty()
    world.clock.now += timedelta(minutes=3)
    assert set(world.notifies()) <= {200}
    world.passes(70, step=5)
    assert bo.reads(session)["status"] == "paid"
    assert bo.opens()
    with world.parts.sessions() as db:
        assert promised <= set(db.scalars(select(CheckoutSession.id)))  # what was promised is kept
    violations = list(differences(world, bo.inbox))
    tally.add("violations", len(violations))
    assert violations == []


def readiness(world: Stage) -> tuple[int, Any]:
    answer = world.app.test_client().get("/readyz")
    return answer.status_code, (answer.json or {}).get("database")


def fills_up(bo: Merchant) -> Iterator[str]:
    """Sessions are opened until one is refused; those that were promised."""
    order = bo.order(metadata={f"key_{number}": "x" * 400 for number in range(10)})
    for _ in range(MOST_WRITES):
        answer = bo.api("POST", "/v1/checkout-sessions", order)
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]
            return
        assert answer.status_code == 201, answer.text
        yield (answer.json or {})["id"]
    raise AssertionError("the disk is never full")


def refuses(bo: Merchant, session: dict[str, Any]) -> int:
    """Whatever writes is refused whole; how many were."""
    order = bo.order(metadata={f"key_{number}": "x" * 400 for number in range(10)})
    answers = [bo.api("POST", "/v1/checkout-sessions", order, Idempotency_Key=f"full-{n}") for n in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    return len(answers)
