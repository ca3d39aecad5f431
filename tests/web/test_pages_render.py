"""Every screen as a document: what a strict browser, a script and a translator may rely on."""

import base64
import gzip
import random
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po
from babel.support import Translations

from checkout.domain.locales import CATALOGUE, Lang
from checkout.domain.logos import LARGEST
from checkout.domain.stages import Stage
from checkout.web.headers import squeeze
from checkout.web.looks import look_of
from checkout.web.pages import OFFERING, Page
from tests.gallery import ROOT, assets, draw, environment
from tests.screens import BRAND, LOGO, SHOP_SITE, at, scanning, screens

SCREENS = list(screens())
# Not `page`: that is a fixture of the browser's, and these tests need none.
EVERY_SCREEN = pytest.mark.parametrize(("name", "template", "shown"), SCREENS, ids=[name for name, *_ in SCREENS])
TRANSLATED = [lang for lang in Lang if lang is not Lang.EN]


@cache
def drawn(name: str, lang: Lang) -> str:
    """One screen: several tests look at the same."""
    template, shown = next((template, shown) for each, template, shown in SCREENS if each == name)
    return draw(template, shown, lang)


class Reader(HTMLParser):
    """Notes each tag with its attributes, and the text of the support code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_screen(stage: Stage) -> None:
    assert f"pay/_{stage}.html" in environment(Lang.EN).list_templates()


@pytest.mark.parametrize("lang", Lang)
@EVERY_SCREEN
def test_a_screen_is_one_document_for_a_strict_policy(name: str, template: str, shown: Page, lang: Lang) -> None:
    html = drawn(name, lang)
    seen = Reader(html)
    attributes = {attribute for _, held in seen.tags for attribute in held}
    assert "style" not in attributes
    assert not [attribute for attribute in attributes if attribute.startswith("on")]
    fetched = [held["src"] for _, held in seen.tags if "src" in held and name != "scan-framed"]
    assert all(str(src).startswith("data:image/png;base64,") for src in fetched)
    assert [str(held["href"]).partition(":")[0] for held in seen.all("link")] == ["data"]
    beside = [sheet for sheet in (shown.look, shown.way_out, name.startswith("receipt")) if sheet]
    assert [len(seen.all(tag)) for tag in ("h1", "main", "style")] == [1, 1, 1 + len(beside)]
    assert all(held == {} for held in seen.all("style")), "hashes allow bare tags only"
    # What stands in <main> is inert: the page's own script makes a bare one of it, whose hash the policy knows.
    bridge = {"data-authorise": "/authorise"}
    allowed: list[dict[str, str]] = [{}, {"type": "text/plain"}, bridge]
    assert all(held in allowed for held in seen.all("script"))
    assert f'<html lang="{lang}">' in html


@pytest.mark.parametrize("lang", TRANSLATED)
@EVERY_SCREEN
def test_chinese_sentences_follow_each_other_without_a_blank(name: str, template: str, shown: Page, lang: Lang) -> None:
    assert re.findall(r"[。？！]\s+[\u3400-\u9fff]", drawn(name, lang)) == []


@EVERY_SCREEN
def test_names_from_outside_are_text(name: str, template: str, shown: Page) -> None:
    bad = "<img src=x onerror=alert(1)>'\"&"
    html = draw(template, replace(shown, shop=bad, description=bad, reference=bad, items=((bad, 1, 1),)), Lang.EN)
    assert "<img src=x" not in html


@EVERY_SCREEN
def test_whoever_scripts_a_page_of_a_session_reads_what_was_thought_of_the_browser(
    name: str, template: str, shown: Page
) -> None:
    (main,) = Reader(drawn(name, Lang.EN)).all("main")
    if "data-status" in main:
        assert (main["data-status"], main["data-agent"]) == (shown.status, shown.agent)


def test_each_offered_wallet_is_one_button() -> None:
    seen = Reader(draw("pay/show.html", at(Stage.CHOOSE), Lang.EN))
    assert [held["value"] for held in seen.all("button") if held.get("name") == "wallet"] == ["alipay_hk", "alipay"]


def test_the_support_code_reads_without_blanks() -> None:
    html = draw("pay/show.html", at(Stage.CHOOSE), Lang.EN)
    (inside,) = re.findall(r"<b data-support-code>(.*?)</b>", html)
    assert re.sub(r"<.*?>", "", inside) == "K7M2QX"


@pytest.mark.parametrize("stage", [Stage.CLOSING, Stage.EXPIRED, Stage.CANCELLED, Stage.PAID, Stage.REVIEW])
def test_nothing_can_be_paid_once_it_is_over(stage: Stage) -> None:
    seen = Reader(draw("pay/show.html", at(stage, attempt=scanning(250)), Lang.EN))
    assert not seen.all("form")
    assert not [held for held in seen.all("svg") if "data-qr" in held]


def test_only_two_screens_promise_that_nothing_was_paid() -> None:
    promise = re.compile(r"nothing was paid|no money", re.IGNORECASE)
    promising = {path.name for path in (ROOT / "templates/pay").glob("_*.html") if promise.search(path.read_text())}
    assert promising == {"_expired.html", "_cancelled.html"}


@pytest.mark.parametrize("lang", Lang)
@EVERY_SCREEN
def test_a_screen_is_light(name: str, template: str, shown: Page, lang: Lang) -> None:
    """10 KB over the wire, the merchant's logo apart; also with 24 items and a code of 512 letters."""
    html = drawn(name, lang)
    assert len(squeeze(html.replace(LOGO["png"], "").encode())) <= 10 * 1024
    assert bytes_of_script(html) <= 3 * 1024


@EVERY_SCREEN
def test_a_screen_is_light_inside_a_shops_page_too(name: str, template: str, shown: Page) -> None:
    assert bytes_of_script(draw(template, replace(shown, embed=SHOP_SITE), Lang.EN)) <= 3 * 1024


def bytes_of_script(html: str) -> int:
    return sum(len(text.encode()) for text in re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL))


def test_a_brand_adds_little_more_than_its_logo_weighs() -> None:
    heavy = base64.b64encode(random.Random(1).randbytes(LARGEST)).decode()
    look = look_of(BRAND | {"logo": LOGO | {"png": heavy}})
    plain, branded = (
        len(squeeze(draw("pay/show.html", at(Stage.SCAN, attempt=scanning(512), look=worn), Lang.EN).encode()))
        for worn in (None, look)
    )
    assert LARGEST < branded - plain < LARGEST * 1.25  # with its colours


@pytest.mark.parametrize("name", [name for name, template, _ in SCREENS if template == "pay/show.html"])
def test_help_that_opens_by_itself_stands_where_its_script_is(name: str) -> None:
    """And the script where a tap may open nothing; in the last minutes, and inside Alipay, others take its place."""
    html = drawn(name, Lang.EN)
    helped = "data-help" in html and not name.endswith(("-ending", "-alipay"))
    assert (assets().extra["stuck"] in html) == helped


def test_the_guide_out_of_an_app_stands_where_wallets_are_offered() -> None:
    shown = set(re.findall(r"\[data-stage=(\w+)\]", assets().some["guide"]))
    assert shown == {str(stage) for stage in OFFERING}


def test_what_is_squeezed_comes_out_as_it_was() -> None:
    for html in (draw("pay/show.html", at(Stage.SCAN, attempt=scanning(512)), Lang.EN), "no code", ""):
        assert gzip.decompress(squeeze(html.encode())).decode() == html


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> set[Any]:
    """Every text of the templates, as gettext knows it: a pair where it counts something."""
    pot = tmp_path_factory.mktemp("texts") / "messages.pot"
    command = ["pybabel", "-q", "extract", "-F", f"{ROOT}/babel.cfg", "-o", str(pot), f"{ROOT}/templates"]
    CommandLineInterface().run(command)  # type: ignore[no-untyped-call]
    with pot.open("rb") as template:
        return {message.id for message in read_po(template) if message.id}


@pytest.mark.parametrize("lang", TRANSLATED)
def test_every_text_of_the_templates_is_translated(lang: Lang, wanted: set[Any]) -> None:
    folder = ROOT / "translations" / CATALOGUE[lang] / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as catalogue:
        known = {message.id: message.string for message in read_po(catalogue) if message.id}
    assert wanted
    assert not [text for text in wanted if text not in known or not known[text]]
    compiled = Translations.load(ROOT / "translations", [CATALOGUE[lang]])
    stale = [text for text in known if isinstance(text, str) and compiled.gettext(text) != known[text]]
    assert not stale, "run pybabel compile"
