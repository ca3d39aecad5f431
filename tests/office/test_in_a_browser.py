"""An owner's morning and a clerk's afternoon, in Chromium, against the whole product."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.cast import Person
from tests.browser.conftest import ensemble, person
from tests.browser.ensemble import Ensemble

__all__ = ["ensemble", "person"]

PAGES = (
    "payments",
    "reviews",
    "takings",
    "deliveries",
    "links",
    "links/new",
    "settings/start",
    "settings/shop",
    "settings/branding",
    "settings/webhooks",
    "settings/api-keys",
    "settings/people",
)
BROKEN_ROWS = """
() => {
  const drawnAs = (element) => getComputedStyle(element).display;
  const broken = (row) => drawnAs(row) === "table-row" && [...row.cells].some((it) => drawnAs(it) !== "table-cell");
  return [...document.querySelectorAll("tr")].filter(broken).length;
}
"""
EMAIL, NEWCOMER, PASSWORD = "bo@shop.example", "mei@shop.example", "four quiet boats at noon"


@pytest.fixture
def invitation(ensemble: Ensemble) -> str:
    """Printed for the operator of the service, who sends it on."""
    return ensemble._flask("person", "add", "--email", NEWCOMER).split()[0]


@pytest.fixture(scope="module")
def office(ensemble: Ensemble, browser: Browser) -> None:
    """Bo has been working here, and an order has been paid."""
    with browser.new_context(locale="en-GB") as visit:
        arrive(visit.new_page(), ensemble._flask("person", "add", "--email", EMAIL).split()[0])
    session = ensemble.open_session(reference="TEA-1001")
    ensemble.picks(session["url"], "alipay_hk")
    ensemble.pays(session["url"])


def arrive(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Later").click()
    page.wait_for_url("**/payments")


def sign_in(page: Page, ensemble: Ensemble) -> None:
    page.goto(f"{ensemble.url}/merchant")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/payments")


def test_an_owner_arrives_finds_an_order_refunds_a_part_and_reads_the_log(
    ensemble: Ensemble, person: Callable[..., Person], invitation: str
) -> None:
    session = ensemble.open_session(reference="WC-1234")
    ensemble.picks(session["url"], "alipay_hk")
    ensemble.pays(session["url"])
    page = person().page
    arrive(page, invitation)
    expect(page.locator("aside.sandbox")).to_contain_text("no real money")
    page.keyboard.press("/")
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="WC-1234").click()
    refund = page.locator("#refund")
    refund.get_by_label("Amount in HKD").fill("28.00")
    refund.get_by_role("button", name="Refund").dblclick()
    expect(page.get_by_role("status")).to_contain_text("on its way")
    assert [refund["amount"] for refund in ensemble.session(session["id"])["refunds"]] == [2800]
    expect(refund).to_contain_text("HK$100.00")
    page.get_by_role("link", name="Settings").click()
    expect(page.locator("table")).to_contain_text("Asked for a refund")
    page.get_by_role("link", name="Takings").click()
    with page.expect_download() as waiting:
        page.locator("a[href*='export.csv']").click()
    assert waiting.value.path().read_bytes().startswith(b"\xef\xbb\xbf")


def broken_rows(page: Page) -> int:
    """Rows drawn as a table with a cell that is drawn as something else, so that the line below it has a gap."""
    return int(page.evaluate(BROKEN_ROWS))


@pytest.mark.parametrize("settings", [{"viewport": {"width": 360, "height": 740}}, {"color_scheme": "dark"}])
def test_every_page_fits_and_axe_finds_nothing(
    ensemble: Ensemble, person: Callable[..., Person], office: None, settings: dict[str, object]
) -> None:
    clerk = person(**settings)
    page = clerk.page
    sign_in(page, ensemble)
    shop = page.url.rpartition("/")[0]
    page.get_by_role("link", name=re.compile("WC-|TEA-")).first.click()
    for address in (page.url, *(f"{shop}/{path}" for path in PAGES)):
        page.goto(address)
        assert clerk.sideways() == 0, address
        assert broken_rows(page) == 0, address
        assert Axe().run(page).response["violations"] == [], address


def test_an_owner_makes_a_link_copies_it_and_sees_what_was_told(
    ensemble: Ensemble, person: Callable[..., Person], office: None
) -> None:
    page = person().page
    sign_in(page, ensemble)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Links").click()
    page.get_by_role("link", name="Make a link").click()
    page.get_by_label("Name").fill("Counter")
    page.get_by_label("The shopper enters it").check()
    expect(page.get_by_label("How much")).to_be_hidden()
    page.get_by_label("At most").fill("500")
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("status")).to_contain_text("The link is made")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("[data-copy]").inner_text()
    page.goto(copied)
    expect(page.locator("form")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Deliveries").click()
    page.get_by_role("link", name="Order paid").first.click()
    expect(page.locator(".badge")).to_contain_text("Delivered")


def colour_of(page: Page, state: str, part: str) -> str:
    """As it is drawn in a state of the preview: of whichever frame is the newest."""
    inside = page.locator("iframe.preview:not(.coming)").content_frame.locator(f"[data-screen='{state}']").content_frame
    return str(inside.locator(part).first.evaluate("(one) => getComputedStyle(one).backgroundColor"))


def check_the_colours(page: Page) -> None:
    for state in ("choose.light", "scan.dark", "paid.light", "unknown.dark"):
        assert colour_of(page, state, ".order") == "rgb(122, 31, 61)", state
    assert colour_of(page, "unknown.dark", "main .button") == "rgb(255, 204, 102)", "in the dark it can be read"
    assert colour_of(page, "unknown.light", "main .button") != "rgb(255, 204, 102)", "on white it cannot"


def test_an_owner_sees_new_colours_in_every_state_saves_them_and_a_shopper_meets_them(
    ensemble: Ensemble, person: Callable[..., Person], office: None, tmp_path: Path
) -> None:
    page = person().page
    sign_in(page, ensemble)
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Branding").click()
    sheet = page.locator("iframe.preview:not(.coming)").content_frame
    expect(sheet.locator("[data-told]")).to_contain_text("wears ours")
    page.get_by_label("Colour behind the order").first.fill("#7a1f3d")
    page.get_by_label("Colour of buttons and links").first.fill("#ffcc66")
    expect(sheet.locator("[data-told]")).to_contain_text("corrected: 1.2:1")
    expect(page.locator("[data-hears]")).to_contain_text("corrected: 1.2:1")
    Image.effect_noise((1200, 600), 40).save(tmp_path / "logo.jpg")
    page.get_by_label("Logo").set_input_files(tmp_path / "logo.jpg")
    expect(page.get_by_text("Your picture was made small enough")).to_be_visible()
    expect(sheet.locator("[data-screen='paid.dark']").content_frame.locator("img.logo")).to_have_attribute(
        "width", "80"
    )
    check_the_colours(page)
    page.get_by_role("button", name="Preview").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("PageDown")
    expect(sheet.get_by_role("heading", name="Scanning the code")).to_be_in_viewport()
    ada = person()
    ada.opens(ensemble.open_session()["url"])
    expect(ada.page.locator("img.logo")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text("Changed.")
    ada.page.reload()
    expect(ada.page.locator("img.logo")).to_be_visible()
    drawn = ada.page.locator(".order").evaluate("(order) => getComputedStyle(order).backgroundColor")
    assert "rgb(122, 31, 61)" in drawn
    assert Axe().run(page).response["violations"] == []
    page.go_back()
    page.wait_for_url("**/branding")
    page.go_back()
    page.wait_for_url("**/settings")  # no preview stands between the pages
