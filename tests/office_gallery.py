"""Draws the back office in every language, theme and width and asks axe of it: `python -m tests.office_gallery`."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route, sync_playwright

from checkout.domain.link_wishes import LinkWish
from checkout.domain.locales import Lang
from checkout.services.links import make_link
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from checkout.store.models import Merchant as MerchantRow
from tests.gallery import THEMES, WIDTHS, look_for_faults, sheets
from tests.office.cast import PASSWORD, Clerk, pays
from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.test_reviews import comes_late

LONG = "Oolong from the misty mountains, picked by hand, " * 4


def furnish(world: World) -> tuple[Clerk, dict[str, str]]:
    """A shop with a bit of everything in its books, its owner signed in, and where each page stands."""
    bo = world.merchant("Kowloon Tea House", webhooks=False)
    owner = Clerk(world, bo, "bo@tea.example")
    owner.is_invited("owner")
    owner.arrives(PASSWORD)
    empty = world.merchant("Nothing Sold Yet", webhooks=False)
    sold = bo.opens(reference="WC-20418", description="Oolong, 150 g")
    pays(world, sold)
    bo.api("POST", f"/v1/checkout-sessions/{sold['id']}/refunds", {"amount": 2800}, Idempotency_Key="part")
    pays(world, bo.opens(reference="L" * 64, description=LONG, amount=999_999_999), "alipay")
    bo.opens(reference="open-1", amount=1250)
    gone = bo.opens(reference="gone-1")
    bo.api("POST", f"/v1/checkout-sessions/{gone['id']}/cancel")
    late = bo.opens(reference="late-1")
    comes_late(world, late)
    owner.signs_in()
    colleague = Clerk(world, bo, "a-colleague-with-a-very-long-name@teahouse-in-kowloon.example")
    colleague.is_invited("viewer")
    nobody = Clerk(world, empty, "new@empty.example")
    nobody.is_invited("owner")
    known = Clerk(world, empty, owner.email)
    known.is_invited("operator")
    invitations = {"invitation": nobody.invitation, "invitation-known": known.invitation}
    return owner, places(bo, owner, sold, late) | invitations | {"invitation-of-others": nobody.invitation}


def places(bo: Merchant, owner: Clerk, sold: dict[str, Any], late: dict[str, Any]) -> dict[str, str]:
    """Name of a page to its address."""
    events = bo.api("GET", "/v1/events").json or {}
    endpoint = bo.api("POST", "/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}).json or {}
    joined = bo.world.parts
    with joined.sessions() as db:
        merchant = db.get_one(MerchantRow, bo.told.merchant_id)
        wish = LinkWish(name="Counter", currency="HKD", amount=8800)
        link = make_link(db, joined.terms, merchant, wish, actor="gallery", now=bo.world.clock())
    in_shop = {
        "payments": "payments", "payments-found": "payments?q=WC-20418", "payments-nothing": "payments?q=nowhere",
        "story": f"payments/{sold['id']}", "story-review": f"payments/{late['id']}",
        "reviews": "reviews", "review": f"reviews/{late['id']}",
        "takings": "takings", "takings-none": "takings?month=2020-01",
        "deliveries": "deliveries", "delivery": f"deliveries/{events['data'][0]['id']}",
        "links": "links", "link-new": "links/new", "link": f"links/{link.id}",
        "log": "settings", "people": "settings/people", "start": "settings/start", "shop": "settings/shop",
        "branding": "settings/branding", "branding-preview": "settings/branding/preview",
        "webhooks": "settings/webhooks", "webhook": f"settings/webhooks/{endpoint['id']}", "keys": "settings/api-keys",
        "not-found": "payments/cs_0",
    }  # fmt: skip
    mine = {"account": "/merchant/me", "second-factor": "/merchant/me/second-factor", "sign-in": "/merchant/sign-in"}
    return {name: owner.at(f"/{path}") for name, path in in_shop.items()} | mine


def serve(tab: Page, clerk: Clerk, lang: Lang) -> None:
    """The tab's requests are answered by the application in this process, as the clerk's browser."""

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        path = address.path + (f"?{address.query}" if address.query else "")
        told = clerk.asks("GET", path, headers={"Accept-Language": str(lang)}, follow_redirects=True)
        body, kind = told.data, told.headers["Content-Type"]
        policy = told.headers.get("Content-Security-Policy", "")
        route.fulfill(
            status=told.status_code, body=body, headers={"Content-Type": kind, "Content-Security-Policy": policy}
        )

    tab.route("**/*", answer)


def photograph(browser: Browser, out: Path, clerk: Clerk, where: dict[str, str], wanted: str) -> Iterator[str]:
    """Save a picture of each page; what axe, or a sideways scroll, found wrong."""
    stranger = Clerk(clerk.world, clerk.shop, "")
    for theme in THEMES:
        for width, height in WIDTHS.items():
            for lang in Lang:
                tab = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme=theme,  # type: ignore[arg-type]
                    bypass_csp=True,
                )
                for name, path in where.items():
                    if wanted in name:
                        tab.unroute_all()
                        serve(tab, stranger if name in ("sign-in", "invitation") else clerk, lang)
                        tab.goto(PUBLIC + path)
                        tab.screenshot(path=out / f"{name}.{lang}.{theme}.{width}.png", full_page=True)
                        yield from (f"{name}.{lang}.{theme}.{width}: {fault}" for fault in look_for_faults(tab, width))
                tab.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gallery-office"))
    parser.add_argument("--only", default="", help="a part of the pages' names")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = f"sqlite:///{folder}/books.db"
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        world = World(url, cast(Any, None), {})
        clerk, where = furnish(world)
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        faults = list(photograph(browser, options.out, clerk, where, options.only))
        browser.close()
        faults += [f"the books: {violation}" for violation in world.violations()]
        world.close()
    sheets(options.out)
    print("\n".join(faults) or "no faults found")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
