"""Passkeys in Chromium, with an authenticator that its own protocol makes: added, used, used again, removed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from checkout.domain.roles import StaffRole
from checkout.services import people
from checkout.services.sign_ins import PROVEN_FOR
from tests.browser.cast import Person
from tests.browser.conftest import person
from tests.office.cast import PASSWORD
from tests.servers import HttpServer, free_port
from tests.stories.cast import Merchant, World

__all__ = ["person"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TOUCHED = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}


@pytest.fixture
def world(make_world: Callable[..., World]) -> Iterator[World]:
    """Under a name, which passkeys are bound to: a number has none."""
    port = free_port()
    made = make_world(PUBLIC_URL=f"http://localhost:{port}", PORT=str(port))
    with HttpServer(made.app, port):
        yield made


@pytest.fixture
def owner(world: World, bo: Merchant) -> str:
    """The address of somebody who has arrived."""
    with world.parts.sessions() as db:
        email, now = "bo@bo.example", world.clock()
        invited = people.add_person(db, bo.told.merchant_id, email, StaffRole.OWNER, actor="test", now=now)
        people.accept_invitation(db, invited.token or "", PASSWORD, now)
    return email


class Device:
    """The authenticator of one page, which is touched whenever it asks."""

    def __init__(self, page: Page) -> None:
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        options = TOUCHED | {"isUserVerified": True, "automaticPresenceSimulation": True}
        added: dict[str, Any] = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.id = added["authenticatorId"]

    def tells(self, what: str, **more: object) -> dict[str, Any]:
        return dict(self.cdp.send(f"WebAuthn.{what}", {"authenticatorId": self.id} | more) or {})

    def holds(self) -> list[dict[str, Any]]:
        return list(self.tells("getCredentials")["credentials"])


def signs_out(page: Page) -> None:
    page.locator("details.person summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in")


def signs_in(page: Page, world: World, email: str) -> None:
    page.goto(f"{world.parts.config.PUBLIC_URL}/merchant/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/payments")


def test_a_passkey_is_added_signs_in_proves_and_is_removed(
    world: World, owner: str, person: Callable[..., Person]
) -> None:
    page = person().page
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = undefined")  # an older browser
    signs_in(page, world, owner)
    account, device = f"{world.parts.config.PUBLIC_URL}/merchant/me", Device(page)
    page.goto(account)
    page.get_by_label("Name").fill("Blue laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is added")
    assert [(key["rpId"], key["isResidentCredential"]) for key in device.holds()] == [("localhost", True)]

    signs_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/payments")

    world.clock.now += PROVEN_FOR
    page.goto(account)
    page.get_by_text("Remove Blue laptop").click()
    page.locator("#passkeys details").get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("status")).to_contain_text("You have shown who you are")
    expect(page.locator("input[name=proof]")).to_have_count(0)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is removed")

    signs_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey was not accepted")
    signs_in(page, world, owner)
    assert world.violations() == []


def test_the_list_under_the_address_offers_the_passkey(world: World, owner: str, person: Callable[..., Person]) -> None:
    page = person().page
    signs_in(page, world, owner)
    Device(page)
    page.goto(f"{world.parts.config.PUBLIC_URL}/merchant/me")
    page.get_by_label("Name").fill("Blue laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is added")
    signs_out(page)
    page.wait_for_url("**/payments")  # its first entry is picked at once, with a device that is always touched


def test_a_device_that_does_not_answer_leaves_the_password(
    world: World, owner: str, person: Callable[..., Person]
) -> None:
    page = person().page
    Device(page)  # it holds no passkey
    page.goto(f"{world.parts.config.PUBLIC_URL}/merchant/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    signs_in(page, world, owner)


@pytest.mark.parametrize("settings", [{"java_script_enabled": False}, {}])
def test_without_scripts_or_without_passkeys_the_password_is_all_there_is(
    world: World, person: Callable[..., Person], settings: dict[str, object]
) -> None:
    clerk = person(**settings)
    clerk.context.add_init_script("delete window.PublicKeyCredential")
    clerk.page.goto(f"{world.parts.config.PUBLIC_URL}/merchant/sign-in")
    expect(clerk.page.get_by_label("Password")).to_be_visible()
    expect(clerk.page.get_by_role("button", name="Sign in")).to_have_count(1)
