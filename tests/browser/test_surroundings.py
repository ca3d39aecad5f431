"""Where the page stands: in apps that open no wallet, and behind a policy that lets a tap lead to wallets only."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.cast import PHONE, Person
from tests.browser.ensemble import Ensemble

WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.47"
)


@pytest.mark.parametrize("things", [1, 6])
def test_inside_wechat_the_way_out_lies_open(ensemble: Ensemble, person: Callable[..., Person], things: int) -> None:
    items = [{"name": f"Tea {number}", "quantity": 1, "amount": 1_000} for number in range(things)]
    session = ensemble.open_session(amount=1_000 * things, items=items)
    ada = person(PHONE, user_agent=WECHAT)
    ada.opens(session["url"])
    expect(ada.page.get_by_text("WeChat may keep your wallet from opening.")).to_be_visible()
    expect(ada.page.locator("[data-copy]")).to_have_text(session["url"])
    expect(ada.page.locator("[data-copy]")).to_be_visible()
    expect(ada.page.locator("button[name=wallet]")).to_have_count(2)


def test_the_way_out_is_gone_when_nothing_is_left_to_pay(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person(PHONE, user_agent=WECHAT)
    ada.never_leaves_by_herself()
    ada.opens(session["url"])
    guide = ada.page.locator(".guide")
    expect(guide).to_be_visible()
    ensemble.picks(session["url"], "alipay_hk", agent=WECHAT)
    ada.sees("wallet")
    expect(guide).to_be_visible()
    ensemble.pays(session["url"])
    ada.sees("paid")
    expect(guide).to_be_hidden()


def test_elsewhere_nobody_speaks_of_wechat(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    ada = person(PHONE)
    ada.opens(ensemble.open_session()["url"])
    expect(ada.page.locator(".guide")).to_have_count(0)
    expect(ada.page.locator("[data-copy]")).to_be_hidden()


def test_the_address_is_copied(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person(permissions=["clipboard-read", "clipboard-write"])
    ada.opens(session["url"])
    ada.page.get_by_text("Pay on another device").click()
    ada.page.get_by_role("button", name="Copy").click()
    expect(ada.page.locator("[data-copies]")).to_have_text("Copied")
    assert ada.page.evaluate("navigator.clipboard.readText()") == session["url"]


@pytest.mark.parametrize(
    ("target", "let_through"),
    [
        ("https://qr.alipay.com/code", True),
        ("https://alipay.com.shop.example/code", False),
        ("https://a.example/", False),
    ],
)
def test_a_tap_leads_to_wallets_and_nowhere_else(
    ensemble: Ensemble, person: Callable[..., Person], target: str, let_through: bool
) -> None:
    """Chromium holds the redirect after a form to the page's own policy, whoever answered the form."""

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=303, headers={"Location": target})
        else:
            route.continue_()

    ada = person(PHONE)
    ada.opens(ensemble.open_session()["url"])
    ada.page.route("**/pay/cs_*", answer)
    asked: list[str] = []
    ada.context.on("request", lambda request: asked.append(request.url))
    if let_through:
        with ada.page.expect_event("requestfailed", lambda request: request.url == target):
            ada.picks("alipay")  # there is no such host here: asking for it is what counts
    else:
        with ada.page.expect_console_message(lambda message: "policy form-action" in message.text):
            ada.picks("alipay")
        assert target not in asked
        ada.complaints.clear()
