"""A clerk's decision and an owner's rotations, in Chromium, while the shop goes on selling."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.cast import Person
from tests.browser.conftest import ensemble, person
from tests.browser.ensemble import API_KEY, Ensemble
from tests.office.test_in_a_browser import office, sign_in
from tests.servers import wait_until

__all__ = ["ensemble", "office", "person"]

SHORT_BY_A_CENT = 555_06  # the sandbox shows one minor unit less as paid
PAUSE = 0.5  # seconds between two orders: all of them shall stand among the latest hundred events


@pytest.fixture
def page(ensemble: Ensemble, person: Callable[..., Person], office: None) -> Page:
    """Bo, signed in."""
    found = person().page
    sign_in(found, ensemble)
    return found


def test_money_that_does_not_fit_waits_for_a_person_who_sends_it_back(ensemble: Ensemble, page: Page) -> None:
    session = ensemble.open_session(reference="TEA-SHORT", amount=SHORT_BY_A_CENT)
    ensemble.picks(session["url"], "alipay_hk")
    ensemble.confirms(session["url"])

    def now() -> dict[str, Any]:
        return ensemble.session(session["id"])

    wait_until(lambda: bool(now()["review"]), 20, lambda: str(now()))
    page.get_by_role("link", name="Reviews").click()
    page.get_by_role("link", name="TEA-SHORT").click()
    back = page.locator("form.decision").filter(has=page.get_by_role("heading", name="Send it back"))
    back.get_by_label("Why?").fill("A cent is missing")
    back.get_by_role("button", name="Send it back").click()
    page.wait_for_load_state()
    wait_until(lambda: [one["status"] for one in now()["refunds"]] == ["succeeded"], 20, lambda: str(now()))
    assert [one["amount"] for one in now()["refunds"]] == [SHORT_BY_A_CENT - 1]
    assert (now()["status"], now()["review"]) != ("paid", True)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Log", exact=True).click()
    expect(page.locator("table")).to_contain_text("A cent is missing")


class Traffic(threading.Thread):
    """Orders that come and are given up, one after the other, with whichever key the shop has now."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self._ensemble = ensemble
        self._over = threading.Event()
        self.key = API_KEY
        self.sold: list[str] = []

    def run(self) -> None:
        while not self._over.wait(PAUSE):
            session = self._ensemble.open_session(api_key=self.key)
            self._ensemble.cancels(session["url"])
            self.sold.append(session["id"])

    def goes_on(self, more: int = 3) -> None:
        """Returns when some more have come."""
        until = len(self.sold) + more
        wait_until(lambda: len(self.sold) >= until or not self.is_alive(), 30, lambda: f"only {len(self.sold)} came")

    def ends(self) -> list[str]:
        self._over.set()
        self.join()
        return self.sold


def test_a_key_and_a_secret_are_changed_while_orders_come_and_nothing_is_refused(
    ensemble: Ensemble, page: Page
) -> None:
    traffic = Traffic(ensemble)
    traffic.start()
    try:
        traffic.goes_on()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("link", name="API keys").click()
        page.get_by_label("Name").fill("The new server")
        page.get_by_role("button", name="Make the key").click()
        new = page.locator("code.secret").inner_text()
        traffic.key = new
        traffic.goes_on()
        page.get_by_role("link", name="Webhooks").click()
        page.get_by_role("link", name="/demo/webhook").click()
        page.get_by_role("button", name="Make a new secret").click()
        expect(page.locator("code.secret").first).to_contain_text("whsec_")
        traffic.goes_on()
        traffic.key = API_KEY
        traffic.goes_on()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("link", name="API keys").click()
        row = page.locator("tr").filter(has_text="The new server")
        row.get_by_text("Revoke", exact=True).first.click()
        row.get_by_role("button", name="Revoke it").click()
        page.wait_for_load_state()
        traffic.goes_on()
    finally:
        sold = traffic.ends()
    assert 15 <= len(sold) <= 100
    assert ensemble.events(new).status_code == 401
    wait_until(lambda: heard(ensemble, sold) == set(sold), 20, lambda: str(set(sold) - heard(ensemble, sold)))
    assert refused(ensemble, sold) == []


def heard(ensemble: Ensemble, sold: list[str]) -> set[str]:
    """Whose cancellation the shop has taken in."""
    return {one["data"]["id"] for one in told(ensemble, sold) if one["deliveries"][0]["status"] == "delivered"}


def refused(ensemble: Ensemble, sold: list[str]) -> list[Any]:
    """Deliveries that took more than one try."""
    return [one for one in told(ensemble, sold) if one["deliveries"][0]["tries"] > 1]


def told(ensemble: Ensemble, sold: list[str]) -> list[dict[str, Any]]:
    events = ensemble.events(API_KEY).json()["data"]
    return [one for one in events if one["data"]["id"] in sold]
