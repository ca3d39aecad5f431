"""Each of the three languages, chosen by nothing but the browser's own wish."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.cast import PHONE, Person
from tests.browser.ensemble import SHOP, Ensemble

# What stands in Latin letters in every language: brands, the shop's own words, the language switch. A receipt says in
# English too what it says in Chinese, in elements that say so.
NAMES = ("AlipayHK", "Alipay", "QFPay", "Safari", "Chrome", "English", SHOP)
WORD = re.compile(r"[A-Za-z]{4,}")
TEXTS = """() => {
  document.querySelectorAll("details").forEach((details) => (details.open = true));
  document.querySelectorAll("main [lang=en]").forEach((said) => said.remove());
  const labels = [...document.querySelectorAll("[aria-label], [title]")].flatMap((e) => [e.ariaLabel, e.title]);
  return [document.title, document.body.innerText, ...labels].join(" ");
}"""
HEADINGS = {
    "en-GB": ("en", "Choose how to pay", "Scan with Alipay", "Paid"),
    "zh-HK": ("zh-HK", "選擇付款方式", "用支付寶掃描", "已付款"),
    "zh-CN": ("zh-CN", "选择付款方式", "用支付宝扫一扫", "已付款"),
}


def strange_words(person: Person, *ours: str) -> list[str]:
    """Latin words on the whole page, seen or only heard, that are nobody's name."""
    text = str(person.page.evaluate(TEXTS))
    for name in (*NAMES, *ours):
        text = text.replace(name, " ")
    return WORD.findall(text)


@pytest.mark.parametrize("locale", HEADINGS)
def test_a_shopper_reads_one_language_from_the_first_page_to_the_last(
    ensemble: Ensemble, person: Callable[..., Person], locale: str
) -> None:
    lang, *headings = HEADINGS[locale]
    session = ensemble.open_session(reference="20418")
    ada = person(locale=locale)
    ours = (session["url"], session["id"])
    seen = []

    def reads(stage: str) -> None:
        ada.sees(stage)
        assert ada.page.locator("html").get_attribute("lang") == lang
        seen.append(ada.page.locator("h1").inner_text())
        code = ada.page.locator("[data-support-code]").inner_text()
        strangers = strange_words(ada, *ours, *code.split())
        assert strangers if lang == "en" else not strangers

    ada.never_leaves_by_herself()
    ada.opens(session["url"])
    reads("choose")
    ada.picks("alipay")
    reads("scan")
    ensemble.pays(session["url"])
    reads("paid")
    ada.page.locator("[data-stay]").click()
    ada.page.locator("a[href*=receipt]").click()
    assert seen == headings
    number = ensemble.order(session["id"])["out_trade_no"]
    code = ada.page.locator("[data-support-code]").inner_text()
    assert not strange_words(ada, *ours, number, *code.split()) or lang == "en"


def test_the_language_that_was_switched_to_stays_through_the_wallet_and_on_the_receipt(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    ada = person(PHONE)
    ada.never_leaves_by_herself()
    ada.opens(ensemble.open_session()["url"])
    ada.page.get_by_role("link", name="繁體中文").click()
    ada.picks("alipay_hk")
    ada.page.wait_for_url("**/sandbox/wallet/*")
    ada.pays()
    ada.sees("paid")
    expect(ada.page.locator("h1")).to_have_text("已付款")
    ada.page.locator("a[href*=receipt]").click()
    ada.sees("receipt")
    ada.page.get_by_role("link", name="简体中文").click()
    expect(ada.page.locator("html")).to_have_attribute("lang", "zh-CN")
    ada.sees("receipt")


@pytest.mark.parametrize(("locale", "heading"), [("zh-HK", "找不到此付款頁"), ("zh-CN", "找不到此付款页")])
def test_a_page_that_knows_no_session_speaks_the_browsers_language(
    ensemble: Ensemble, person: Callable[..., Person], locale: str, heading: str
) -> None:
    ada = person(locale=locale)
    ada.opens(f"{ensemble.url}/pay/cs_{'x' * 22}")
    assert ada.page.locator("h1").inner_text() == heading
    assert strange_words(ada) == []
