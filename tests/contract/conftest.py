"""The world of the stories, for the contract."""

from tests.stories.conftest import bo, database_url, empty_books, hooks, inboxes, make_world, world

__all__ = ["bo", "database_url", "empty_books", "hooks", "inboxes", "make_world", "world"]
