"""Signed links: what a shop links to QFPay's checkout with opens a session here, once, and nothing else does."""

import html
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client, TestResponse

from checkout.services import signed_links
from checkout.store.models import CheckoutSession
from tests.stories.cast import PUBLIC, Merchant, Shopper, World
from tests.stories.storefront import encode, link, order, sign
from tests.stories.test_corners import locked_up

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "qfpay.json").read_text("utf-8"))["hosted_checkout"]
APP, KEY = "APP1", "key-of-APP1"
TAKEN = [
    link(order(APP, lang="zh-cn"), KEY),  # signed, as in QFPay's samples
    link(order(APP, udid=""), KEY) + "&udid=",  # left out of the signature because it is empty
    encode({**order(APP), "udid": "", "sign": sign({**order(APP), "udid": ""}, KEY)}),  # or signed as it stands
    link(order(APP), KEY).replace("%20", "+"),  # a blank as PHP writes it
    link(order(APP, goods_name="A+B"), KEY).replace("%2B", "+"),  # a plus sign as it may stand behind #
    link(order(APP, txdtm=""), KEY),  # QFPay's Magento plug-in
    link(order(APP, pay_tag="ALIPAYHK", txzone="+0800", colour="red"), KEY),
    link(order(APP, checkout_expired_time="1773117000000"), KEY),
    re.sub(r"sign=(\w+)", lambda found: f"sign={found[1].upper()}", link(order(APP), KEY)),
]
MISTAKES: list[tuple[dict[str, str], str]] = [
    ({"txamt": ""}, "txamt is missing"),
    ({"txamt": "88.00"}, "txamt must be the amount in cents"),
    ({"txamt": "８８００"}, "txamt must be the amount in cents"),
    ({"txamt": "-1"}, "txamt must be the amount in cents"),
    ({"txamt": "0"}, "txamt must be the amount in cents"),
    ({"txcurrcd": "XXX"}, "txcurrcd must be one of AED, AUD"),
    ({"notify_url": ""}, "notify_url is missing"),
    ({"paysource": ""}, "paysource is missing"),
    ({"out_trade_no": "x" * 129}, "out_trade_no is longer than 128"),
    ({"return_url": "https://shop.example/" + "x" * 256}, "return_url is longer than 256"),
    ({"goods_name": "a\nb"}, "goods_name holds control characters"),
    ({"goods_name": "Tea&txamt=1"}, "goods_name holds “&” and the name of another parameter"),
    ({"note": "Tea&txamt=1"}, "note holds “&” and the name of another parameter"),
    ({"return_url": "https://shop.example/?a=1&txamt=1"}, "return_url holds “&” and the name of another parameter"),
    ({"a&txamt": "1"}, "a&txamt is no name of a parameter"),
    ({"expired_time": "4"}, "expired_time must be 5 to 120"),
    ({"checkout_expired_time": "17731170000"}, "checkout_expired_time must be minutes"),
    ({"limit_pay": "all"}, "limit_pay must be no_credit"),
]
ODD = [
    ("", "txamt is missing"),
    ("&&&", "sign is missing"),
    ("=", "appcode is missing"),
    (link(order(APP), KEY) + "&txamt=8800", "txamt is there twice"),
    (link(order(APP), KEY) + "&goods_name=%ff", "bytes that are not UTF-8"),
    ("goods_name=" + "x" * 8192, "more than 8000 bytes"),
    ("&".join(f"p{n}=1" for n in range(200)), "more than 60 parameters"),
    (link(order(APP), KEY).replace("sign=", "sign=00"), "sign must be 64 hexadecimal digits"),
    (link(order(APP), KEY).replace("sign_type=sha256", "sign_type=sha1"), "sign_type must be sha256 or md5"),
    (link(order(APP), KEY).replace("sign=", "sign=&x="), "sign is empty"),
]
PREVIEW = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"


def get(world: World, query: str, path: str = "/checkout", **headers: str) -> TestResponse:
    return Client(world.app, use_cookies=False).get(f"{path}?{query}", base_url=PUBLIC, headers=headers)


def opened(world: World, query: str, path: str = "/checkout") -> str:
    """The session that this link leads to."""
    answer = get(world, query, path)
    assert answer.status_code == 303, answer.text
    return urlsplit(answer.headers["Location"]).path.removeprefix("/pay/")


def refused(world: World, query: str, status: int) -> str:
    """The page's text, which tells the shopper the same whatever is wrong."""
    answer = get(world, query)
    assert answer.status_code == status, answer.text
    assert "Nothing was charged." in answer.text
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


def sessions(world: World) -> int:
    with world.parts.sessions() as db:
        return int(db.scalar(select(func.count()).select_from(CheckoutSession)) or 0)


def read(bo: Merchant, session_id: str) -> dict[str, Any]:
    return bo.reads({"id": session_id})


@pytest.mark.parametrize("sign_type", ["sha256", "md5"])
def test_ada_pays_by_a_link_and_the_shop_hears_its_own_number(world: World, bo: Merchant, sign_type: str) -> None:
    session_id = opened(world, link(order(APP, sign_type=sign_type), KEY, lang="zh-hk"))
    session = read(bo, session_id)
    assert (session["amount"], session["currency"], session["reference"]) == (8800, "HKD", "ORD20260301000007")
    assert (session["description"], session["locale"]) == ("測試商品", "zh-HK")
    assert session["return_url"] == "https://shop.example/ok?o=7&t=a"
    assert session["cancel_url"] == "https://shop.example/fail"

    ada = world.shopper(session)
    assert ada.picks("alipay_hk").status_code == 303
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "paid"
    assert world.attempt(session).out_trade_no != "ORD20260301000007"
    assert ada.way_back().startswith("https://shop.example/ok?o=7&t=a&session_id=")
    assert [event["data"]["reference"] for event in bo.heard()] == ["ORD20260301000007"]

    assert opened(world, link(order(APP, sign_type=sign_type), KEY)) == session_id  # paid, and never again
    assert ada.picks("alipay_hk").status_code == 303
    assert len(world.attempts(session)) == 1


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
@pytest.mark.parametrize("mchid", [None, "TESTMCH01"])
def test_a_link_to_qfpay_works_when_only_its_host_changes(world: World, vector: Any, mchid: str | None) -> None:
    app_code = vector["params"]["appcode"]
    bo = world.merchant("Bo's Tea", app_code=app_code, client_key=vector["client_key"], mchid=mchid)
    query = vector["url"].partition("#/?")[2]
    assert read(bo, opened(world, query))["reference"] == vector["params"]["out_trade_no"]


def test_what_qfpay_would_take_is_taken(world: World, bo: Merchant) -> None:
    for query in TAKEN:
        assert read(bo, opened(world, query))["status"] == "open"
    assert sessions(world) == 1  # the number is the same in all of them


def test_a_link_keeps_its_time(world: World, bo: Merchant) -> None:
    for number, said, minutes in (
        ("1", {}, 30),
        ("2", {"checkout_expired_time": "90"}, 90),
        ("3", {"expired_time": "10"}, 10),
        ("4", {"expired_time": "10", "checkout_expired_time": "20"}, 20),
        ("5", {"checkout_expired_time": str(int(world.clock.now.timestamp() + 7 * 60) * 1000)}, 7),
    ):
        session_id = opened(world, link(order(APP, out_trade_no=number, **said), KEY))
        row = world.row({"id": session_id})
        assert (row.expires_at - row.created_at).total_seconds() == minutes * 60
    late = link(order(APP, out_trade_no="6", checkout_expired_time="1700000000000"), KEY)
    assert "checkout_expired_time has passed" in refused(world, late, 410)


def test_the_guides_snippet_makes_links_that_work(world: World, bo: Merchant) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "integrate.md").read_text("utf-8")
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "def payment_link" in code]
    said = f"{code}\nprint(payment_link('', {KEY!r}, {order(APP)!r}))"
    made = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.strip()
    assert read(bo, opened(world, made.partition("?")[2]))["description"] == "測試商品"


def test_a_link_of_an_ended_session_leads_to_its_end(world: World, bo: Merchant) -> None:
    session_id = opened(world, link(order(APP), KEY))
    world.passes(31 * 60, step=60)
    assert opened(world, link(order(APP), KEY, lang="en")) == session_id
    assert world.shopper({"url": f"{PUBLIC}/pay/{session_id}"}).stage() == "expired"
    assert sessions(world) == 1


def test_two_who_open_a_link_at_once_share_one_session(world: World, bo: Merchant) -> None:
    together = Barrier(6)

    def opens(_: int) -> str:
        together.wait()
        return opened(world, link(order(APP), KEY))

    with ThreadPoolExecutor(6) as crowd:
        assert len(set(crowd.map(opens, range(6)))) == 1
    assert sessions(world) == 1


def test_a_known_number_stands_for_one_amount(world: World, bo: Merchant) -> None:
    opened(world, link(order(APP), KEY))
    for changes in ({"txamt": "8801"}, {"txcurrcd": "USD"}):
        assert "out_trade_no was used before" in refused(world, link(order(APP, **changes), KEY), 409)
    assert sessions(world) == 1


def test_any_changed_byte_is_refused(world: World, bo: Merchant) -> None:
    """The first, the middle and the last character of every value; the links of the domain try every byte."""
    asked = order(APP, mchntid="", udid="till-1", expired_time="30")
    told = asked | {"sign": sign(asked, KEY)}
    found = {}
    for name, value in told.items():
        for at in {0, len(value) // 2, len(value) - 1}:
            other = chr(ord(value[at]) ^ 1)
            changed = told | {name: value[:at] + other + value[at + 1 :]}
            found[name, at] = get(world, encode(changed)).status_code
    assert set(found.values()) <= {400, 403}
    assert list(found.values()).count(403) > 20
    for query in (link(asked, KEY) + "&colour=red", link(asked, KEY, txamt="1"), link(asked, "key-of-APP2")):
        assert get(world, query).status_code in (400, 403)
    for name in told:
        assert get(world, encode({n: v for n, v in told.items() if n != name})).status_code in (400, 403)
    assert sessions(world) == 0
    assert opened(world, encode(told))


def test_what_adas_words_say_cannot_become_the_amount(world: World, bo: Merchant) -> None:
    """The shop signs what Ada wrote on the cake; she cuts the signed text elsewhere, and swallows the rest with `z`."""
    words = (
        "&notify_url=https://a.b/&out_trade_no=ORD20260301000007&paysource=a_checkout"
        "&return_url=https://shop.example/&sign_type=sha256&txamt=1&txcurrcd=HKD&z="
    )
    shops = order(APP, goods_name=f"Cake: x{words}", txdtm="")
    made = sign(shops, KEY)
    text = "&".join(f"{name}={shops[name]}" for name in sorted(shops))
    before, _, swallowed = text.partition("&z=")
    adas = dict(pair.split("=", 1) for pair in before.split("&")) | {"z": swallowed}
    assert (adas["txamt"], sign(adas, KEY)) == ("1", made)
    assert "z holds “&” and the name of another parameter" in refused(world, encode(adas | {"sign": made}), 400)
    refused(world, encode(shops | {"sign": made}), 400)
    assert sessions(world) == 0


def test_bo_and_cy_may_share_an_app_code_and_mchntid_says_who_is_paid(world: World) -> None:
    agent: dict[str, Any] = {"app_code": "AGENT", "client_key": "agents-key"}
    bo = world.merchant("Bo's Tea", mchid="MBO", **agent)
    cy = world.merchant("Cy's Coffee", mchid="MCY", **agent)
    other = world.merchant("Di's Dumplings", app_code="AGENT", client_key="a key of her own")
    assert read(cy, opened(world, link(order("AGENT", mchntid="MCY"), "agents-key")))["id"]
    assert read(bo, opened(world, link(order("AGENT", mchntid="MBO"), "agents-key")))["id"]
    assert read(other, opened(world, link(order("AGENT"), "a key of her own")))["id"]
    for mchntid in ("", "MDI"):
        said = refused(world, link(order("AGENT", mchntid=mchntid), "agents-key"), 403)
        assert "mchntid does not say which" in said


def test_a_stranger_cannot_tell_an_app_code_from_a_wrong_key(world: World, bo: Merchant) -> None:
    answers = {refused(world, link(order(app_code, out_trade_no="1"), "a guess"), 403) for app_code in (APP, "NOBODY")}
    assert len(answers) == 1


def test_a_key_that_cannot_be_opened_lets_nobody_in(world: World, bo: Merchant) -> None:
    """Neither who knows what stands in for a key, nor Ada: hers may be genuine, so it is not called wrong."""
    mend = locked_up(world, bo)
    for query in (link(order(APP, txamt="1"), signed_links.NOBODYS_KEY), link(order(APP), KEY)):
        answer = get(world, query)
        assert answer.status_code == 503
        assert "This payment link cannot be checked now" in answer.text
        assert "signature" not in answer.text
    assert sessions(world) == 0
    refused(world, link(order("NOBODY"), signed_links.NOBODYS_KEY), 403)

    world.merchant("Bo's Tea, by its neighbour's account", app_code=APP, client_key="another key")
    assert opened(world, link(order(APP, out_trade_no="1"), "another key"))
    mend()
    assert opened(world, link(order(APP), KEY))
    assert sessions(world) == 2


def test_a_lost_key_sends_nobodys_money_to_a_neighbour(world: World) -> None:
    agent: dict[str, Any] = {"app_code": "AGENT", "client_key": "agents-key"}
    bo = world.merchant("Bo's Tea", mchid="MBO", **agent)
    mend = locked_up(world, bo)
    cy = world.merchant("Cy's Coffee", **agent)
    query = link(order("AGENT", mchntid="MBO"), "agents-key")
    assert get(world, query).status_code == 503
    assert read(cy, opened(world, link(order("AGENT", out_trade_no="1"), "agents-key")))["id"]
    mend()
    assert read(bo, opened(world, query))["id"]


def test_a_link_leads_back_to_the_shops_own_origins_only(world: World) -> None:
    world.merchant("Bo's Tea", return_origins=["https://shop.example"])
    assert "return_url" in refused(world, link(order(APP, return_url="https://evil.example/ok"), KEY), 400)
    away = link(order(APP, failed_url="https://evil.example/f"), KEY)  # dropped: the shopper has another way back
    assert world.row({"id": opened(world, away)}).cancel_url is None


def test_a_preview_or_a_prefetch_starts_no_clock(world: World, bo: Merchant) -> None:
    query = link(order(APP), KEY)
    for headers in ({"User-Agent": PREVIEW}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        answer = get(world, query, **headers)
        assert answer.status_code == 200
        assert "HK$88.00" in answer.text
    assert Client(world.app).head(f"/checkout?{query}", base_url=PUBLIC).status_code == 200
    assert sessions(world) == 0

    action = html.unescape(re.findall(r'<form method="post" action="([^"]+)"', answer.text)[0])
    pressed = Client(world.app).post(action, base_url=PUBLIC, headers={"User-Agent": PREVIEW})
    assert pressed.status_code == 303
    assert sessions(world) == 1
    assert get(world, query, **{"User-Agent": PREVIEW}).status_code == 303  # it is open already


def test_the_language_of_a_link_is_kept(world: World, bo: Merchant) -> None:
    query = link(order(APP), KEY)
    assert get(world, query + "&lang=zh-cn").headers["Location"].endswith("?lang=zh-CN")
    assert "?" not in get(world, query + "&lang=tlh").headers["Location"]
    bad = get(world, query.replace("txamt=8800", "txamt=88") + "&lang=zh-hk")
    assert '<html lang="zh-HK">' in bad.text


def test_a_signed_mistake_is_named(world: World, bo: Merchant) -> None:
    for change, said in MISTAKES:
        assert said in refused(world, link(order(APP, **change), KEY), 400)
    assert sessions(world) == 0


def test_an_odd_link_gets_a_page(world: World, bo: Merchant) -> None:
    for query, said in ODD:
        assert said in refused(world, query, 400)
    assert sessions(world) == 0


def test_a_nul_gets_a_page(world: World, bo: Merchant) -> None:
    answer = get(world, link(order(APP), KEY) + "&goods%00=1")
    assert (answer.status_code, "<h1" in answer.text) == (400, True)


XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}",
    "</title><svg onload=1>",
]


def test_words_of_strangers_are_text(world: World, bo: Merchant) -> None:
    for number, (text, name) in enumerate(product(XSS, ("goods_name", "out_trade_no"))):
        asked = order(APP) | {"out_trade_no": str(number)} | {name: text}
        query = link(asked, KEY)
        pages = [get(world, query, **{"User-Agent": PREVIEW}).text, get(world, query + "x").text]
        session_id = opened(world, query)
        pages.append(Shopper(world, f"{PUBLIC}/pay/{session_id}").page())
        pages.append(get(world, urlencode({text: text} | dict(parse_qsl(query)))).text)
        for page in pages:
            assert not [bad for bad in ("<script>alert", "<img", "onload=1>", "'-alert(1)-'") if bad in page]
    sheet = Client(world.app).post(
        "/checkout/check", base_url=PUBLIC, data={"link": f"https://x/?{query}&{text}=1", "api_key": text}
    )
    assert sheet.status_code == 200
    assert "<script>alert" not in sheet.text
    assert "<img" not in sheet.text
