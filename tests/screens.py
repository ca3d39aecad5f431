"""Every screen of the shopper, as fixtures: what the gallery draws and what the tests of templates render."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from checkout.domain import qr
from checkout.domain.devices import Agent, App, Device
from checkout.domain.link_checking import check_link
from checkout.domain.stages import FINAL, Stage
from checkout.web.arriving import scripts_for, way_out
from checkout.web.links import Offer
from checkout.web.looks import look_of
from checkout.web.pages import QR_SIZES, AttemptView, Page
from checkout.web.receipts import Paid, Receipt, Returned

SHOP_SITE = "https://tea.example.hk"
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
# What a wallet's address carries looks like noise: it is not lighter on the wire than a real one.
TOKEN = base64.urlsafe_b64encode(hashlib.shake_256(b"token").digest(600)).decode()
CODE = Markup(qr.draw(f"https://pay.example.hk{ADDRESS}", hook="data-page-qr").svg)
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
    closing_as=None,
    merchant_told=None,
    elsewhere_url=f"{ADDRESS}/elsewhere",
    picture_url=f"{ADDRESS}/code.png",
    ends_in=1500,
)


def at(stage: Stage, **fields: Any) -> Page:
    """The page of the tea house at a stage."""
    status = stage.value if stage in FINAL else "open"
    back = "https://tea.example.hk/orders/20418" if stage in FINAL else None
    device, _, app = fields.get("agent", "desktop").partition(" ")
    agent = Agent(Device(device), App(app) if app else None)
    scripts = scripts_for(stage, agent, ends_soon=fields.get("ends_soon", False))
    return replace(
        PAGE,
        **{
            "stage": stage,
            "scripts": scripts,
            "status": status,
            "final": stage in FINAL,
            "return_href": back,
            **fields,
        },
    )


def scanning(length: int, **fields: Any) -> AttemptView:
    """An attempt whose code holds an address of `length` characters."""
    code = qr.draw("https://globalmapi.example/" + TOKEN[: length - 27])
    size = next((size for up_to, size in QR_SIZES if code.modules <= up_to), "l")
    return replace(ATTEMPT, qr=Markup(code.svg), qr_modules=code.modules, qr_size=size, **fields)


# What templates beside the pages of a payment ask for.
VALUES: dict[str, Any] = {"status": 429, "wallet": BOTH[0], "payment": ADDRESS, "again": ADDRESS}
LINK = "appcode=X&out_trade_no=A-1&txamt=8800&txcurrcd=HKD&sign_type=sha256&sign=" + "0" * 64
LOGO: dict[str, Any] = {
    "png": "iVBORw0KGgoAAAANSUhEUgAAAGAAAAAwAgMAAACTeJdcAAAADFBMVEXulkv///8LOkEAAACceQ8BAAAAuklEQVR42tWSsQ3CMBBF"
    "XxyQLKZwHZZgBMqUDMAQGYIBKFHIECwBdaZAlpAcChNLsS9RFBr41be/79/9k+F3UdfJlQIo4BILOaBOkG1vaYUGMILVGWCTCsqz"
    "KhG0Z0aYSoIKT3UiVGLthFWQhmOtBqf1/kO6ZsIqTGNm55AxbP66fmG1pLntadsn75qFPZy83dGKDAr/1JVxReuZnR/QhhiR4MZ+"
    "IgeApxDQCk7kQHff4Y7SSh5Q8hd4A2nUHspmlVK4AAAAAElFTkSuQmCC",
    "width": 96,
    "height": 48,
}
BRAND = {"name": "Lamma Ceramics", "banner": "#f4d35e", "accent": "#ee964b", "logo": LOGO}

PAID_AT = datetime(2025, 3, 14, 6, 32, tzinfo=UTC)
PAID = Paid("payment", "AlipayHK", 8800, "20250314180500020071234567", "SMP3kq9d0f7a5c1e2b8d4f6", PAID_AT)
SENT_BACK = Returned(8800, True, "20250314180500020079876543", "SMP8d4f63kq9d0f7a5c1e2b", PAID_AT)
RECEIPT = Receipt(ADDRESS.removeprefix("/pay/"), (PAID,), (), {})
PHONE: dict[str, Any] = {"mobile": True, "agent": "mobile"}
INSIDE = {
    "wechat": Agent(Device.MOBILE, App.WECHAT),
    "line": Agent(Device.MOBILE, App.LINE),
    "messenger": Agent(Device.MOBILE, App.MESSENGER, android=True),
    "facebook": Agent(Device.MOBILE, App.FACEBOOK),
}
LONG: dict[str, Any] = {
    "shop": "香港九龍旺角花園街傳統手工涼茶及龜苓膏專門店有限公司" + "Kowloontraditionalhandmadeherbaltea" * 4,
    "amount": 999999999,
    "description": "A very long description of what is being bought here, " * 3,
    "items": tuple((f"Item {n}: a thing with a long enough name to wrap", n, 1234500 * n) for n in range(1, 25)),
    "reference": "REFERENCE-" + "0123456789" * 5,
}
ENDING: dict[str, Any] = {"ends_in": 161, "ends_soon": True}


def screens() -> Iterator[tuple[str, str, Page]]:
    """Name, template and fixture of every screen."""
    show = "pay/show.html"
    link = "https://globalmapi.example/pay?id=1"
    code = scanning(250)
    phone = replace(code, link=link)
    paid: dict[str, Any] = {"paid_at": PAID_AT, "attempt": phone, "receipt": RECEIPT}
    yield "choose", show, at(Stage.CHOOSE)
    yield "choose-phone", show, at(Stage.CHOOSE, mobile=True, agent="mobile", sandbox=True)
    yield "choose-one", show, at(Stage.CHOOSE, wallets=BOTH[:1], items=(), description="")
    yield "choose-long", show, at(Stage.CHOOSE, **PHONE, **LONG)
    yield "waiting", show, at(Stage.WAITING, attempt=replace(ATTEMPT, asked_seconds_ago=None), wallets=())
    yield "scan", show, at(Stage.SCAN, attempt=code)
    yield "scan-small", show, at(Stage.SCAN, attempt=scanning(60))
    alipay = scanning(512, wallet="alipay", label="Alipay", link=link, link_is_page=True)
    yield "scan-large", show, at(Stage.SCAN, attempt=alipay, **LONG)
    yield "scan-framed", show, at(Stage.SCAN, attempt=replace(code, framed=True, link="about:blank"))
    yield "wallet", show, at(Stage.WALLET, **PHONE, attempt=phone)
    yield "scan-silent", show, at(Stage.SCAN, attempt=replace(code, silent=True))
    yield "unknown", show, at(Stage.UNKNOWN, attempt=replace(phone, asked_seconds_ago=130))
    yield "failed", show, at(Stage.FAILED, **PHONE, attempt=replace(ATTEMPT, failure="balance"))
    yield "paid", show, at(Stage.PAID, merchant_told=True, **paid)
    yield "paid-surplus", show, at(Stage.PAID, merchant_told=True, returned=(("surplus", 8800, True),), **paid)
    yield "paid-untold", show, at(Stage.PAID, merchant_told=False, **(paid | {"return_href": None}))
    again = paid | {"told_again_at": datetime(2025, 3, 14, 6, 37, tzinfo=UTC)}
    yield "paid-told-again", show, at(Stage.PAID, merchant_told=False, **again)
    yield "paid-told-in-vain", show, at(Stage.PAID, merchant_told=False, told_in_vain=True, **paid)
    yield "paid-long", show, at(Stage.PAID, merchant_told=True, **paid, **LONG)
    yield "review", show, at(Stage.REVIEW, review=True, attempt=phone, wallets=())
    yield "closing", show, at(Stage.CLOSING, closing_as="expired", attempt=phone, wallets=())
    yield "expired", show, at(Stage.EXPIRED)
    yield "expired-late", show, at(Stage.EXPIRED, returned=(("late", 8800, False),))
    yield "cancelled", show, at(Stage.CANCELLED)
    twice = replace(RECEIPT, payments=(PAID, replace(PAID, kind="surplus")), refunds=(SENT_BACK,))
    yield "receipt", "pay/receipt.html", at(Stage.PAID, **paid)
    yield "receipt-long", "pay/receipt.html", at(Stage.PAID, **(paid | {"receipt": twice}), **LONG)
    for more in (arrivals, inside_alipay, in_trouble, worn_and_framed, sessionless):
        yield from more()


def sessionless() -> Iterator[tuple[str, str, Page]]:
    """What is shown where nothing was found, or nothing can be done."""
    yield "not-found", "pay/not_found.html", PAGE
    yield "error", "pay/error.html", PAGE
    yield "refused", "pay/refused.html", PAGE
    yield "strange-answer", "pay/strange_answer.html", PAGE
    yield "unavailable", "pay/unavailable.html", at(Stage.CHOOSE)


def arrivals() -> Iterator[tuple[str, str, Page]]:
    """The same, for those who are short of time, on a tablet, or inside an app that opens no wallet."""
    show = "pay/show.html"
    code = scanning(250)
    phone = replace(code, link="https://globalmapi.example/pay?id=1")
    yield "scan-ending", show, at(Stage.SCAN, attempt=code, renewable=True, **ENDING)
    yield "wallet-ending", show, at(Stage.WALLET, **PHONE, attempt=phone, renewable=True, **ENDING)
    yield "choose-ending", show, at(Stage.CHOOSE, **ENDING)
    yield "scan-tablet", show, at(Stage.SCAN, agent="tablet", attempt=code)
    yield "scan-unknown", show, at(Stage.SCAN, agent="unknown", attempt=code)
    for app in ("wechat", "line", "messenger", "facebook"):
        inside: dict[str, Any] = {
            "mobile": True,
            "agent": f"mobile {app}",
            "way_out": way_out(INSIDE[app], PAGE.address),
        }
        yield f"choose-{app}", show, at(Stage.CHOOSE, **inside)
        yield f"wallet-{app}", show, at(Stage.WALLET, attempt=phone, **inside)
    yield "scanned", "pay/scanned.html", at(Stage.CHOOSE, **PHONE)
    yield "elsewhere", "pay/elsewhere.html", at(Stage.CHOOSE)
    yield "elsewhere-long", "pay/elsewhere.html", at(Stage.CHOOSE, **PHONE, **LONG)


def inside_alipay() -> Iterator[tuple[str, str, Page]]:
    """In Alipay's own app, where its sheet opens."""
    show = "pay/show.html"
    inside: dict[str, Any] = {"mobile": True, "agent": "in_wallet alipay"}
    sheet = replace(scanning(250), wallet="alipay", label="Alipay", link=None, trade="2025031422001")
    yield "choose-alipay", show, at(Stage.CHOOSE, **inside)
    yield "wallet-alipay", show, at(Stage.WALLET, **inside, attempt=sheet)
    refused = {"wallets": BOTH[::-1], "attempt": replace(ATTEMPT, wallet="alipay", label="Alipay", failure="refused")}
    yield "wallet-alipay-ending", show, at(Stage.WALLET, **inside, attempt=sheet, **ENDING)
    yield "failed-alipay", show, at(Stage.FAILED, **inside, **refused)


def in_trouble() -> Iterator[tuple[str, str, Page]]:
    """When a wallet has had errors, or does not answer."""
    show = "pay/show.html"
    trouble = (("alipay", "Alipay", ""), ("alipay_hk", "AlipayHK", "trouble"))
    yield "choose-trouble", show, at(Stage.CHOOSE, wallets=trouble)
    silent = (("alipay_hk", "AlipayHK", "silent"), ("alipay", "Alipay", "silent"))
    yield "choose-silent", show, at(Stage.CHOOSE, wallets=silent)
    down = replace(ATTEMPT, failure="unavailable")
    yield "failed-silent", show, at(Stage.FAILED, **PHONE, attempt=down, wallets=silent)


def worn_and_framed() -> Iterator[tuple[str, str, Page]]:
    """In a merchant's colours, and inside a merchant's page."""
    show = "pay/show.html"
    code = scanning(250)
    for name, stage in (("choose-branded", Stage.CHOOSE), ("scan-branded", Stage.SCAN), ("paid-branded", Stage.PAID)):
        yield name, show, at(stage, attempt=code, look=look_of(BRAND), merchant_told=True, paid_at=PAID_AT)
    long = look_of(BRAND | {"name": LONG["shop"]})
    yield "scan-branded-large", show, at(Stage.SCAN, attempt=scanning(512), look=long, **LONG)
    yield "choose-embedded", show, at(Stage.CHOOSE, **PHONE, embed=SHOP_SITE)
    yield "scan-embedded", show, at(Stage.SCAN, attempt=code, embed=SHOP_SITE)


def side_screens() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Pages that know no session: of links and posters. Name, template and what it draws."""
    tea = Offer("Kowloon Tea House", 8800, "HKD", 100, 5_000_000, "Oolong, 150 g")
    any_amount = tea._replace(amount=None, description="")
    card = {"shop": tea.shop, "amount": 8800, "currency": "HKD", "description": tea.description, "action": "/checkout"}
    yield "link", "links/show.html", {"offer": tea, "once": "", "entered": "", "wrong": None}
    yield "link-amount", "links/show.html", {"offer": any_amount, "once": "", "entered": "", "wrong": None}
    for wrong in ("empty", "no_number", "decimals", "little", "much"):
        values = {"offer": any_amount, "once": "", "entered": "8,8,", "wrong": wrong}
        yield f"link-{wrong}", "links/show.html", values
    yield "link-closed", "links/closed.html", {"why": "off", "begun": None}
    yield "link-used-up", "links/closed.html", {"why": "used", "begun": None}
    yield "link-taken", "links/closed.html", {"why": "taken", "begun": None}
    yield "link-begun", "links/closed.html", {"why": "taken", "begun": "cs_pCdkOCBgJ1f2a9sYt0vWqE"}
    yield "link-card", "links/card.html", {"card": card}
    yield "link-pasted", "links/checkstand.html", {}
    problems = check_link(b"appcode=X&txamt=8.8&sign=0", None)
    yield "link-refused", "links/refused.html", {"problems": problems.problems}
    yield "link-later", "links/later.html", {}
    yield "link-checker", "links/checker.html", {"link": "", "checked": None, "key_wrong": False}
    checked = {"link": LINK, "checked": check_link(LINK.encode(), "9A2C44F0"), "key_wrong": False}
    yield "link-checked", "links/checker.html", checked
    locked = replace(check_link(LINK.encode(), None), locked=True)
    yield "link-locked", "links/checker.html", checked | {"checked": locked}
    brands = [("alipay_hk", ("AlipayHK",)), ("alipay", ("支付寶", "支付宝", "Alipay"))]
    poster: dict[str, Any] = {"address": "https://pay.example.hk/l/7Hq2vXb9LmNc4RtZ0aYwKd", "brands": brands}
    code = Markup(qr.draw(poster["address"]).svg)
    yield "accessibility", "pay/accessibility.html", {}
    yield "poster", "links/poster.html", {"offer": tea, "qr": code, **poster}
    yield "poster-long", "links/poster.html", {"offer": any_amount._replace(shop=LONG["shop"]), "qr": code, **poster}
