"""Ada uses no mouse, or no eyes: the keyboard reaches everything, and what changes is said once."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.browser.cast import Person
from tests.browser.ensemble import Ensemble

OUTLINE = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
}"""
LISTEN = """() => {
  window.heard = [];
  new MutationObserver(() => heard.push(document.querySelector("[data-news]").textContent))
    .observe(document.querySelector("[data-news]"), { childList: true, characterData: true, subtree: true });
}"""


def width_of(code: Locator) -> float:
    box = code.bounding_box()
    assert box
    return box["width"]


def tabs_to(ada: Person, wanted: str, at_most: int = 12) -> None:
    """Presses Tab until the focus is there, and can see it at every step."""
    for _ in range(at_most):
        ada.page.keyboard.press("Tab")
        assert ada.page.evaluate(OUTLINE) >= 2, "the focus cannot be seen"
        if ada.page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"{at_most} tabs do not reach {wanted}")


def test_ada_pays_with_the_keyboard_and_hears_of_it_once(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.never_leaves_by_herself()
    ada.opens(session["url"])
    tabs_to(ada, "button[name=wallet][value=alipay_hk]")
    ada.page.keyboard.press("Enter")
    ada.sees("scan")

    ada.page.evaluate(LISTEN)
    ensemble.pays(session["url"])
    ada.sees("paid")
    expect(ada.page.locator("h1")).to_be_focused()
    assert ada.page.evaluate("heard") == ["Paid · HK$128.00 · Lantern Street Tea"]
    assert ada.page.title() == "Paid · HK$128.00 · Lantern Street Tea"
    assert ada.page.locator("[data-news]").get_attribute("role") == "status"

    tabs_to(ada, "[data-return]", at_most=1)
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_url(re.compile("/demo/.*status=paid"))


def test_a_refresh_takes_nothing_out_of_her_hands(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.opens(session["url"])
    ada.picks("alipay")
    ada.sees("scan")
    ada.page.evaluate(LISTEN)
    ada.page.get_by_text("Pay on another device").click()
    ada.page.get_by_role("button", name="Copy").focus()

    for _ in range(2):
        with ada.page.expect_response("**/status*"):
            pass
    expect(ada.page.get_by_role("button", name="Copy")).to_be_focused()
    assert ada.page.evaluate("heard") == []


def test_what_has_not_changed_is_not_drawn_again(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    """Or a press that begins before the first answer and ends after it would be lost."""
    ada = person()
    with ada.page.expect_response("**/status*") as first:
        ada.opens(ensemble.open_session()["url"])
        ada.page.evaluate("document.querySelector('main h1').known = true")
    assert first.value.status == 200, "it had no tag to ask with"
    with ada.page.expect_response("**/status*"):
        pass
    assert ada.page.evaluate("document.querySelector('main h1').known"), "drawn again for nothing"


def test_escape_and_the_keyboard_close_the_enlarged_code(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ada = person()
    ada.opens(session["url"])
    ada.picks("alipay")
    code = ada.page.locator("svg[data-qr]")
    small = width_of(code)
    tabs_to(ada, "a[href='#larger']", at_most=20)
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#larger:target")).to_have_count(1)
    assert width_of(code) > small

    ada.page.keyboard.press("Escape")
    expect(ada.page.locator("#larger:target")).to_have_count(0)
    expect(ada.page.locator("a[href='#larger']")).to_be_focused()
    assert width_of(code) == small
