"""People of a shop: let in, given another role, sent away; and texts of strangers that stay texts."""

import re

import pytest

from tests.office.cast import Clerk, pays
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVIL = "<img src=x onerror=alert(1)>\"'{{7*7}}</script><script>alert(2)</script>"


def changes_role(owner: Clerk, of: Clerk, role: str) -> int:
    owner.opens(owner.at("/settings/people"))
    return owner.sends(owner.at(f"/settings/people/{of.row().id}/role"), role=role).status_code


def test_a_role_counts_at_once_and_a_shop_keeps_an_owner(bo: Merchant, owner: Clerk, operator: Clerk) -> None:
    operator.opens(operator.at("/settings"))
    assert operator.status == 200
    assert changes_role(owner, operator, "viewer") == 303
    operator.opens(operator.at("/settings"))
    assert operator.status == 403
    assert changes_role(owner, owner, "operator") == 409
    assert changes_role(owner, operator, "") == 303
    operator.opens(operator.at("/payments"))
    assert operator.status == 404


def test_a_person_of_two_shops_changes_between_them(world: World, bo: Merchant, owner: Clerk) -> None:
    cakes = world.merchant("Cy's Cakes", webhooks=False)
    both = Clerk(world, cakes, owner.email)
    both.is_invited("viewer")
    owner.accepts(both.invitation)
    owner.opens(owner.at("/payments"))
    assert f'href="/merchant/{cakes.told.merchant_id}/payments"' in owner.text
    owner.shop = cakes
    owner.opens(owner.at("/payments"))
    assert owner.status == 200
    owner.opens(owner.at("/settings/people"))
    assert owner.status == 403, "an owner there, a viewer here"


def test_what_strangers_wrote_is_shown_and_never_run(world: World, bo: Merchant, owner: Clerk) -> None:
    session = bo.opens(
        reference=EVIL[:60], description=EVIL, items=[{"name": EVIL, "quantity": 1, "amount": 8800}],
        metadata={"k": EVIL},
    )  # fmt: skip
    pays(world, session)
    owner.opens(owner.at(f"/payments/{session['id']}"))
    owner.sends(owner.at(f"/payments/{session['id']}/refunds"), amount="1", reason=EVIL)
    for path in ("/payments", f"/payments?q={EVIL}", f"/payments/{session['id']}", "/settings", "/reviews", "/takings"):
        owner.asks("GET", owner.at(path), headers={"User-Agent": EVIL})
        assert owner.status == 200
        assert "<img" not in owner.text
        assert "alert(2)</script>" not in owner.text
        assert "{{7*7}}" in owner.text or "&lt;img" not in owner.text
    for path in ("/merchant/me", f"/merchant/sign-in?next={EVIL}"):
        owner.opens(path)
        assert "<img" not in owner.text


def test_a_page_says_what_may_run_in_it_and_is_not_compressed(owner: Clerk) -> None:
    owner.asks("GET", owner.at("/payments"), headers={"Accept-Encoding": "gzip"})
    assert owner.page
    policy = owner.page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert owner.page.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in owner.page.headers, "its length would tell about the token in its forms"
    sheet = re.search(r'href="(/merchant/static/\w+/office.css)"', owner.text)
    assert sheet
    answer = Clerk(owner.world, owner.shop, "").asks("GET", sheet[1])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_shoppers_get_no_cookie(world: World, bo: Merchant) -> None:
    shopper = world.shopper(bo.opens())
    assert shopper.picks("alipay_hk").status_code == 303
    assert shopper.page()


def test_pages_speak_the_language_that_was_chosen(owner: Clerk) -> None:
    owner.opens(f"{owner.at('/payments')}?lang=zh-HK&q=x")
    assert '<html lang="zh-HK">' in owner.text
    assert "q=x&amp;lang=en" in owner.text
    owner.opens(owner.at("/takings"))
    assert '<html lang="zh-HK">' in owner.text, "the choice is remembered"
