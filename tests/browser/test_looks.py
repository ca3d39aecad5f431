"""Every screen at three widths, light and dark: nothing runs off the side, axe is content, a camera reads the code."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.cast import PHONE, Person
from tests.browser.ensemble import BROKEN, REFUSED, Ensemble

WIDTHS = {360: 740, 768: 1024, 1280: 800}
THEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LEAST = 4  # CSS pixels for each module of a code
MODULE = "(svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"


def brought_to(ensemble: Ensemble, screen: str) -> str:
    """The address of a page that shows this screen."""
    if screen == "not_found":
        return f"{ensemble.url}/pay/cs_{'x' * 22}"
    amount = {"failed": REFUSED, "unknown": BROKEN}.get(screen, 12_800)
    url = str(ensemble.open_session(amount=amount, cancel_url=f"{ensemble.url}/demo/")["url"])
    if screen == "cancelled":
        ensemble.cancels(url)
    elif screen == "wallet":
        ensemble.picks(url, "alipay_hk", agent=IPHONE)
    elif screen != "choose":
        ensemble.picks(url, "alipay")
    if screen in ("paid", "receipt"):
        ensemble.pays(url)
    return f"{url}/receipt" if screen == "receipt" else url


def complaints_about(ada: Person, rules: Axe, *, only: str = "") -> list[str]:
    """What axe says, and how far the page runs off the side. `only` names the one rule to ask."""
    options = {"runOnly": {"type": "rule", "values": [only]} if only else RULES}
    found = rules.run(ada.page, options=options).response["violations"]
    said = [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]
    return said + ([f"{ada.sideways()} px sideways"] if ada.sideways() > 0 else [])


@pytest.mark.parametrize(
    "screen", ["choose", "scan", "wallet", "unknown", "failed", "paid", "receipt", "cancelled", "not_found"]
)
def test_a_screen_fits_and_is_for_everyone(ensemble: Ensemble, person: Callable[..., Person], screen: str) -> None:
    url = brought_to(ensemble, screen)
    rules = Axe()
    wrong = {}
    for settings in ({"device": PHONE}, {}) if screen == "choose" else ({},):
        ada = person(**settings)
        ada.never_leaves_by_herself()
        ada.opens(url)
        if screen != "not_found":
            ada.sees(screen)
        for width, height in WIDTHS.items():
            ada.page.set_viewport_size({"width": width, "height": height})
            for theme in THEMES:  # the dark changes colours and nothing else
                ada.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                only = "" if theme == "light" else "color-contrast"
                wrong[f"{settings} {width} {theme}"] = complaints_about(ada, rules, only=only)
    assert {where: what for where, what in wrong.items() if what} == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_camera_reads_the_code_at_any_width_and_in_any_colours(
    ensemble: Ensemble, person: Callable[..., Person], width: int
) -> None:
    session = ensemble.open_session()
    ensemble.picks(session["url"], "alipay_hk")
    stored = ensemble.pay_url(session["id"])
    ada = person(viewport={"width": width, "height": WIDTHS[width]})
    ada.opens(session["url"])
    code = ada.page.locator("svg[data-qr]")

    for colours in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
        ada.page.emulate_media(**colours)  # type: ignore[arg-type]
        code.scroll_into_view_if_needed()
        assert ada.scans() == stored, colours

    ada.page.get_by_role("link", name="Enlarge the code").click()
    assert code.evaluate(MODULE) >= LEAST
    assert ada.scans() == stored
    assert ada.sideways() <= 0


@pytest.mark.parametrize("dots", [1, 3])
def test_a_camera_reads_the_code_from_any_screen_and_from_paper(
    ensemble: Ensemble, person: Callable[..., Person], dots: int
) -> None:
    """200 % zoom is a window of half the width, of which each pixel is two."""
    session = ensemble.open_session()
    ensemble.picks(session["url"], "alipay_hk")
    stored = ensemble.pay_url(session["id"])
    for width, scale in ((1280, dots), (640, 2 * dots)):
        ada = person(viewport={"width": width, "height": 800}, device_scale_factor=scale)
        ada.opens(session["url"])
        code = ada.page.locator("svg[data-qr]")
        for surroundings in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"media": "print"}):
            ada.page.emulate_media(**surroundings)  # type: ignore[arg-type]
            assert ada.reads(code) == stored, surroundings
        ada.context.close()


def test_on_a_desktop_the_code_is_large_at_once(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session()
    ensemble.picks(session["url"], "alipay_hk")
    ada = person()
    ada.opens(session["url"])
    assert ada.page.locator("svg[data-qr]").evaluate(MODULE) >= LEAST
