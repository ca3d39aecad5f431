"""A shop's looks in its owner's hands: seen in every state before they are saved, worn by shoppers afterwards."""

import base64
import html
import io
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from checkout.domain.stages import Stage
from checkout.services.sign_ins import PROVEN_FOR
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BRANDING, PREVIEW, ORIGINS = (f"/settings/branding{path}" for path in ("", "/preview", "/origins"))
FRAME = re.compile(r'<iframe[^>]* data-screen="(\w+)\.(\w+)"[^>]* srcdoc="([^"]*)"')


def png(width: int = 96, height: int = 48, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("P", (width, height), 7).save(out, "PNG", **options)
    return out.getvalue()


def noise(side: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((side, side), 80).save(out, "PNG")
    return out.getvalue()


def sends(owner: Clerk, path: str, *, logo: bytes = b"", **typed: str) -> int:
    """The form of the looks, as it stands on the page."""
    if 'name="kept"' not in owner.text:
        owner.opens(owner.at(BRANDING))
    filled = owner.fields_of(owner.at(BRANDING))
    ticked = dict(re.findall(r'type="checkbox" name="(\w+)" value="(yes)" checked', owner.text))
    fields = {name: filled[name] for name in filled if filled[name] != "yes"} | ticked
    fields |= {"csrf_token": owner.token()} | typed
    fields = {name: value for name, value in fields.items() if value or name not in ticked}
    file = {"logo": (io.BytesIO(logo), "logo.png")} if logo else {}
    return owner.asks("POST", owner.at(path), data=fields | file, content_type="multipart/form-data").status_code


def stored(world: World, bo: Merchant) -> MerchantRow:
    with world.parts.sessions() as db:
        return db.get_one(MerchantRow, bo.told.merchant_id)


def documents(owner: Clerk) -> dict[tuple[str, str], str]:
    """Every state on the sheet: its name and theme, and the page as a shopper's browser would get it."""
    return {(name, theme): html.unescape(text) for name, theme, text in FRAME.findall(owner.text)}


def log_of(world: World, bo: Merchant) -> list[tuple[str, Any]]:
    with world.parts.sessions() as db:
        rows = db.execute(
            select(AuditEntry.action, AuditEntry.details)
            .where(AuditEntry.subject == bo.told.merchant_id, AuditEntry.actor.startswith("person/"))
            .order_by(AuditEntry.id)
        )
        return [(action, details["changed"]) for action, details in rows]


def check_every_state_wears_it(seen: dict[tuple[str, str], str]) -> None:
    assert {name for name, _ in seen} == {*Stage, "one_code", "receipt"}
    assert {theme for _, theme in seen} == {"light", "dark"}
    assert "SPEXAMPLE" in seen["receipt", "light"]
    for page in seen.values():
        assert "--harbour:#ffcc00" in page
        assert "Tea &amp; &lt;b&gt;Co" in page
        assert '<img class="logo" src="data:image/png;base64,' in page


def test_what_is_typed_is_seen_in_every_state_before_it_is_saved_and_worn_afterwards(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    ada = world.shopper(bo.opens())
    plain = ada.page()
    looks = {"name": "Tea & <b>Co", "banner": "#FC0", "accent": "ffe082"}
    assert sends(owner, PREVIEW, logo=png(), one_code="yes", **looks) == 200
    check_every_state_wears_it(documents(owner))
    assert ada.page() == plain
    assert stored(world, bo).branding == {}
    assert log_of(world, bo) == []

    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING, logo=png(), one_code="yes", **looks) == 303
    worn = ada.page()
    assert "--harbour:#ffcc00" in worn
    assert "Tea &amp; &lt;b&gt;Co" in worn
    assert "data-qr" in worn, "one code for both wallets"
    assert log_of(world, bo) == [
        ("branding_changed", ["accent", "banner", "logo", "name"]),
        ("both_wallets_code", ["on"]),
    ]
    owner.opens(owner.at("/settings"))
    assert "Changed the branding" in owner.sees()

    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING, name="", banner="", accent="", no_logo="yes") == 303
    assert "data-qr" in ada.page(), "what was ticked stays ticked"
    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING, one_code="") == 303
    assert ada.page() == plain
    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING) == 303
    assert len(log_of(world, bo)) == 4, "saving what is there already is no change"


def test_a_preview_runs_nothing_leads_nowhere_and_is_in_one_theme(owner: Clerk) -> None:
    owner.opens(owner.at(PREVIEW))
    assert owner.page
    assert owner.page.headers["X-Frame-Options"] == "SAMEORIGIN"
    policy = owner.page.headers["Content-Security-Policy"]
    assert "sandbox allow-same-origin" in policy
    assert "default-src 'none'" in policy
    assert not {"script-src", "unsafe-inline", "connect-src"} & set(re.findall(r"[\w-]+", policy))
    sends(owner, PREVIEW, banner="#fc0", accent="#ffe082")
    policy = owner.page.headers["Content-Security-Policy"]
    for (_, theme), page in documents(owner).items():
        assert not re.search(r"<script|<noscript|http-equiv|\son\w+=", page)
        assert "prefers-color-scheme" not in page
        assert f"color-scheme:{theme}" in page
        for style in re.findall(r"<style>(.*?)</style>", page):
            assert base64.b64encode(sha256(style.encode()).digest()).decode() in policy
    dark, light = (documents(owner)["paid", theme] for theme in ("dark", "light"))
    assert "@media all{:root{--harbour:#ffcc00" in dark
    assert "@media not all{:root{--harbour:#ffcc00" in light
    assert 'name="csrf_token"' not in owner.text, "it is compressed"


def test_the_preview_says_which_colours_were_corrected_and_to_what(owner: Clerk) -> None:
    assert sends(owner, PREVIEW, banner="#f4d35e", accent="#ffe082") == 200
    told = owner.sees()
    assert re.search(r"light: #ffe082 → #[0-9a-f]{6} corrected: 1\.\d:1 was too little .* now 4\.\d:1", told)
    assert "dark: #ffe082 as you chose it" in told
    assert "#f4d35e with black text" in told
    owner.opens(owner.at(BRANDING))
    sends(owner, PREVIEW)
    assert "wears ours" in owner.sees()


@pytest.mark.parametrize(
    ("logo", "words"),
    [(b"<svg onload='alert(1)'/>", "must be a PNG"), (noise(100), "too many bytes"), (noise(600), "too many bytes"),
     (png(600, 20), "too large"), (png()[:-20], "damaged")],
)  # fmt: skip
def test_a_bad_logo_is_told_and_nothing_typed_is_lost(
    world: World, bo: Merchant, owner: Clerk, logo: bytes, words: str
) -> None:
    typed = {"name": "Lamma <Tea>", "banner": "#123456", "accent": "#abc", "one_code": "yes"}
    assert sends(owner, PREVIEW, logo=logo, **typed) == 422
    assert words in owner.sees()
    assert "--harbour:#123456" in documents(owner)["paid", "light"], "what can be worn is shown"
    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING, logo=logo, **typed) == 422
    assert words in owner.sees()
    for value in ("Lamma &lt;Tea&gt;", "#123456", "#abc", 'name="one_code" value="yes" checked'):
        assert value in owner.text
    assert stored(world, bo).branding == {}


def test_a_good_logo_waits_until_the_colour_is_mended(world: World, bo: Merchant, owner: Clerk) -> None:
    assert sends(owner, BRANDING, logo=png(), name="x" * 81, banner="red;}") == 422
    for words in ("at most 80 characters", "six digits", "Chosen, not saved yet"):
        assert words in owner.sees()
    assert "red;}" in owner.text
    assert sends(owner, BRANDING, name="Lamma", banner="#0a5") == 303
    assert sorted(stored(world, bo).branding) == ["banner", "logo", "name"]
    owner.opens(owner.at(BRANDING))
    assert sends(owner, BRANDING, kept="not base64!") == 422
    assert "must be a PNG" in owner.sees()


def test_what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen(
    world: World, bo: Merchant, owner: Clerk, hired: Any
) -> None:
    other = hired(bo, "owner", "other@bo.example")
    other.signs_in()
    owner.opens(owner.at(BRANDING))
    assert sends(other, BRANDING, accent="#111111") == 303
    assert sends(owner, BRANDING, banner="#222222", logo=png()) == 409
    assert "Somebody else has changed this" in owner.sees()
    assert stored(world, bo).branding == {"accent": "#111111"}
    assert sends(owner, BRANDING) == 303, "now they know"
    assert sorted(stored(world, bo).branding) == ["banner", "logo"]


def test_sites_that_embed_are_a_door_and_ask_who_is_there(world: World, bo: Merchant, owner: Clerk) -> None:
    ada = world.shopper(bo.opens())

    def saves(origins: str, **fields: str) -> int:
        owner.opens(owner.at(BRANDING))
        return owner.sends(owner.at(ORIGINS), origins=origins, **fields).status_code

    def ancestors() -> str:
        ada.page()
        assert ada.answer
        return ada.answer.headers["Content-Security-Policy"].partition("frame-ancestors ")[2]

    assert saves("https://shop.example\nhttps://tea.example:8443 https://shop.example") == 303
    assert ancestors() == "https://shop.example https://tea.example:8443"
    for bad in ("*", "https://*.example", "https://shop.example/pay", "\n".join(f"https://s{n}.hk" for n in range(21))):
        assert saves(bad) == 422
        assert bad in html.unescape(owner.text)
    world.clock.now += PROVEN_FOR
    assert saves("https://evil.example") == 403
    assert saves("https://evil.example", proof="a wrong guess") == 403
    assert ancestors() == "https://shop.example https://tea.example:8443"
    assert saves("https://shop.example", proof=PASSWORD) == 303
    assert log_of(world, bo) == [
        ("embed_origin_added", ["https://shop.example"]),
        ("embed_origin_added", ["https://tea.example:8443"]),
        ("embed_origin_removed", ["https://tea.example:8443"]),
    ]
    owner.opens(owner.at(BRANDING))
    stale = owner.fields_of(owner.at(ORIGINS))["as_of"]
    assert saves("") == 303
    assert saves("https://shop.example", as_of=stale) == 409
    assert ancestors() == "'none'"


def test_colours_ask_for_no_proof_since_they_open_no_door(world: World, owner: Clerk) -> None:
    world.clock.now += PROVEN_FOR + timedelta(minutes=1)
    assert sends(owner, BRANDING, accent="#111111") == 303


def test_only_who_may_change_the_looks_may_send_a_large_form(world: World, bo: Merchant, owner: Clerk) -> None:
    large = noise(300)
    assert len(large) > 50_000
    assert sends(owner, BRANDING, logo=large) == 422
    stranger = Clerk(world, bo, "nobody@bo.example")
    stranger.opens("/merchant/sign-in")
    for path in (owner.at(BRANDING), "/merchant/sign-in"):
        body = {"csrf_token": stranger.token(), "logo": (io.BytesIO(large), "logo.png")}
        assert stranger.asks("POST", path, data=body, content_type="multipart/form-data").status_code == 413
    assert owner.asks("POST", owner.at(BRANDING), data=bytes(5_000_000), content_type="image/png").status_code == 413
