"""What a page costs the shopper: one request, few bytes, one origin; and what many tabs cost the gateway."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from tests.browser.cast import PHONE, SOON, Person
from tests.browser.ensemble import Ensemble

pytestmark = pytest.mark.browser
BUDGET = 14 * 1024  # bytes on the wire, headers included: what fits TCP's first window
WATCHED = 20.0  # seconds


class Wire:
    """Chromium's own account of what a page fetched."""

    def __init__(self, person: Person) -> None:
        self.urls: list[str] = []
        self.sizes: dict[str, int] = {}
        names: dict[str, str] = {}
        cdp = person.context.new_cdp_session(person.page)
        cdp.send("Network.enable")

        def starts(event: dict[str, object]) -> None:
            url = str(event["request"]["url"])  # type: ignore[index]
            names[str(event["requestId"])] = url
            self.urls.append(url)

        def ends(event: dict[str, object]) -> None:
            self.sizes[names[str(event["requestId"])]] = int(event["encodedDataLength"])  # type: ignore[call-overload]

        cdp.on("Network.requestWillBeSent", starts)
        cdp.on("Network.loadingFinished", ends)

    def beside_polls(self) -> list[str]:
        return [url for url in self.urls if "/status" not in url and not url.startswith("data:")]


@pytest.mark.parametrize("wallet", ["alipay", "alipay_hk"])
def test_the_page_with_the_code_is_one_small_request(
    ensemble: Ensemble, person: Callable[..., Person], wallet: str
) -> None:
    session = ensemble.open_session()
    ensemble.picks(session["url"], wallet)
    ada = person()
    wire = Wire(ada)
    with ada.page.expect_response("**/status*"):
        ada.opens(session["url"])
        ada.sees("scan")

    assert wire.beside_polls() == [session["url"]]
    assert wire.sizes[session["url"]] <= BUDGET
    assert (ada.page.locator("link[rel=icon]").get_attribute("href") or "").startswith("data:"), "a favicon costs one"


@pytest.mark.parametrize("holds", ["", PHONE], ids=["desktop", "phone"])
def test_nobody_else_hears_of_the_shopper_before_the_wallet(
    ensemble: Ensemble, person: Callable[..., Person], holds: str
) -> None:
    session = ensemble.open_session()
    ada = person(holds)
    wire = Wire(ada)
    with ada.page.expect_response("**/status*"):
        ada.opens(session["url"])
    ada.picks("alipay")
    if holds:
        ada.page.wait_for_url("**/sandbox/wallet/*")
        wallet = ensemble.pay_url(session["id"])
        wire.urls.remove(wallet)
    else:
        ada.sees("scan")

    assert {url.partition("?")[0] for url in wire.urls if not url.startswith("data:")} == {
        session["url"],
        f"{session['url']}/status",
    }


def test_twenty_tabs_ask_the_gateway_no_more_than_one(ensemble: Ensemble) -> None:
    alone, crowd = ensemble.open_session(), ensemble.open_session()
    for session in (alone, crowd):
        ensemble.picks(session["url"], "alipay")
    until = time.monotonic() + WATCHED

    def tab(url: str) -> int:
        polls = 0
        while time.monotonic() < until:
            assert ensemble.poll(url)["status"] == "open"
            polls += 1
            time.sleep(1)  # a page asks every two seconds; this one is in a hurry
        return polls

    with ThreadPoolExecutor(21) as tabs:
        polls = list(tabs.map(tab, [alone["url"]] + [crowd["url"]] * 20))
    assert min(polls) > WATCHED / 3, "the server kept up"

    for_all = ensemble.enquiries_about(crowd["id"])
    for_one = ensemble.enquiries_about(alone["id"])  # looked at after the others, for the asking goes on
    assert 3 <= for_one <= WATCHED / 2, "at most one in two seconds"
    assert for_all <= for_one + 1


def test_three_tabs_of_one_payment_all_turn_to_paid(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.never_leaves_by_herself()
    ada.opens(session["url"])
    ada.picks("alipay_hk")
    ada.sees("scan")
    tabs = [ada.page, ada.context.new_page(), ada.context.new_page()]
    for tab in tabs[1:]:
        tab.goto(session["url"])
        expect(tab.locator("main[data-stage=scan]")).to_be_visible()

    ensemble.pays(session["url"])
    for tab in tabs:
        tab.bring_to_front()
        expect(tab).to_have_title("Paid · HK$128.00 · Lantern Street Tea", timeout=SOON)
    assert len(ensemble.session(session["id"])["payments"]) == 1
