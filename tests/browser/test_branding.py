"""A merchant's colours on a real page: axe measures what a browser makes of them, and its policy lets them pass."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.cast import Person
from tests.browser.ensemble import Ensemble
from tests.browser.test_looks import complaints_about

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("banner", "accent"), [("#ffff00", "#ffff00"), ("#777777", "#1a0033")])
def test_no_palette_hides_a_text(ensemble: Ensemble, person: Callable[..., Person], banner: str, accent: str) -> None:
    key = ensemble.add_merchant()
    ensemble.changes(key, "brand", "--banner", banner, "--accent", accent)
    session = ensemble.open_session(api_key=key)
    ada, rules, wrong = person(), Axe(), {}
    ada.opens(session["url"])
    red, green, blue = (int(banner[at : at + 2], 16) for at in (1, 3, 5))
    drawn = ada.page.locator(".order").evaluate("(order) => getComputedStyle(order).backgroundColor")
    assert drawn == f"rgb({red}, {green}, {blue})"
    for theme in ("light", "dark"):
        ada.page.emulate_media(color_scheme=theme)
        wrong[theme] = complaints_about(ada, rules)
    assert wrong == {"light": [], "dark": []}
