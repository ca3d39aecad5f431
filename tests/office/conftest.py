"""The back office's fixtures: the worlds of the stories, with people in them."""

from collections.abc import Callable

import pytest

from tests.office.authenticator import Authenticator
from tests.office.cast import PASSWORD, Clerk
from tests.office.devices import adds
from tests.stories.cast import Merchant, World
from tests.stories.conftest import database_url, empty_books, hooks, inboxes, make_world, world

__all__ = ["database_url", "empty_books", "hooks", "inboxes", "make_world", "world"]


@pytest.fixture
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea", webhooks=False)


@pytest.fixture
def hired(world: World) -> Callable[..., Clerk]:
    """Somebody who works for a shop, has arrived, and is not signed in yet."""

    def hire(shop: Merchant, role: str = "owner", email: str = "") -> Clerk:
        clerk = Clerk(world, shop, email or f"{role}@{shop.told.merchant_id.lower()}.example")
        clerk.is_invited(role)
        clerk.arrives(PASSWORD)
        clerk.signs_out()
        return clerk

    return hire


@pytest.fixture
def owner(bo: Merchant, hired: Callable[..., Clerk]) -> Clerk:
    clerk = hired(bo, "owner")
    clerk.signs_in()
    return clerk


@pytest.fixture
def operator(bo: Merchant, hired: Callable[..., Clerk]) -> Clerk:
    clerk = hired(bo, "operator")
    clerk.signs_in()
    return clerk


@pytest.fixture
def viewer(bo: Merchant, hired: Callable[..., Clerk]) -> Clerk:
    clerk = hired(bo, "viewer")
    clerk.signs_in()
    return clerk


@pytest.fixture
def cy(world: World, hired: Callable[..., Clerk]) -> Clerk:
    """The owner of another shop."""
    clerk = hired(world.merchant("Cy's Cakes", webhooks=False), "owner")
    clerk.signs_in()
    return clerk


@pytest.fixture
def laptop() -> Authenticator:
    return Authenticator()


@pytest.fixture
def holder(owner: Clerk, laptop: Authenticator) -> Clerk:
    """The owner, with a passkey, signed out."""
    assert adds(owner, laptop) == 303
    owner.signs_out()
    return owner
