"""The checkout inside a shop's page; two loopback ports are two origins, a registered one and another."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, expect
from werkzeug.wrappers import Request, Response

from tests.browser.cast import PHONE, SOON, Person
from tests.browser.ensemble import Ensemble
from tests.servers import HttpServer
from tests.stories.alipay import INSIDE

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><title>Lantern Street Tea</title><link rel="icon" href="data:,">
<h1>Your basket</h1><p><a href="{url}" data-sampan>Pay now</a> <a href="#terms">Terms</a>
<script src="{checkout}/embed.js" async></script>
<script>
self.heard = [];
self.done = [];
addEventListener("message", ({{ origin, data }}) => heard.push({{ origin, ...data }}));
addEventListener("sampan:done", ({{ detail }}) => done.push(detail));
</script>"""


class Storefront:
    """A shop's server: one page, with the one line that its developer pasted."""

    def __init__(self, checkout: str) -> None:
        self.checkout = checkout

    def __call__(self, environ: Any, start_response: Any) -> Any:
        text = PAGE.format(url=Request(environ).args.get("pay", ""), checkout=self.checkout)
        return Response(text, mimetype="text/html")(environ, start_response)


@pytest.fixture(scope="module")
def shop(ensemble: Ensemble) -> Iterator[str]:
    with HttpServer(Storefront(ensemble.url)) as server:
        yield server.url


@pytest.fixture(scope="module")
def elsewhere(ensemble: Ensemble) -> Iterator[str]:
    """A site that nobody registered, with the same page."""
    with HttpServer(Storefront(ensemble.url)) as server:
        yield server.url


@pytest.fixture(scope="module")
def key(ensemble: Ensemble, shop: str) -> str:
    """The API key of a shop whose site may embed."""
    made = ensemble.add_merchant()
    ensemble.changes(made, "embed-origin", "add", shop)
    return made


@pytest.fixture
def session(ensemble: Ensemble, key: str) -> dict[str, Any]:
    return ensemble.open_session(api_key=key)


def frame_of(ada: Person) -> FrameLocator:
    return ada.page.frame_locator("dialog iframe")


def presses_pay_now(ada: Person, shop: str, session: dict[str, Any]) -> None:
    ada.opens(f"{shop}/?pay={session['url']}")
    ada.page.wait_for_function("self.Sampan")
    ada.page.get_by_role("link", name="Pay now").click()


def sees(ada: Person, stage: str) -> None:
    expect(frame_of(ada).locator(f"main[data-stage={stage}]")).to_be_visible(timeout=SOON)


def test_a_shopper_pays_inside_the_shops_page_by_keyboard(
    ensemble: Ensemble, person: Callable[..., Person], shop: str, session: dict[str, Any]
) -> None:
    ada = person()
    ada.opens(f"{shop}/?pay={session['url']}")
    ada.page.wait_for_function("self.Sampan")
    ada.page.get_by_role("link", name="Pay now").focus()
    ada.page.keyboard.press("Enter")
    sees(ada, "choose")
    dialog = ada.page.get_by_role("dialog", name="Checkout")
    assert dialog.get_attribute("aria-modal") == "true"
    assert ada.page.evaluate("document.documentElement.style.overflow") == "hidden"

    for _ in range(30):  # round and round: never into the page behind
        ada.page.keyboard.press("Tab")
        assert ada.page.evaluate("document.activeElement.matches('body, dialog *')")

    ada.page.evaluate("id => postMessage({type: 'sampan:status', id, status: 'paid'}, origin)", session["id"])
    frame_of(ada).locator("button[value=alipay_hk]").press("Enter")
    sees(ada, "scan")
    assert ada.page.evaluate("done") == [], "what the page says to itself is not the checkout's word"
    ensemble.pays(session["url"])
    sees(ada, "paid")
    ada.page.wait_for_function("done.length")

    news = {"origin": ensemble.url, "type": "sampan:status", "id": session["id"], "status": "paid"}
    heard = [said for said in ada.page.evaluate("heard") if said["origin"] == ensemble.url]
    assert [said for said in heard if said["status"] != "open"] == [news]
    assert ada.page.evaluate("done") == [{"id": session["id"], "status": "paid"}]

    frame_of(ada).locator("h1").focus()
    ada.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(ada.page.get_by_role("link", name="Pay now")).to_be_focused()
    ada.page.wait_for_function("document.documentElement.style.overflow === ''")
    assert ada.page.url.startswith(shop)


def test_the_shop_hears_of_a_payment_on_the_phone_that_scanned_the_checkout(
    ensemble: Ensemble, person: Callable[..., Person], shop: str, session: dict[str, Any]
) -> None:
    ada = person()
    presses_pay_now(ada, shop, session)
    sees(ada, "choose")
    frame_of(ada).get_by_text("Pay on another device").click()
    frame_of(ada).get_by_role("link", name="Show it as a code to scan").click()
    expect(frame_of(ada).locator("svg[data-page-qr]")).to_be_visible()

    ensemble.picks(session["url"], "alipay_hk")
    ensemble.pays(session["url"])
    sees(ada, "paid")
    ada.page.wait_for_function("done.length")
    assert ada.page.evaluate("done") == [{"id": session["id"], "status": "paid"}]

    frame_of(ada).locator("h1").focus()
    ada.page.keyboard.press("Escape")
    expect(ada.page.get_by_role("dialog")).to_have_count(0)


def test_a_site_that_nobody_registered_gets_no_frame_and_the_shopper_a_page(
    person: Callable[..., Person], elsewhere: str, session: dict[str, Any]
) -> None:
    ada = person()
    ada.opens(f"{elsewhere}/?pay={session['url']}&embed_origin={elsewhere}")
    ada.page.wait_for_function("self.Sampan")
    ada.page.get_by_role("link", name="Pay now").click()
    expect(frame_of(ada).locator("main[data-stage]")).to_have_count(0)
    ada.page.wait_for_url(session["url"])
    ada.sees("choose")
    refused = [said for said in ada.complaints if "frame-ancestors" in said]
    assert refused, ada.complaints
    ada.complaints.clear()


def test_a_window_that_is_too_small_shows_the_page_itself(
    person: Callable[..., Person], shop: str, session: dict[str, Any]
) -> None:
    ada = person(viewport={"width": 280, "height": 360})
    presses_pay_now(ada, shop, session)
    ada.page.wait_for_url(session["url"])
    ada.sees("choose")


def test_inside_alipay_the_sheet_opens_on_the_window_and_not_in_a_frame(
    ensemble: Ensemble, person: Callable[..., Person], shop: str, session: dict[str, Any]
) -> None:
    ada = person(PHONE, user_agent=INSIDE)
    presses_pay_now(ada, shop, session)
    ada.page.wait_for_url(session["url"])
    ada.page.locator("dialog button[value=sheet-pay]").click()
    ada.sees("paid")
    assert [attempt["pay_type"] for attempt in ensemble.session(session["id"])["attempts"]] == ["800107"]


def test_a_frame_inside_alipay_asks_nobody_who_pays(ensemble: Ensemble, shop: str, session: dict[str, Any]) -> None:
    """Its own page would refuse to stand there; a site that frames by itself still hears the status."""
    inside, framed = {"User-Agent": INSIDE}, {"Sec-Fetch-Dest": "iframe"}
    assert "data-authorise" in ensemble.get(session["url"], headers=inside).text
    in_frame = ensemble.get(session["url"], headers=inside | framed).text
    assert "data-authorise" not in in_frame
    assert "sampan:hello" in in_frame


def test_on_a_phone_the_wallet_opens_in_the_window_and_not_in_the_frame(
    person: Callable[..., Person], shop: str, session: dict[str, Any]
) -> None:
    ada = person(PHONE)
    presses_pay_now(ada, shop, session)
    sees(ada, "choose")
    frame_of(ada).locator("button[value=alipay]").click()
    ada.page.wait_for_url("**/sandbox/wallet/*")
    ada.pays()
    ada.sees("paid")


def test_without_a_script_the_link_is_a_link(person: Callable[..., Person], shop: str, session: dict[str, Any]) -> None:
    ada = person(java_script_enabled=False)
    ada.opens(f"{shop}/?pay={session['url']}")
    ada.page.get_by_role("link", name="Pay now").click()
    ada.sees("choose")


def test_only_our_own_pages_can_be_opened(person: Callable[..., Person], shop: str, ensemble: Ensemble) -> None:
    ada = person()
    ada.opens(shop)
    ada.page.wait_for_function("self.Sampan")
    for url in (
        f"{shop}/pay/cs_1",
        f"{ensemble.url}/merchant",
        f"{ensemble.url}@evil.example/pay/cs_1",
        "javascript:1",
    ):
        said = ada.page.evaluate("url => { try { Sampan.open(url); } catch (error) { return error.message; } }", url)
        assert said == f"not a checkout page of {ensemble.url}", url
    assert ada.page.locator("dialog").count() == 0
