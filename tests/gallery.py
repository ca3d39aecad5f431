"""Draws every shopper screen in every language, theme and width and asks axe of each: `python -m tests.gallery`."""

import argparse
import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from checkout.domain import qr
from checkout.domain.locales import CATALOGUE, LABELS, Lang
from checkout.domain.stages import FINAL, Stage
from checkout.web.assets import load_assets
from checkout.web.filters import hong_kong_time, money
from checkout.web.pages import QR_SIZES, AttemptView, Page

ROOT = Path(__file__).parent.parent
WIDTHS = {360: 740, 768: 1024, 1280: 800}
THEMES = ("light", "dark")
ADDRESS = "/pay/cs_7Hq2vXb9LmNc4RtZ0aYwKd"

BOTH = (("alipay_hk", "AlipayHK", ""), ("alipay", "Alipay", ""))
ATTEMPT = AttemptView(
    wallet="alipay_hk",
    label="AlipayHK",
    qr=None,
    qr_modules=0,
    qr_size="m",
    link=None,
    link_is_page=False,
    framed=False,
    asked_seconds_ago=4,
    silent=False,
    failure=None,
)
PAGE = Page(
    stage=Stage.CHOOSE,
    status="open",
    review=False,
    version=3,
    final=False,
    agent="desktop",
    mobile=False,
    sandbox=False,
    lang="en",
    languages=(),
    shop="Kowloon Tea House",
    amount=8800,
    currency="HKD",
    description="Oolong, 150 g",
    items=(("Tie Guan Yin 150 g", 1, 6800), ("Paper tea filters", 2, 2000)),
    reference="A-20418",
    support_code="K7M2QX",
    address=f"https://pay.example.hk{ADDRESS}",
    url=ADDRESS,
    status_url=f"{ADDRESS}/status",
    check_url=f"{ADDRESS}/check",
    cancel_url=f"{ADDRESS}/cancel",
    receipt_url=f"{ADDRESS}/receipt",
    return_href=None,
    return_host="tea.example.hk",
    wallets=BOTH,
    attempt=None,
    expires_in=1500,
    next_poll_ms=600_000,
    refresh_seconds=3,
    paid_at=None,
    payments=(),
    closing_as=None,
    merchant_told=None,
)


def at(stage: Stage, **fields: Any) -> Page:
    """The page of the tea house at a stage."""
    status = stage.value if stage in FINAL else "open"
    back = "https://tea.example.hk/orders/20418" if stage in FINAL else None
    return replace(PAGE, **{"stage": stage, "status": status, "final": stage in FINAL, "return_href": back, **fields})


def scanning(length: int, **fields: Any) -> AttemptView:
    """An attempt whose code holds an address of `length` characters."""
    code = qr.draw("https://globalmapi.example/" + "x7" * ((length - 27) // 2))
    size = next((size for up_to, size in QR_SIZES if code.modules <= up_to), "l")
    return replace(ATTEMPT, qr=Markup(code.svg), qr_modules=code.modules, qr_size=size, **fields)


PAID_AT = datetime(2025, 3, 14, 6, 32, tzinfo=UTC)
PAYMENTS = (("AlipayHK", "20250314180500020071234567", "SMP3kq9d0f7a5c1e2b8d4f6", 8800),)
LONG = {
    "shop": "香港九龍旺角花園街傳統手工涼茶及龜苓膏專門店有限公司" + "Kowloontraditionalhandmadeherbaltea" * 4,
    "amount": 999999999,
    "description": "A very long description of what is being bought here, " * 3,
    "items": tuple((f"Item {n}: a thing with a long enough name to wrap", n, 1234500 * n) for n in range(1, 25)),
    "reference": "REFERENCE-" + "0123456789" * 5,
}


def screens() -> Iterator[tuple[str, str, Page]]:
    """Name, template and fixture of every screen."""
    show = "pay/show.html"
    link = "https://globalmapi.example/pay?id=1"
    code, phone = scanning(250), replace(ATTEMPT, link=link)
    paid: dict[str, Any] = {"paid_at": PAID_AT, "payments": PAYMENTS, "attempt": phone}
    yield "choose", show, at(Stage.CHOOSE)
    yield "choose-phone", show, at(Stage.CHOOSE, mobile=True, agent="mobile", sandbox=True)
    yield "choose-one", show, at(Stage.CHOOSE, wallets=BOTH[:1], items=(), description="")
    yield "choose-long", show, at(Stage.CHOOSE, mobile=True, **LONG)
    yield "waiting", show, at(Stage.WAITING, attempt=replace(ATTEMPT, asked_seconds_ago=None), wallets=())
    yield "scan", show, at(Stage.SCAN, attempt=code)
    yield "scan-small", show, at(Stage.SCAN, attempt=scanning(60), expires_in=161)
    alipay = scanning(512, wallet="alipay", label="Alipay", link=link, link_is_page=True)
    yield "scan-large", show, at(Stage.SCAN, attempt=alipay, **LONG)
    yield "scan-framed", show, at(Stage.SCAN, attempt=replace(code, framed=True, link="about:blank"))
    yield "wallet", show, at(Stage.WALLET, mobile=True, attempt=phone)
    yield "scan-silent", show, at(Stage.SCAN, attempt=replace(code, silent=True))
    yield "unknown", show, at(Stage.UNKNOWN, attempt=replace(phone, asked_seconds_ago=130))
    yield "failed", show, at(Stage.FAILED, mobile=True, attempt=replace(ATTEMPT, failure="balance"))
    yield "paid", show, at(Stage.PAID, merchant_told=True, **paid)
    yield "paid-surplus", show, at(Stage.PAID, merchant_told=True, returned=(("surplus", 8800, True),), **paid)
    yield "paid-untold", show, at(Stage.PAID, merchant_told=False, **(paid | {"return_href": None}))
    yield "paid-long", show, at(Stage.PAID, merchant_told=True, **paid, **LONG)
    yield "review", show, at(Stage.REVIEW, review=True, attempt=phone, wallets=())
    yield "closing", show, at(Stage.CLOSING, closing_as="expired", attempt=phone, wallets=())
    yield "expired", show, at(Stage.EXPIRED)
    yield "expired-late", show, at(Stage.EXPIRED, returned=(("late", 8800, False),))
    yield "cancelled", show, at(Stage.CANCELLED)
    yield "receipt", "pay/receipt.html", at(Stage.PAID, **paid)
    yield "receipt-long", "pay/receipt.html", at(Stage.PAID, **(paid | {"payments": PAYMENTS * 2}), **LONG)
    yield "not-found", "pay/not_found.html", PAGE
    yield "error", "pay/error.html", PAGE
    yield "refused", "pay/refused.html", PAGE


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
    env.filters["money"] = partial(money, lang=lang)
    env.filters["hkt"] = partial(hong_kong_time, lang=lang)
    return env


def draw(template: str, page: Page, lang: Lang) -> str:
    """The whole document."""
    languages = tuple((each.value, LABELS[each], f"?lang={each}", each is lang) for each in Lang)
    drawn = replace(page, lang=lang.value, languages=languages)
    known = {"assets": load_assets(ROOT / "static"), "lang": lang.value, "support_code": "K7M2QX", "status": 429}
    return environment(lang).get_template(template).render(page=drawn, auto=None, **known)


def photograph(browser: Browser, out: Path, wanted: str) -> list[str]:
    """Save one picture of each screen; return what axe, or a sideways scroll, found wrong."""
    faults = []
    for name, template, page in screens():
        if not re.search(wanted, name):
            continue
        for lang in Lang:
            html = draw(template, page, lang)
            for theme in THEMES:
                for width, height in WIDTHS.items():
                    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
                    tab.set_content(html)
                    where = f"{name}.{lang}.{theme}.{width}"
                    if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
                        faults.append(f"{where}: scrolls sideways")
                    if width != 768:
                        found = Axe().run(tab).response["violations"]
                        faults += [f"{where}: {v['id']}: {[n['target'] for n in v['nodes']]}" for v in found]
                    tab.screenshot(path=out / f"{where}.png", full_page=True)
                    tab.close()
    return faults


def sheets(out: Path) -> None:
    """Six pictures on a sheet: light and dark in three widths, one sheet for each screen and language."""
    names = sorted({".".join(path.name.split(".")[:2]) for path in out.glob("*.*.*.*.png")})
    for name in names:
        pictures = [Image.open(out / f"{name}.{theme}.{width}.png") for theme in THEMES for width in WIDTHS]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gallery"))
    parser.add_argument("--only", default="", help="a regular expression for the screens' names")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scan = draw("pay/show.html", at(Stage.SCAN, attempt=scanning(250)), Lang.EN).encode()
    print(f"scan page: {len(scan)} bytes, {len(gzip.compress(scan, 6))} gzipped")
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        faults = photograph(browser, options.out, options.only)
        browser.close()
    sheets(options.out)
    print("\n".join(faults) or "no faults found")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
