"""A merchant may have the wallet's page shown inside ours."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.cast import Person
from tests.browser.ensemble import Ensemble


def directive(policy: str, name: str) -> list[str]:
    """The sources of one directive of a Content-Security-Policy."""
    (found,) = [words[1:] for words in map(str.split, policy.split(";")) if words[:1] == [name]]
    return found


def test_the_wallets_page_is_framed_and_the_code_is_one_step_away(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    key = ensemble.add_merchant("--frame", "alipay_hk")
    session = ensemble.open_session(api_key=key)
    ensemble.picks(session["url"], "alipay_hk")
    stored = ensemble.pay_url(session["id"])
    ada = person()
    answer = ada.page.goto(session["url"])
    assert answer

    policy = answer.headers["content-security-policy"]
    assert directive(policy, "frame-src") == ["https://alipay.com", "https://*.alipay.com", ensemble.url]
    assert directive(policy, "frame-ancestors") == ["'none'"]
    assert ada.page.locator("iframe").get_attribute("src") == stored
    ada.page.get_by_text("Scan a code instead").click()
    ada.page.locator("svg[data-qr]").scroll_into_view_if_needed()
    assert ada.scans() == stored
    ada.page.get_by_text("Other ways to pay").click()
    expect(ada.page.locator(f"a[href='{stored}']")).to_be_visible()

    ada.page.frame_locator("iframe").locator("button[value=pay]").click()
    ada.sees("paid")
    expect(ada.page.locator("iframe")).to_have_count(0)


def test_a_wallet_picked_elsewhere_is_framed_on_the_page_that_lay_open(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    """A page's policy comes with its document, and what a refresh draws must find its place in it."""
    session = ensemble.open_session(api_key=ensemble.add_merchant("--frame", "alipay_hk"))
    ada, other = person(), person()
    ada.opens(session["url"])
    other.opens(f"{session['url']}/elsewhere")
    ada.sees("choose")
    ensemble.picks(session["url"], "alipay_hk")
    for one in (ada, other):
        one.sees("scan")
        expect(one.page.frame_locator("iframe").locator("button[value=pay]")).to_be_visible()
    ada.page.frame_locator("iframe").locator("button[value=pay]").click()
    for one in (ada, other):
        one.sees("paid")


def test_without_that_wish_nothing_may_be_framed(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ensemble.picks(session["url"], "alipay_hk")
    ada = person()
    answer = ada.page.goto(session["url"])
    assert answer
    assert directive(answer.headers["content-security-policy"], "frame-src") == ["'none'"]
    assert ada.page.locator("iframe").count() == 0
