"""Fixtures of the faults: the stories' worlds, on SQLite and on PostgreSQL, each ending with the audit."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.wires import Serve
from tests.gateway.faults import FaultServer
from tests.proofs.killing import Round
from tests.proofs.nursery import Nursery
from tests.proofs.stage import settled_in
from tests.servers import HttpServer
from tests.stories.cast import Inbox
from tests.stories.conftest import ada, bo, database_url, empty_books, hooks, inboxes, make_world, session, world

__all__ = ["ada", "bo", "database_url", "empty_books", "hooks", "inboxes", "make_world", "session", "world"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Servers on real sockets that go wrong as their script says: `serve(script).url`, with TLS if given a context."""
    with ExitStack() as servers:
        yield lambda script, tls=None: servers.enter_context(FaultServer(script, tls))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


@pytest.fixture
def round_of_kills(
    database_url: str, tmp_path: Path, hooks: HttpServer, inboxes: dict[str, Inbox], nursery: Nursery
) -> Iterator[tuple[Round, Inbox]]:
    inbox = inboxes["/our-processes"] = Inbox()
    with settled_in(database_url, tmp_path / "ledger.db", hooks, inbox, "/our-processes") as stage:
        yield Round(stage, nursery, random.Random(7)), inbox
