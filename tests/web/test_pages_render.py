"""Every screen as a document: what a strict browser, a script and a translator may rely on."""

import gzip
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po
from babel.support import Translations

from checkout.domain.locales import CATALOGUE, Lang
from checkout.domain.stages import Stage
from checkout.web.pages import Page
from tests.gallery import ROOT, draw, environment
from tests.screens import at, scanning, screens

SCREENS = list(screens())
EVERY_SCREEN = pytest.mark.parametrize(("name", "template", "page"), SCREENS, ids=[name for name, *_ in SCREENS])
TRANSLATED = [lang for lang in Lang if lang is not Lang.EN]


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
def test_a_screen_is_one_document_that_a_strict_policy_allows(name: str, template: str, page: Page, lang: Lang) -> None:
    html = draw(template, page, lang)
    seen = Reader(html)
    attributes = {attribute for _, held in seen.tags for attribute in held}
    assert "style" not in attributes
    assert not [attribute for attribute in attributes if attribute.startswith("on")]
    fetched = [held["src"] for _, held in seen.tags if "src" in held and name != "scan-framed"]
    assert all(str(src).startswith("data:image/png;base64,") for src in fetched)
    assert [str(held["href"]).partition(":")[0] for held in seen.all("link")] == ["data"]
    assert [len(seen.all(tag)) for tag in ("h1", "main", "style")] == [1, 1, 2 if "branded" in name else 1]
    assert all(held == {} for held in seen.all("style")), "hashes allow bare tags only"
    # What stands in <main> is inert: the page's own script makes a bare one of it, whose hash the policy knows.
    assert all(held in ({}, {"type": "text/plain"}) for held in seen.all("script"))
    assert f'<html lang="{lang}">' in html


@EVERY_SCREEN
def test_names_from_outside_are_text(name: str, template: str, page: Page) -> None:
    bad = "<img src=x onerror=alert(1)>'\"&"
    html = draw(template, replace(page, shop=bad, description=bad, reference=bad, items=((bad, 1, 1),)), Lang.EN)
    assert "<img src=x" not in html


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
def test_a_screen_is_light(name: str, template: str, page: Page, lang: Lang) -> None:
    """10 KB over the wire, as headers.py compresses; 24 items with long names may cost a little more."""
    html = draw(template, page, lang)
    assert len(gzip.compress(html.encode(), 6)) <= (11 if "long" in name or "large" in name else 10) * 1024
    assert sum(map(len, re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL))) <= 3 * 1024


@pytest.mark.parametrize("lang", TRANSLATED)
def test_every_text_of_the_templates_is_translated(lang: Lang, tmp_path: Path) -> None:
    pot = tmp_path / "messages.pot"
    command = ["pybabel", "-q", "extract", "-F", f"{ROOT}/babel.cfg", "-o", str(pot), f"{ROOT}/templates"]
    CommandLineInterface().run(command)  # type: ignore[no-untyped-call]
    folder = ROOT / "translations" / CATALOGUE[lang] / "LC_MESSAGES"
    with pot.open("rb") as template, (folder / "messages.po").open("rb") as catalogue:
        wanted = {message.id for message in read_po(template) if message.id}
        known = {message.id: message.string for message in read_po(catalogue) if message.id}
    assert wanted
    assert not [text for text in wanted if text not in known or not known[text]]
    compiled = Translations.load(ROOT / "translations", [CATALOGUE[lang]])
    stale = [text for text in known if isinstance(text, str) and compiled.gettext(text) != known[text]]
    assert not stale, "run pybabel compile"
