"""Draws every shopper screen in every language, theme and width and asks axe of each: `python -m tests.gallery`."""

import argparse
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from checkout.domain.locales import CATALOGUE, LABELS, Lang
from checkout.domain.stages import Stage
from checkout.web import pages, receipts
from checkout.web.assets import Assets, load_assets
from checkout.web.filters import hong_kong_time, money
from checkout.web.headers import squeeze
from checkout.web.language import gap
from checkout.web.link_pages import Around, dress_of
from tests.screens import CODE, VALUES, screens, side_screens

ROOT = Path(__file__).parent.parent
WIDTHS = {360: 740, 768: 1024, 1280: 800}
THEMES = ("light", "dark")


@cache
def environment(lang: Lang) -> Environment:
    """Jinja as the application sets it up."""
    env = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = Translations.load(ROOT / "translations", [CATALOGUE[lang]])
    env.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    env.globals["gap"] = lambda: gap(lang)
    env.globals["url_for"] = lambda endpoint, **_: f"/{endpoint}"
    env.filters["money"] = partial(money, lang=lang)
    env.filters["hkt"] = partial(hong_kong_time, lang=lang)
    return env


@cache
def assets() -> Assets:
    return load_assets()


def draw(template: str, page: pages.Page, lang: Lang) -> str:
    """The whole document."""
    languages = tuple((each.value, LABELS[each], f"?lang={each}", each is lang) for each in Lang)
    drawn = replace(page, lang=lang.value, languages=languages)
    if page.receipt and lang is not Lang.EN:
        drawn = replace(drawn, receipt=replace(page.receipt, english=in_english()))
    asks = page.agent == "in_wallet alipay" and page.stage is Stage.CHOOSE
    bridge = {"authorise": "/authorise"} if asks else None
    known = {"assets": assets(), "lang": lang.value, "support_code": "K7M2QX", "bridge": bridge}
    return environment(lang).get_template(template).render(page=drawn, auto=None, code=CODE, **known, **VALUES)


@cache
def in_english() -> dict[str, str]:
    """What a Chinese receipt says once more."""
    words = environment(Lang.EN).get_template("pay/receipt_words.html").make_module()
    return {name: str(words.label(name)) for name in receipts.LABELS}  # type: ignore[attr-defined]


def drawn_screens(lang: Lang) -> Iterator[tuple[str, str]]:
    """Every screen in a language: its name, and the document."""
    for name, template, page in screens():
        yield name, draw(template, page, lang)
    for name, template, values in side_screens():
        yield name, draw_beside(template, values, lang)


def draw_beside(template: str, values: dict[str, Any], lang: Lang) -> str:
    """A page of links, in the dress that the application gives it."""
    switch = tuple((each.value, LABELS[each], f"?lang={each}", each is lang) for each in Lang)
    dress = dress_of(assets().css, "rest.js")
    known: dict[str, Any] = {"lang": lang.value, "page": Around(switch, sandbox=False), "assets": dress}
    if "offer" in values:
        known["said"] = [(each, environment(each).get_template("links/_says.html").render(values)) for each in Lang]
    return environment(lang).get_template(template).render(**known, **values)


def photograph(browser: Browser, out: Path, wanted: str) -> list[str]:
    """Save pictures of each screen; return what axe, or a sideways scroll, found wrong."""
    faults = []
    for theme in THEMES:
        for width, height in WIDTHS.items():
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
            for lang in Lang:
                for name, html in drawn_screens(lang):
                    if re.search(wanted, name):
                        tab.set_content(html)
                        tab.screenshot(path=out / f"{name}.{lang}.{theme}.{width}.png", full_page=True)
                        faults += [f"{name}.{lang}.{theme}.{width}: {fault}" for fault in look_for_faults(tab, width)]
            tab.close()
    return faults


def photograph_odd(browser: Browser, out: Path, wanted: str) -> None:
    """In one picture each: forced colours, as Windows' high contrast has them; and what comes out of a printer."""
    odd: dict[str, dict[str, Any]] = {"forced": {"forced_colors": "active"}, "print": {"media": "print"}}
    for kind, setting in odd.items():
        (out / kind).mkdir(exist_ok=True)
        tab = browser.new_page(viewport={"width": 794, "height": 1123}, color_scheme="dark")
        tab.emulate_media(**setting)
        for lang in Lang:
            for name, html in drawn_screens(lang):
                if re.search(wanted, name):
                    tab.set_content(html)
                    tab.screenshot(path=out / kind / f"{name}.{lang}.png", full_page=True)
        tab.close()


def look_for_faults(tab: Page, width: int) -> list[str]:
    faults = ["scrolls sideways"] if tab.evaluate("document.documentElement.scrollWidth > innerWidth") else []
    if width == 768:  # between the other two, it shows nothing that they do not
        return faults
    found = Axe().run(tab).response["violations"]
    return faults + [f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found]


def sheets(out: Path) -> None:
    """Six pictures on a sheet: light and dark in three widths, one sheet for each screen and language."""
    names = sorted({".".join(path.name.split(".")[:2]) for path in out.glob("*.*.*.*.png")})
    for name in names:
        paths = [out / f"{name}.{theme}.{width}.png" for theme in THEMES for width in WIDTHS]
        if not all(path.exists() for path in paths):
            continue  # left behind by somebody who stopped before the end
        pictures = [Image.open(path) for path in paths]
        gap = 24
        half = len(WIDTHS)
        heights = [max(p.height for p in row) for row in (pictures[:half], pictures[half:])]
        sheet = Image.new("RGB", (sum(WIDTHS) + gap * (half + 1), sum(heights) + gap * 3), "#888")
        top = gap
        for row, height in zip((pictures[:half], pictures[half:]), heights, strict=True):
            left = gap
            for picture in row:
                sheet.paste(picture, (left, top))
                left += picture.width + gap
            top += height + gap
        sheet.save(out / f"sheet-{name}.png")


def weigh() -> None:
    """Bytes over the wire, the heaviest first: the heaviest language of each screen."""
    weights: dict[str, tuple[int, Lang]] = {}
    for lang in Lang:
        for name, html in drawn_screens(lang):
            weights[name] = max(weights.get(name, (0, lang)), (len(squeeze(html.encode())), lang))
    for name, (weight, lang) in sorted(weights.items(), key=lambda item: -item[1][0]):
        print(f"{weight:6} {name} ({lang})")


def write(out: Path) -> None:
    for lang in Lang:
        for name, html in drawn_screens(lang):
            (out / f"{name}.{lang}.html").write_text(html)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gallery"))
    parser.add_argument("--only", default="", help="a regular expression for the screens' names")
    parser.add_argument("--html", action="store_true", help="only write the documents")
    parser.add_argument("--weigh", action="store_true", help="only print what each screen weighs over the wire")
    options = parser.parse_args()
    if options.weigh:
        weigh()
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if options.html:
        write(options.out)
        return
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        faults = photograph(browser, options.out, options.only)
        photograph_odd(browser, options.out, options.only)
        browser.close()
    sheets(options.out)
    print("\n".join(faults) or "no faults found")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
