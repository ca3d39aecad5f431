"""Fixtures of the stories, for services that are told in worlds of their own."""

from tests.stories.conftest import hooks, inboxes

__all__ = ["hooks", "inboxes"]
