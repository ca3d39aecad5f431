"""What can be pressed is large enough for a thumb (WCAG 2.5.8), on every screen and with everything unfolded."""

import pytest
from playwright.sync_api import Page

from checkout.domain.locales import Lang
from tests.gallery import drawn_screens

LEAST = 24  # CSS pixels, each way
NARROW = {"width": 320, "height": 640}
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  document.querySelectorAll("[hidden]").forEach((one) => (one.hidden = false));
}"""
# A link amid a sentence is as high as its line.
SMALL = """(least) => [...document.querySelectorAll("a, button, summary, textarea, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility())
  .filter((one) => ![...one.parentElement.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
  .filter(([_, box]) => box.width < least || box.height < least)
  .map(([text, box]) => `${text}: ${box.width} x ${box.height}`)"""
SIDEWAYS = "() => document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize("lang", [Lang.EN, Lang.ZH_HK])
def test_every_target_is_large_and_nothing_runs_off_a_window_of_320_pixels(page: Page, lang: Lang) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    wrong = {}
    for name, html in drawn_screens(lang):
        page.set_content(html)
        page.evaluate(UNFOLD)
        small = page.evaluate(SMALL, LEAST) + ["sideways"] * page.evaluate(SIDEWAYS)
        if small:
            wrong[name] = small
    assert wrong == {}
