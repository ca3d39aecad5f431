"""Inside Alipay's app: Ada opens the page, and the app's own payment sheet opens on it; its word is never proof."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Request, expect

from tests.browser.cast import SOON, Person
from tests.browser.ensemble import Ensemble
from tests.servers import wait_until
from tests.stories.alipay import INSIDE

PHONE = {"user_agent": INSIDE, "viewport": {"width": 390, "height": 760}, "has_touch": True, "is_mobile": True}
NO_BRIDGE = "Object.defineProperty(window, 'AlipayJSBridge', { get: () => undefined, set: () => {} })"

LATE_BRIDGE = """
  let real, here = false;
  Object.defineProperty(window, "AlipayJSBridge", { get: () => (here ? real : undefined), set: (b) => (real = b) });
  addEventListener("load", () => setTimeout(() => {
    here = true;
    document.dispatchEvent(new Event("AlipayJSBridgeReady"));
  }, 300));
"""


@pytest.fixture
def ada(person: Callable[..., Person]) -> Person:
    return person(**PHONE)


@pytest.fixture
def session(ensemble: Ensemble) -> dict[str, str]:
    return ensemble.open_session()


def pay_types(ensemble: Ensemble, session: dict[str, str]) -> list[str]:
    return [attempt["pay_type"] for attempt in ensemble.session(session["id"])["attempts"]]


def presses(ada: Person, button: str) -> None:
    ada.page.locator(f"dialog button[value={button}]").click()


def sees_sheet(ada: Person) -> None:
    expect(ada.page.locator("dialog")).to_contain_text("HKD 128.00", timeout=SOON)


def test_she_pays_in_the_sheet_and_taps_nothing_on_our_page(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    seen: list[str] = []
    ada.page.on("request", lambda request: note(seen, request))
    ada.opens(session["url"])
    sees_sheet(ada)
    # The page first, with amount and shop; then, silently, Alipay; and the page again.
    assert seen == ["pay", "authorize", "callback", "pay"]
    presses(ada, "sheet-pay")
    ada.sees("paid")
    assert pay_types(ensemble, session) == ["800107"]
    assert ensemble.session(session["id"])["status"] == "paid"


def note(seen: list[str], request: Request) -> None:
    if request.is_navigation_request():
        path = request.url.partition("?")[0]
        seen.append("pay" if "/pay/" in path else path.rpartition("/")[2])


def test_without_consent_one_tap_leads_to_the_wallets_page(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ensemble.next_at_alipay("refuses")
    with ada.page.expect_navigation(url="**/pay/*"):
        ada.opens(session["url"])
    ada.sees("choose")
    ada.picks("alipay")
    ada.page.wait_for_url(ensemble.pay_url(session["id"]))
    ada.pays()
    ada.sees("paid")
    assert pay_types(ensemble, session) == ["801107"]


def test_without_a_bridge_she_is_not_even_asked(ensemble: Ensemble, ada: Person, session: dict[str, str]) -> None:
    ada.context.add_init_script(NO_BRIDGE)
    ada.opens(session["url"])
    ada.sees("choose")
    ada.picks("alipay")
    ada.page.wait_for_url(ensemble.pay_url(session["id"]))
    assert pay_types(ensemble, session) == ["801107"]


def test_a_bridge_that_comes_late_is_used_all_the_same(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ada.context.add_init_script(LATE_BRIDGE)
    ada.opens(session["url"])
    sees_sheet(ada)
    assert pay_types(ensemble, session) == ["800107"]


def test_a_sheet_that_she_leaves_opens_again_for_the_same_trade(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ada.opens(session["url"])
    sees_sheet(ada)
    presses(ada, "sheet-close")
    expect(ada.page.get_by_text("You left the payment in Alipay.").last).to_be_visible()
    ada.sees("wallet")
    trade = ada.page.locator("[data-trade]").get_attribute("data-trade")
    ada.page.reload()  # a page that was loaded again opens nothing by itself
    ada.sees("wallet")
    expect(ada.page.locator("dialog")).to_have_count(0)
    ada.page.locator("[data-trade]").click()
    sees_sheet(ada)
    assert ada.page.locator("[data-trade]").get_attribute("data-trade") == trade
    presses(ada, "sheet-pay")
    ada.sees("paid")
    assert pay_types(ensemble, session) == ["800107"]


def test_a_sheet_that_says_paid_is_asked_about_and_not_believed(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ada.opens(session["url"])
    sees_sheet(ada)
    asked = ensemble.enquiries_about(session["id"])
    presses(ada, "sheet-lie")
    expect(ada.page.get_by_text("We are checking with Alipay.").last).to_be_visible()
    ada.page.wait_for_function("() => performance.getEntriesByType('resource').length > 4")
    expect(ada.page.get_by_text("We are checking with Alipay.").last).to_be_visible()
    ada.sees("wallet")
    assert ensemble.session(session["id"])["status"] == "open"
    wait_until(lambda: ensemble.enquiries_about(session["id"]) > asked, 20, lambda: "nobody asked the gateway")


def test_after_a_sheet_that_failed_the_same_button_leads_to_the_wallets_page(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ada.opens(session["url"])
    sees_sheet(ada)
    presses(ada, "sheet-fail")
    expect(ada.page.get_by_text("Alipay could not open this payment.").last).to_be_visible()
    ada.page.locator("[data-trade]").click()
    ada.page.wait_for_url("**/sandbox/wallet/**")
    assert pay_types(ensemble, session) == ["800107", "801107"]


def test_back_and_a_second_answer_open_nothing_twice(ensemble: Ensemble, ada: Person, session: dict[str, str]) -> None:
    answers: list[str] = []

    def keep(request: Request) -> None:
        answers.extend([request.url] * ("/alipay/callback" in request.url))

    ada.page.on("request", keep)
    ada.opens(session["url"])
    sees_sheet(ada)
    ada.opens(answers[0])  # as from a history, or a second delivery
    sees_sheet(ada)
    ada.page.go_back()
    ada.sees("wallet")
    expect(ada.page.locator("dialog")).to_have_count(0)
    assert pay_types(ensemble, session) == ["800107"]


def test_where_alipay_itself_fails_she_comes_back_and_pays_on_the_wallets_page(
    ensemble: Ensemble, ada: Person, session: dict[str, str]
) -> None:
    ensemble.next_at_alipay("stays")
    ada.opens(session["url"])
    ada.page.wait_for_url("**/sandbox/alipay/authorize?**")
    ada.page.go_back()
    ada.sees("choose")
    ada.picks("alipay")
    ada.page.wait_for_url(ensemble.pay_url(session["id"]))
    assert pay_types(ensemble, session) == ["801107"]
