"""What shoppers would see: every state of their page in a merchant's looks, drawn by their own templates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

from flask import Response, g, render_template
from markupsafe import Markup

from checkout.domain import qr
from checkout.domain.branding import WHITE, Brand, contrast, text_on, worn_accents
from checkout.domain.devices import Agent, Device
from checkout.domain.lifecycle import AttemptStatus, SessionStatus
from checkout.domain.stages import FINAL, Stage
from checkout.domain.wallets import WALLETS, pay_type_for
from checkout.store.models import Merchant
from checkout.store.pages import PageRow
from checkout.web import language
from checkout.web.assets import source_of
from checkout.web.back_office import look
from checkout.web.context import now, parts
from checkout.web.looks import look_of
from checkout.web.pages import Page, Surroundings, build_page
from checkout.web.receipts import Paid, Receipt, in_english

THEMES = ("light", "dark")
# Beside the stages: the choice with one code for all wallets, at a desk; what can be printed of a payment.
ONE_CODE, RECEIPT = "one_code", "receipt"
SESSION = "cs_example"
POLICY = (
    "default-src 'none'; style-src 'self'{hashes}; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
# Nothing may run in a preview, and a page without scripts would reload itself: browsers would complain about both.
SCRIPTS = re.compile(r"<(script|noscript)\b[^>]*>.*?</\1>", re.DOTALL)
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
DARK, SCHEME = re.compile(r"\(prefers-color-scheme: ?dark\)"), re.compile(r"color-scheme: ?light dark")

# What every example has in common.
EXAMPLE: dict[str, Any] = {
    "id": SESSION,
    "status": SessionStatus.OPEN,
    "version": 1,
    "review": None,
    "amount": 8800,
    "currency": "HKD",
    "description": "",
    "items": (),
    "reference": "A-1001",
    "support_code": "K7M2QX",
    "cancel_url": None,
    "closing_as": None,
    "wallets": (),
    "options": {},
    "embed_origins": (),
    "late_payment": "hold",
    "renewals": 0,
    "attempt_id": "at_example",
    "attempt_status": AttemptStatus.PENDING,
    "attempt_on_phone": False,
    "attempt_code_minutes": 30,
    "attempt_failure": None,
}
# What stands in the books when a page is in a state; what is not said here is as in the example.
PENDING, UNKNOWN = {"attempt_status": AttemptStatus.PENDING}, {"attempt_status": AttemptStatus.UNKNOWN}
FAILED = {"attempt_status": AttemptStatus.FAILED, "attempt_failure": "balance"}
ROWS: dict[Stage, dict[str, Any]] = {
    Stage.CHOOSE: {"attempt_id": None},
    Stage.SCAN: PENDING,
    Stage.WALLET: PENDING | {"attempt_on_phone": True},
    Stage.WAITING: {"attempt_status": AttemptStatus.CREATED},
    Stage.UNKNOWN: UNKNOWN,
    Stage.FAILED: FAILED,
    Stage.PAID: PENDING | {"status": SessionStatus.PAID},
    Stage.REVIEW: PENDING | {"review": "amount_mismatch"},
    Stage.CLOSING: PENDING | {"status": SessionStatus.CLOSING},
    Stage.EXPIRED: PENDING | {"status": SessionStatus.EXPIRED},
    Stage.CANCELLED: PENDING | {"status": SessionStatus.CANCELLED},
}
ON_PHONE = frozenset({Stage.CHOOSE, Stage.WALLET, Stage.WAITING, Stage.FAILED})


@dataclass(frozen=True)
class Screen:
    """One state: its name in templates/office/branding_words.html, and the document of each theme."""

    name: str
    documents: tuple[tuple[str, str], ...]


def sheet(merchant: Merchant, brand: Brand, *, one_code: bool, problems: list[tuple[str, str]]) -> Response:
    """Every state in both themes in one document that runs nothing and leads nowhere; for a frame of our own page.

    `problems` are fields that cannot be worn, with a word on why.
    """
    screens = list(_screens(merchant, brand, one_code=one_code))
    text = render_template(
        "office/branding_sheet.html",
        lang=language.current().value,
        sheet=look.sheet().digest,
        screens=screens,
        brand=brand,
        accents=worn_accents(brand.accent) if brand.accent else (),
        banner=_text_on(brand.banner) if brand.banner else None,
        problems=problems,
    )
    response = Response(text, 422 if problems else 200, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _policy(screens)
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    g.never_compressed = False  # no token stands in it, and the same sheet of styles stands in it many times
    return response


def _text_on(banner: str) -> tuple[bool, float]:
    """Whether the text on it is white, and its contrast."""
    text = text_on(banner)
    return text == WHITE, contrast(text, banner)


def _screens(merchant: Merchant, brand: Brand, *, one_code: bool) -> Iterator[Screen]:
    for stage in ROWS:
        yield Screen(stage.value, _documents(_page(merchant, brand, stage)))
        if stage is Stage.CHOOSE and one_code and len(merchant.choices) > 1:
            page = _page(merchant, brand, stage, device=Device.DESKTOP)
            yield Screen(ONE_CODE, _documents(replace(page, one_code=_code(parts().config.PUBLIC_URL)[0])))
        if stage is Stage.PAID:
            page = replace(_page(merchant, brand, stage), receipt=_receipt(merchant))
            yield Screen(RECEIPT, _documents(page, "pay/receipt.html"))


def _documents(page: Page, template: str = "pay/show.html") -> tuple[tuple[str, str], ...]:
    """As the shopper's browser would get it, but in one theme whatever the browser prefers."""
    drawn = SCRIPTS.sub("", render_template(template, page=page, assets=parts().assets, auto=None, bridge=None))
    return tuple((theme, in_theme(drawn, theme)) for theme in THEMES)


def _receipt(merchant: Merchant) -> Receipt:
    """Of the example: one payment, nothing sent back."""
    wallet = WALLETS[_wallets(merchant)[0]].label
    paid = Paid("payment", wallet, EXAMPLE["amount"], "20260310180000020000000001", "SPEXAMPLE", now())
    return Receipt(SESSION, payments=(paid,), refunds=(), english=in_english())


def _page(merchant: Merchant, brand: Brand, stage: Stage, device: Device | None = None) -> Page:
    """By the builder of the shopper's page, out of a row that stands in no book."""
    device = device or (Device.MOBILE if stage in ON_PHONE else Device.DESKTOP)
    public_url, stored = parts().config.PUBLIC_URL, brand.as_dict()
    around = Surroundings(
        now=now(),
        agent=Agent(device),
        lang=language.current(),
        languages=language.switch(f"/pay/{SESSION}"),
        public_url=public_url,
        query="",
        sandbox=False,
        look=look_of(stored) if stored else None,
    )
    back = public_url if stage in FINAL else None
    told = True if stage is Stage.PAID else None
    return build_page(_row(merchant, stage, device), around, return_href=back, told=told)


def _row(merchant: Merchant, stage: Stage, device: Device) -> PageRow:
    moment, address = now(), parts().config.PUBLIC_URL
    wallets = _wallets(merchant)
    moments = ("created_at", "paid_at", "attempt_created_at", "attempt_asked_at", "attempt_answered_at")
    ends = dict.fromkeys(("expires_at", "attempt_ends_at"), moment + timedelta(minutes=30))
    code, modules = _code(address)
    its = {
        "shop": merchant.name,
        "return_url": address,
        "merchant_wallets": wallets,
        "attempt_wallet": wallets[0],
        "attempt_pay_type": pay_type_for(WALLETS[wallets[0]], device).code,
        "attempt_target": address,
        "attempt_qr_svg": code,
        "attempt_qr_modules": modules,
    }
    return cast(PageRow, SimpleNamespace(**(EXAMPLE | dict.fromkeys(moments, moment) | ends | its | ROWS[stage])))


def _wallets(merchant: Merchant) -> list[str]:
    return [choice.code for choice in merchant.choices] or list(WALLETS)


@lru_cache(maxsize=8)
def _code(text: str) -> tuple[Markup, int]:
    """Whoever scans the example comes to our own front door: nothing there can be paid."""
    drawn = qr.draw(text)
    return Markup(drawn.svg), drawn.modules  # noqa: S704 - our own drawing


def in_theme(document: str, theme: str) -> str:
    """A document whose styles ask which theme is preferred, with the answer written into them."""
    answered = DARK.sub("all" if theme == "dark" else "not all", document)
    return SCHEME.sub(f"color-scheme:{theme}", answered)


def _policy(screens: list[Screen]) -> str:
    """Names every style that stands in a document of theirs by its hash, and nothing else."""
    documents = (document for screen in screens for _, document in screen.documents)
    styles = {css for document in documents for css in STYLE.findall(document)}
    return POLICY.format(hashes="".join(f" {source_of(css)}" for css in sorted(styles)))
