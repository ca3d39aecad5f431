"""How a merchant's checkout looks, who may embed it, what is said of its wallets, one code for all, and the receipt."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from sandbox import Scenario
from tests.stories.cast import PUBLIC, Merchant, Shopper, World

ALIPAY_HK = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "AlipayClientHK/6.0.9.118 Language/zh-HK"
)
ALIPAY = ALIPAY_HK.replace("AlipayClientHK/6.0.9.118", "NebulaSDK/1.8.100112 AlipayClient/10.5.96.6000")


def tells(world: World, *words: str) -> str:
    """What the operator types, and reads."""
    done = world.app.test_cli_runner().invoke(args=["merchant", *words])
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def refuses(world: World, *words: str) -> str:
    done = world.app.test_cli_runner().invoke(args=["merchant", *words])
    assert done.exit_code == 1, done.output
    return str(done.output)


def policy(shopper: Shopper) -> dict[str, str]:
    shopper.page()
    assert shopper.answer
    said = shopper.answer.headers["Content-Security-Policy"]
    return {words[0]: " ".join(words[1:]) for words in map(str.split, said.split(";"))}


# --- who may embed


def test_only_registered_sites_may_show_a_page_in_a_frame(world: World, bo: Merchant, ada: Shopper) -> None:
    assert policy(ada)["frame-ancestors"] == "'none'"
    assert ada.answer
    assert ada.answer.headers["X-Frame-Options"] == "DENY"

    tells(world, "embed-origin", "add", bo.told.merchant_id, "https://shop.example")
    tells(world, "embed-origin", "add", bo.told.merchant_id, "https://tea.example:8443")
    assert policy(ada)["frame-ancestors"] == "https://shop.example https://tea.example:8443"
    assert "X-Frame-Options" not in ada.answer.headers
    assert 'data-embed="https://shop.example https://tea.example:8443"' in ada.answer.text
    assert ada.asks("GET", f"{ada.path}?embed_origin=https://evil.example").headers["Content-Security-Policy"].count(
        "example"
    ) == 2  # fmt: skip

    cys = world.shopper(world.merchant("Cy's Coffee").opens())
    assert policy(cys)["frame-ancestors"] == "'none'"
    tells(world, "embed-origin", "remove", bo.told.merchant_id, "https://shop.example")
    tells(world, "embed-origin", "remove", bo.told.merchant_id, "https://tea.example:8443")
    assert policy(ada)["frame-ancestors"] == "'none'"
    with world.parts.sessions() as db:
        changes = db.scalars(
            select(AuditEntry.action).where(AuditEntry.subject == bo.told.merchant_id).order_by(AuditEntry.id)
        ).all()
    assert [action for action in changes if action.startswith("embed")] == ["embed_origin_added"] * 2 + [
        "embed_origin_removed"
    ] * 2


@pytest.mark.parametrize("origin", ["*", "https://*.shop.example", "https://shop.example/pay", "https://a.example;"])
def test_what_is_no_origin_is_refused_and_nothing_is_changed(world: World, bo: Merchant, origin: str) -> None:
    assert "origin" in refuses(world, "embed-origin", "add", bo.told.merchant_id, origin)
    with world.parts.sessions() as db:
        assert db.get_one(MerchantRow, bo.told.merchant_id).embed_origins == []


def test_the_storefronts_script_is_small_cached_and_knows_one_address(world: World, ada: Shopper) -> None:
    answer = ada.asks("GET", "/embed.js")
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert len(answer.data) < 4096
    assert f'"{PUBLIC}/pay/"' in answer.text
    assert '"*"' not in answer.text
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    again = ada.asks("GET", "/embed.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


# --- branding


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    out = io.BytesIO()
    Image.new("P", (96, 48), 7).save(out, "PNG")
    (tmp_path / "logo.png").write_bytes(out.getvalue())
    return tmp_path / "logo.png"


def test_a_page_wears_the_merchants_brand_within_the_policy(
    world: World, bo: Merchant, ada: Shopper, logo: Path
) -> None:
    plain = ada.page()
    tells(
        world, "brand", bo.told.merchant_id, "--name", "<b>Tea & Co", "--banner", "#FC0", "--accent", "ffe082",
        "--logo", str(logo),
    )  # fmt: skip
    sources = policy(ada)
    assert ada.answer
    page = ada.answer.text
    assert len(re.findall(r"<style>", page)) == 2
    assert sources["style-src"].count("sha256-") == 2
    assert "unsafe" not in str(sources)
    assert "--harbour:#ffcc00" in page
    assert '<meta name="theme-color" content="#ffcc00">' in page
    assert "--accent:#ffe082" not in page.partition("prefers-color-scheme:dark){:root{--harbour")[0], "not on white"
    assert "&lt;b&gt;Tea &amp; Co" in page
    assert '<img class="logo" src="data:image/png;base64,' in page
    assert 'width="80" height="40"' in page

    tells(world, "brand", bo.told.merchant_id, "--name", "", "--banner", "", "--accent", "", "--no-logo")
    assert ada.page() == plain


def test_every_mistake_in_a_brand_is_named_and_nothing_is_changed(world: World, bo: Merchant, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    said = refuses(
        world, "brand", bo.told.merchant_id, "--name", "x" * 81, "--banner", "red;}", "--accent", "#00ff00",
        "--logo", str(tmp_path / "logo.svg"),
    )  # fmt: skip
    assert all(f"--{name}" in said for name in ("name", "banner", "logo"))
    with world.parts.sessions() as db:
        assert db.get_one(MerchantRow, bo.told.merchant_id).branding == {}


# --- wallet weather


def test_a_wallet_in_trouble_says_so_and_the_other_comes_first(world: World, bo: Merchant) -> None:
    for shopper in range(3):
        fresh = world.shopper(bo.opens(reference=f"B-{shopper}"))
        assert fresh.may_pick() == ["alipay_hk", "alipay"], "two unlucky shoppers are no weather"
        assert "Has trouble" not in fresh.page()
        world.next(Scenario.HTTP_500)
        fresh.picks("alipay_hk")
        world.clock.now = world.clock.now.replace(second=world.clock.now.second + 5)

    ada = world.shopper(bo.opens())
    assert ada.may_pick() == ["alipay", "alipay_hk"]
    page = ada.page()
    assert page.index('value="alipay_hk"') < page.index("Has trouble at the moment")
    assert "Has trouble" not in world.shopper(world.merchant("Cy's Coffee").opens()).page()

    ada.picks("alipay_hk")  # whoever wants it all the same may have it
    assert ada.stage() == "scan"
    assert world.shopper(bo.opens(reference="B-9")).may_pick() == ["alipay_hk", "alipay"], "it got through"


def test_an_open_page_hears_of_the_weather(world: World, bo: Merchant, ada: Shopper) -> None:
    tag = ada.asks("GET", f"{ada.path}/status", headers={"Accept": "text/html"}).headers["ETag"]
    unchanged = {"Accept": "text/html", "If-None-Match": tag}
    assert ada.asks("GET", f"{ada.path}/status", headers=unchanged).status_code == 304
    for shopper in range(3):
        world.next(Scenario.HTTP_500)
        world.shopper(bo.opens(reference=f"B-{shopper}")).picks("alipay_hk")
    assert "Has trouble" in ada.asks("GET", f"{ada.path}/status", headers=unchanged).text


# --- one code for all wallets


def test_one_code_leads_each_wallets_app_to_its_own_wallet(world: World, bo: Merchant, ada: Shopper) -> None:
    assert "data-qr" not in ada.page()
    tells(world, "one-code", bo.told.merchant_id, "on")
    assert "data-qr" in ada.page()
    short = ada.path.replace("/pay/", "/q/")

    for agent, wallet in ((ALIPAY_HK, "alipay_hk"), (ALIPAY, "alipay")):
        phone = Shopper(world, ada.url, agent)
        landed = phone.asks("GET", short)
        assert re.findall(r'name="wallet" value="(\w+)"', landed.text) == [wallet]
        assert "data-auto" in landed.text
    assert world.attempts({"id": ada.path.rpartition("/")[2]}) == [], "looking picks nothing"
    other = ada.asks("GET", short)
    assert (other.status_code, other.headers["Location"]) == (303, ada.path)

    paying = phone.asks("POST", ada.path, data={"wallet": "alipay", "way": "open"})
    assert paying.headers["Location"] == world.attempt({"id": ada.path.rpartition("/")[2]}).target
    assert ada.stage() == "wallet"
    assert phone.asks("GET", short).status_code == 303, "once it is under way the page tells how it stands"


def test_a_code_of_nobody_is_the_same_404(ada: Shopper) -> None:
    strange = ada.asks("GET", "/q/cs_" + "x" * 22)
    assert (strange.status_code, strange.text) == (404, ada.asks("GET", "/pay/cs_" + "x" * 22).text)


# --- the receipt


def test_a_receipt_names_every_number_of_what_was_paid_and_sent_back(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.PAID_TWICE)
    ada.picks("alipay_hk")
    world.pays(session)
    world.notifies()
    world.passes(30)
    refund = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {"amount": 800}, Idempotency_Key="k")
    assert refund.status_code == 201
    world.passes(120, step=10)
    told = bo.reads(session)
    assert len(told["payments"]) == 2
    assert len(told["refunds"]) == 2

    receipt = ada.asks("GET", f"{ada.path}/receipt").text
    numbers = [one[name] for one in told["payments"] + told["refunds"] for name in ("syssn", "out_trade_no")]
    assert all(numbers)
    for shown in (*numbers, session["id"], "A-1001", "HK$96.00", "10 Mar 2026, 12:00 HKT"):
        assert shown in receipt
    assert 'lang="en"' not in receipt.partition("<main")[2]


def test_a_chinese_receipt_says_everything_in_english_too(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(3)
    receipt = ada.asks("GET", f"{ada.path}/receipt?lang=zh-HK").text
    assert '<html lang="zh-HK">' in receipt
    for english in ("Receipt", "Paid to", "Amount", "10 Mar 2026, 12:00 HKT"):
        assert f'<small lang="en">{english}</small>' in receipt
    assert "香港時間" in receipt
    assert "此頁" in receipt, "the language is Chinese again behind the labels"
