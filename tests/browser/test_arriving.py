"""Every shopper arrives: in an app that opens no wallet, on an iPad that says Mac, without scripts, in many tabs."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser.cast import PHONE, SOON, Person
from tests.browser.ensemble import Ensemble
from tests.browser.test_looks import RULES
from tests.servers import wait_until

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 13; SM-A536U; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/120.0.6099.230 Mobile Safari/537.36"
)
IPAD = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Safari/605.1.15"
)


@pytest.mark.parametrize(
    ("agent", "app", "leads_to"),
    [
        (f"{IPHONE} MicroMessenger/8.0.50 Language/zh_CN", "WeChat", None),
        (f"{IPHONE} Safari Line/14.0.0", "LINE", "{url}?openExternalBrowser=1"),
        (f"{ANDROID} [FB_IAB/Orca-Android;FBAV/439.0]", "Messenger", "intent://{rest}#Intent;scheme=http;"),
        (f"{IPHONE} [FBAN/FBIOS;FBAV/470.0]", "Facebook", None),
    ],
    ids=["wechat", "line", "messenger", "facebook"],
)
def test_an_app_that_opens_no_wallet_is_left_without_scripts_too(
    ensemble: Ensemble, person: Callable[..., Person], agent: str, app: str, leads_to: str | None
) -> None:
    session = ensemble.open_session()
    ada = person(PHONE, user_agent=agent, java_script_enabled=False)
    ada.opens(session["url"])
    expect(ada.page.locator(".guide")).to_contain_text(f"{app} may keep your wallet from opening.")
    expect(ada.page.locator("[data-copy]")).to_have_text(session["url"])
    expect(ada.page.locator("button[name=wallet]")).to_have_count(2)
    assert ada.sideways() <= 0
    out = ada.page.get_by_role("link", name="Open in your browser")
    if leads_to is None:
        expect(out).to_have_count(0)
    else:
        wanted = leads_to.format(url=session["url"], rest=session["url"].removeprefix("http://"))
        assert (out.get_attribute("href") or "").startswith(wanted)

    ada.page.get_by_role("link", name="Pay from another phone").click()
    code = ada.page.locator("svg[data-page-qr]")
    expect(code).to_be_visible()
    expect(ada.page.locator("svg[data-qr]")).to_have_count(0)
    assert ada.reads(code) == session["url"]
    assert ada.sideways() <= 0


def test_an_app_whose_menu_is_below_leaves_axe_content(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person(PHONE, user_agent=f"{IPHONE} [FBAN/FBIOS;FBAV/470.0]")
    for theme in ("light", "dark"):
        ada.page.emulate_media(color_scheme=theme)
        ada.opens(session["url"])
        assert Axe().run(ada.page, options={"runOnly": RULES}).response["violations"] == []


def test_a_payment_made_elsewhere_is_thanked_for_here(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada, phone = person(PHONE, user_agent=f"{IPHONE} MicroMessenger/8.0.50"), person(PHONE)
    ada.opens(f"{session['url']}/elsewhere")
    phone.opens(ada.reads(ada.page.locator("svg[data-page-qr]")))
    phone.picks("alipay")
    phone.pays()
    ada.sees("paid")


def test_help_opens_by_itself_where_a_tap_opened_nothing(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    def opens_nothing(route: Route) -> None:
        """An answer without content leaves the page where it is, as an app does that swallows the jump."""
        if route.request.method == "POST":
            route.fulfill(status=204)
        else:
            route.continue_()

    ada = person(PHONE)
    ada.page.clock.install()  # before the page: none of its timers may run on the real time
    ada.opens(ensemble.open_session()["url"])
    ada.page.route("**/pay/cs_*", opens_nothing)
    help_here = ada.page.locator("[data-help]")
    ada.stops_the_clock()
    with ada.page.expect_response(lambda response: response.request.method == "POST"):
        ada.page.locator("button[value=alipay]").click()
    ada.lets_pass(2.4)
    expect(help_here).not_to_have_attribute("open", "")
    ada.lets_pass(0.2)
    expect(help_here).to_have_attribute("open", "")
    expect(ada.page.locator("[data-news]")).to_have_text("Did your wallet not open?")


def test_an_ipad_that_says_mac_may_open_the_wallet_here(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    desk, ipad = person(user_agent=IPAD), person(user_agent=IPAD, has_touch=True)
    for ada in (desk, ipad):
        ada.opens(session["url"])
        if ada is desk:
            ada.picks("alipay_hk")
        ada.sees("scan")
        expect(ada.page.locator("main")).to_have_attribute("data-agent", "desktop")
    here = ipad.page.locator("[data-touch] button")
    expect(desk.page.locator("[data-touch] button")).to_be_hidden()
    expect(here).to_be_visible()
    expect(ipad.page.locator("svg[data-qr]")).to_be_visible()

    here.click()
    ipad.page.wait_for_url("**/sandbox/wallet/*")
    assert [attempt["pay_type"] for attempt in ensemble.session(session["id"])["attempts"]] == ["801514", "801512"]


def test_a_phone_holds_the_code_for_another_one(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ensemble.picks(session["url"], "alipay_hk", agent=IPHONE + " Safari/604.1")
    ada = person(PHONE, java_script_enabled=False)
    ada.opens(session["url"])
    ada.sees("wallet")
    ada.page.get_by_text("Pay from another phone").click()
    assert ada.reads(ada.page.locator("svg[data-qr]")) == ensemble.pay_url(session["id"])
    picture = ensemble.get(f"{session['url']}/code.png")
    assert picture.headers["Content-Disposition"].startswith("attachment;")
    assert ada.decodes(picture.content) == ensemble.pay_url(session["id"])


def test_the_last_minutes_are_told_and_one_key_brings_a_fresh_code(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    session = ensemble.open_session(expires_in=60)
    ensemble.picks(session["url"], "alipay_hk")
    first = ensemble.pay_url(session["id"])
    ensemble.ages(session["id"], minutes=28)
    ada = person()
    ada.opens(session["url"])
    clock = ada.page.get_by_role("timer")
    expect(clock).to_have_text(re.compile(r"^[12]:\d\d$"))
    expect(ada.page.locator("[data-news]")).to_be_empty()  # it is not read aloud at each second

    ada.page.get_by_role("button", name="Get a fresh code").focus()
    ada.page.keyboard.press("Enter")
    expect(clock).to_be_hidden()
    ada.sees("scan")
    assert ada.scans() == ensemble.pay_url(session["id"]) != first
    assert len(ensemble.session(session["id"])["attempts"]) == 2


def test_of_several_tabs_one_returns_and_the_others_may_be_closed(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    session = ensemble.open_session()
    ada, stranger = person(), person(java_script_enabled=False)
    ada.opens(session["url"])
    ada.picks("alipay")
    ada.sees("scan")
    front = ada.context.new_page()
    for page in (front, stranger.page):
        page.goto(session["url"])
        expect(page.locator("main[data-stage=scan]")).to_be_visible()
    # Chromium without a window has all its tabs in front; and this one must not be the first to go.
    ada.page.evaluate("document.hasFocus = () => false; Date.now = () => 0")

    ensemble.pays(session["url"])
    front.wait_for_url("**/demo/**status=paid**", timeout=SOON)
    ada.sees("paid")
    expect(ada.page.locator("[data-closable]")).to_be_visible()
    stranger.sees("paid")
    assert len(ensemble.session(session["id"])["payments"]) == 1


def test_a_page_taken_out_of_the_cache_knows_the_truth_at_once(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.page.clock.install()
    ada.opens(session["url"])
    ada.picks("alipay")
    ada.sees("scan")
    ada.stops_the_clock()  # as for a page that is put away
    ensemble.pays(session["url"])
    ada.sees("scan")
    ada.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    ada.sees("paid")


def test_a_minute_without_a_network_ends_with_the_truth(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.page.clock.install()
    ada.opens(session["url"])
    ada.picks("alipay")
    ada.sees("scan")
    ada.stops_the_clock()
    ada.context.set_offline(True)
    quiet = ada.page.locator("[data-offline]")

    def speaks() -> bool:
        """A question that fails takes real time; the page speaks after the second."""
        ada.lets_pass(10)
        return quiet.inner_text() != ""

    wait_until(speaks, 20, lambda: "the page never says that it hears nothing")
    for _ in range(6):
        ada.lets_pass(10)
    ada.sees("scan")
    ensemble.pays(session["url"])
    ada.context.set_offline(False)
    ada.page.evaluate("dispatchEvent(new Event('online'))")
    ada.sees("paid")
    expect(quiet).to_be_empty()
