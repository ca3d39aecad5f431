"""A deployment for each test, on SQLite and on PostgreSQL, with its merchant and its gateway on real sockets."""

from collections.abc import Iterator

import pytest

from tests.processes.cast import Deployment
from tests.stories.conftest import database_url, empty_books

__all__ = ["database_url", "deployment", "empty_books"]


@pytest.fixture
def deployment(database_url: str) -> Iterator[Deployment]:
    with Deployment(database_url) as made:
        yield made
