"""The worlds of the stories, for tests that try to break them."""

from tests.stories.conftest import (  # noqa: F401 - fixtures
    ada,
    bo,
    database_url,
    empty_books,
    hooks,
    inboxes,
    make_world,
    session,
    world,
)
