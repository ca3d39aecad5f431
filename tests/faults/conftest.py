"""Fixtures of the faults: the stories' worlds, on SQLite and on PostgreSQL, each ending with the audit."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.wires import Serve
from tests.gateway.faults import FaultServer
from tests.stories.conftest import ada, bo, database_url, empty_books, hooks, inboxes, make_world, session, world

__all__ = ["ada", "bo", "database_url", "empty_books", "hooks", "inboxes", "make_world", "session", "world"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Servers on real sockets that go wrong as their script says: `serve(script).url`, with TLS if given a context."""
    with ExitStack() as servers:
        yield lambda script, tls=None: servers.enter_context(FaultServer(script, tls))
