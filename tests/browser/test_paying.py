"""Ada pays: from the shop through her wallet and back, on a desktop and on a phone."""

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.cast import PHONE, SOON, Person
from tests.browser.ensemble import SLOW, Ensemble

BOTH = pytest.mark.parametrize(("wallet", "pay_type"), [("alipay", "801101"), ("alipay_hk", "801514")])
# The page writes down what it says, and from where it is left: it may be gone before we have looked.
DIARY = """() => {
  addEventListener("beforeunload", () => (sessionStorage.left = (sessionStorage.left || "") + main.dataset.stage));
  const note = () => {
    const line = document.querySelector("[data-countdown]:not([hidden])");
    if (line) sessionStorage.said = line.textContent;
  };
  new MutationObserver(note).observe(main, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
# Nobody can look at a page from outside while it waits for its next one. At the end it is put away and taken out again.
WHILE_IT_WAITS = """() => {
  const news = document.querySelector("[data-news]");
  const wallets = () =>
    [...document.querySelectorAll(".wallet")].map((one) => [one.querySelector("b").textContent, one.disabled]);
  const seen = { before: wallets(), spoken: [] };
  new MutationObserver(() => seen.spoken.push(news.textContent)).observe(news, { childList: true });
  addEventListener("submit", () => setTimeout(() => {
    seen.during = wallets();
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    sessionStorage.seen = JSON.stringify({ ...seen, after: wallets() });
  }, 500));
}"""


@BOTH
def test_ada_scans_with_her_phone_and_the_desktop_takes_her_back_to_the_shop(
    ensemble: Ensemble, person: Callable[..., Person], wallet: str, pay_type: str
) -> None:
    ada, phone = person(), person(PHONE)
    ada.orders(ensemble)
    ada.picks(wallet)
    ada.sees("scan")
    assert ensemble.order(ada.session_id)["pay_type"] == pay_type
    text = ada.scans()
    assert text == ensemble.pay_url(ada.session_id)

    ada.page.evaluate(DIARY)
    phone.opens(text)
    phone.pays()

    ada.is_thanked(ensemble)  # nobody touched anything
    assert ada.page.evaluate("sessionStorage.left") == "paid", "it turned to paid without being loaded again"
    assert re.search("in [0-5] s", ada.page.evaluate("sessionStorage.said"))


def test_ada_may_stay_and_return_when_she_likes(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    ada, phone = person(), person(PHONE)
    ada.page.clock.install()
    ada.orders(ensemble)
    ada.picks("alipay_hk")
    text = ada.scans()
    ada.stops_the_clock()
    phone.opens(text)
    phone.pays()
    ensemble.waits_for(f"{ensemble.url}/pay/{ada.session_id}", "paid")
    ada.lets_pass(3.1)  # it asks at least every three seconds
    ada.sees("paid")

    ada.page.get_by_role("button", name="Stay here").click()
    ada.lets_pass(10)
    expect(ada.page.locator("[data-countdown]")).to_be_hidden()
    expect(ada.page.locator("[data-return]")).to_be_focused()  # she is still here
    ada.sees("paid")

    ada.page.keyboard.press("Enter")
    ada.is_thanked(ensemble)


@BOTH
def test_ada_pays_without_javascript(
    ensemble: Ensemble, person: Callable[..., Person], wallet: str, pay_type: str
) -> None:
    ada, phone = person(java_script_enabled=False), person(PHONE)
    ada.orders(ensemble)
    ada.picks(wallet)
    ada.sees("scan")
    text = ada.scans()
    assert text == ensemble.pay_url(ada.session_id)

    phone.opens(text)
    phone.pays()
    ada.sees("paid")
    assert ada.page.get_by_role("button", name="Stay here").count() == 0

    ada.page.locator("[data-return]").click()
    ada.is_thanked(ensemble)


@pytest.mark.parametrize(
    ("wallet", "pay_type", "scripts"),
    [("alipay", "801107", True), ("alipay_hk", "801512", True), ("alipay", "801107", False)],
)
def test_ada_taps_and_the_wallet_takes_over_in_the_same_tab(
    ensemble: Ensemble, person: Callable[..., Person], wallet: str, pay_type: str, scripts: bool
) -> None:
    ada = person(PHONE, java_script_enabled=scripts)
    ada.orders(ensemble)
    session_id = ada.session_id
    ada.picks(wallet)
    ada.page.wait_for_url(ensemble.pay_url(session_id))
    assert ensemble.order(session_id)["pay_type"] == pay_type
    assert len(ada.context.pages) == 1

    ada.pays()
    ada.page.wait_for_url(f"**/pay/{session_id}")  # by way of return_url
    ada.sees("paid")
    if not scripts:
        ada.page.locator("[data-return]").click()
    ada.is_thanked(ensemble)


def test_ada_may_pay_on_the_desktop_itself_on_alipays_own_page(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    ada = person()
    ada.orders(ensemble)
    session_id = ada.session_id
    ada.picks("alipay")
    ada.page.get_by_text("Other ways to pay").click()
    ada.page.get_by_role("link", name="Open the page of Alipay").click()
    ada.page.wait_for_url(ensemble.pay_url(session_id))

    ada.pays()
    ada.page.get_by_role("link", name="Back to the merchant").click()
    ada.page.wait_for_url(f"**/pay/{session_id}")
    ada.sees("paid")
    ada.is_thanked(ensemble)


def test_a_pressed_wallet_says_what_happens_while_the_gateway_is_slow(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    session = ensemble.open_session(amount=SLOW)
    ada = person()
    ada.opens(session["url"])
    ada.page.evaluate(WHILE_IT_WAITS)
    ada.picks("alipay_hk")
    ada.sees("scan")
    seen = json.loads(ada.page.evaluate("sessionStorage.seen"))
    assert seen["before"] == seen["after"] == [["AlipayHK", False], ["Alipay", False]]
    assert seen["during"] == [["Opening AlipayHK…", True], ["Alipay", True]]
    assert seen["spoken"] == ["Opening AlipayHK…"]
    assert len(ensemble.session(session["id"])["attempts"]) == 1


def test_pressing_twice_is_pressing_once(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.opens(session["url"])
    ada.page.locator("button[value=alipay]").dblclick()
    ada.sees("scan")
    assert len(ensemble.session(session["id"])["attempts"]) == 1


def test_back_from_the_wallet_is_a_page_that_waits_and_leads_there_again(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    ada = person(PHONE)
    ada.orders(ensemble)
    session_id = ada.session_id
    ada.picks("alipay_hk")
    ada.page.wait_for_url(ensemble.pay_url(session_id))

    ada.page.go_back()
    ada.sees("wallet")
    assert urlsplit(ada.page.url).path == f"/pay/{session_id}"
    assert ensemble.session(session_id)["status"] == "open"

    ada.page.get_by_role("link", name="Continue in AlipayHK").click()
    ada.pays()
    ada.sees("paid")
    assert len(ensemble.session(session_id)["attempts"]) == 1
    ada.is_thanked(ensemble)


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_with_one_wallet_there_is_nothing_to_choose(
    ensemble: Ensemble, person: Callable[..., Person], scripts: bool
) -> None:
    session = ensemble.open_session(wallets=["alipay_hk"])
    ada = person(java_script_enabled=scripts)
    ada.opens(session["url"])
    if not scripts:
        assert ada.page.locator("button[name=wallet]").count() == 1
        ada.picks("alipay_hk")

    ada.sees("scan")
    assert ada.scans() == ensemble.pay_url(session["id"])
    assert len(ensemble.session(session["id"])["attempts"]) == 1


def test_a_server_that_is_away_for_a_while_is_waited_for(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    ada, phone = person(), person(PHONE)
    session = ensemble.open_session()
    ada.opens(session["url"])
    ada.picks("alipay")
    text = ada.scans()
    quiet = ada.page.locator("[data-offline]")
    expect(quiet).to_be_empty()

    ada.page.route("**/status*", lambda route: route.abort())
    expect(quiet).to_have_text("We cannot reach our server at the moment. Still trying…", timeout=SOON)
    assert ada.scans() == text, "the code stays, since it can still be paid"

    phone.opens(text)
    phone.pays()
    ensemble.waits_for(session["url"], "paid")
    ada.sees("scan")

    ada.page.unroute("**/status*")
    ada.sees("paid")
    expect(quiet).to_be_empty()
