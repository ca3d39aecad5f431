"""Links in a browser: parameters behind `#`, a browser without scripts, and a poster that a camera can read."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.cast import Person
from tests.browser.ensemble import APP_CODE, CLIENT_KEY, Ensemble
from tests.browser.test_looks import THEMES, WIDTHS, complaints_about
from tests.stories.storefront import link, order


def query(ensemble: Ensemble, number: str) -> str:
    asked = order(APP_CODE, out_trade_no=number, return_url=f"{ensemble.url}/demo/?a=1&b=2", goods_name="茶 + 100% 'A'")
    return link(asked, CLIENT_KEY, lang="en")


@pytest.fixture(scope="module")
def made(ensemble: Ensemble) -> dict[str, str]:
    return ensemble.add_link("--name", "Counter", "--amount", "88", "--description", "A pot of oolong")


def test_a_link_with_its_parameters_behind_the_hash_leads_to_a_payment(
    ensemble: Ensemble, person: Callable[..., Person]
) -> None:
    ada = person()
    ada.opens(f"{ensemble.url}/checkstand/?fbclid=1#/?{query(ensemble, 'HASH-1')}")
    ada.page.wait_for_url("**/pay/cs_*")
    assert "茶 + 100% 'A'" in ada.page.locator("header.order").inner_text()
    first = ada.session_id
    ada.picks("alipay_hk")
    ensemble.pays(ada.page.url.partition("?")[0])
    ada.sees("paid")
    ada.opens(f"{ensemble.url}/checkout?{query(ensemble, 'HASH-1')}")
    assert ada.session_id == first


def test_without_scripts_the_address_is_pasted(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    ada = person(java_script_enabled=False)
    address = f"{ensemble.url}/checkstand/#/?{query(ensemble, 'HASH-2')}"
    ada.opens(address)
    ada.page.fill("#link", address)
    ada.page.locator("main button").click()
    ada.sees("choose")


def test_a_poster_is_read_from_the_screen_and_from_paper(
    ensemble: Ensemble, person: Callable[..., Person], made: dict[str, str]
) -> None:
    bo = person(viewport={"width": 794, "height": 1123})  # A4 at 96 dpi
    bo.opens(made["poster"])
    pictures = [bo.page.screenshot()]
    bo.page.emulate_media(media="print", color_scheme="dark")
    pictures.append(bo.page.screenshot())
    bo.page.set_viewport_size({"width": 559, "height": 794})  # A5
    pictures.append(bo.page.screenshot())
    for picture in pictures:
        assert bo.decodes(picture) == made["url"]
    assert bo.page.pdf(format="A5").count(b"/Type /Page\n") == 1


def test_the_pages_of_links_fit_and_are_for_everyone(
    ensemble: Ensemble, person: Callable[..., Person], made: dict[str, str]
) -> None:
    pages = ("/checkout?txamt=1", "/checkstand/", "/checkout/check")
    addresses = [f"{ensemble.url}{page}" for page in pages] + [made["url"], made["poster"]]
    ada, rules, wrong = person(), Axe(), {}
    for address in addresses:
        ada.opens(address)
        for (width, height), theme in zip(WIDTHS.items(), (*THEMES, *THEMES), strict=False):
            ada.page.set_viewport_size({"width": width, "height": height})
            ada.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            wrong[f"{address} {width} {theme}"] = complaints_about(ada, rules)
    assert {name: found for name, found in wrong.items() if found} == {}
