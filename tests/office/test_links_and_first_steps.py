"""A link made by a clerk and paid by it; the first steps of a shop; texts of strangers that stay texts."""

import html
import re

import pytest

from tests.office.cast import Clerk
from tests.stories.cast import Merchant, World
from tests.stories.storefront import link, order

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVIL = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"
LINK = re.compile(r"/merchant/\w+/links/ln_\w+")


def makes(clerk: Clerk, **said: object) -> int:
    clerk.opens(clerk.at("/links/new"))
    plain = {"name": "Counter", "kind": "fixed", "currency": "HKD", "amount": "88.00", "wallets": []}
    wished = plain | {"max_paid": "", "return_url": "", "last_day": ""} | said
    return clerk.sends(clerk.at("/links"), **wished).status_code


def pays_by_link(world: World, clerk: Clerk, **entered: str) -> None:
    address = re.search(r"<code[^>]*data-copy>https://[^/]+(/l/\w+)<", clerk.text)
    assert address
    page = clerk.opens(address[1])
    once = re.search(r'name="once" value="(\w+)"', page)
    assert once
    opened = clerk.asks("POST", address[1], data={"once": once[1], **entered})
    session = {"id": str(opened.location).rpartition("/")[2].partition("?")[0], "url": str(opened.location)}
    picked = world.shopper(session).picks("alipay_hk")
    assert picked.status_code == 303, (session, picked.text)
    world.pays(session)
    world.passes(5)


def test_a_number_of_thousands_of_digits_makes_no_link(operator: Clerk) -> None:
    assert makes(operator, max_paid="9" * 1_000) == 422
    assert "LINK-" not in operator.opens(operator.at("/links"))


def test_a_last_day_that_no_book_can_hold_makes_no_link(operator: Clerk) -> None:
    assert makes(operator, last_day="9999-12-31") == 422
    assert "Choose the last day in the calendar." in operator.sees()


def test_a_currency_that_the_shop_no_longer_takes_makes_no_link_in_another(operator: Clerk) -> None:
    assert makes(operator, currency="ZWL") == 422
    assert "takes this currency" in operator.sees()
    assert "LINK-" not in operator.opens(operator.at("/links"))


def test_a_clerk_makes_a_link_somebody_pays_by_it_and_it_is_switched_off(world: World, operator: Clerk) -> None:
    assert makes(operator, description="Tea", max_paid="3", last_day="2026-12-31") == 303
    where = str(operator.page and operator.page.location)
    operator.opens(where)
    assert "<svg" in operator.text
    assert "/poster" in operator.text
    pays_by_link(world, operator)
    operator.opens(operator.at("/links"))
    assert "HK$88.00 · 1 payment" in operator.sees()
    operator.opens(where)
    assert "LINK-1" in operator.sees()
    address = re.search(r"data-copy>https://[^/]+(/l/\w+)<", operator.text)
    assert address
    assert operator.sends(f"{where}/off").status_code == 303
    operator.opens(address[1])
    assert operator.status == 410
    operator.opens(where)
    assert operator.sends(f"{where}/on").status_code == 303
    operator.opens(address[1])
    assert operator.status == 200
    operator.opens(operator.at("/settings"))
    for word in ("Made a link", "Switched a link off", "Switched a link on"):
        assert word in operator.sees()


def test_the_shopper_enters_the_amount_within_the_limits(world: World, operator: Clerk) -> None:
    assert makes(operator, kind="entered", amount="", least="10", most="1,000.00") == 303
    operator.opens(str(operator.page and operator.page.location))
    assert "HK$10.00 – HK$1,000.00" in operator.sees()
    pays_by_link(world, operator, amount="25.50")
    operator.opens(operator.at("/links"))
    assert "HK$25.50 · 1 payment" in operator.sees()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"amount": "eighty"}, "Write the amount with digits"),
        ({"amount": ""}, "Write the amount with digits"),
        ({"kind": "entered", "least": "9", "most": "8"}, "The least amount is more than the greatest"),
        ({"last_day": "2020-01-01"}, "The last day has passed"),
        ({"name": ""}, "Give the link a name"),
        ({"prefix": "with blank"}, "without blanks"),
        ({"return_url": "javascript:alert(1)"}, "Shoppers cannot be sent there"),
    ],
)
def test_what_cannot_be_a_link_is_said_in_words_and_what_was_typed_stays(
    operator: Clerk, said: dict[str, str], words: str
) -> None:
    assert makes(operator, **({"description": "Kept"} | said)) == 422
    assert words in html.unescape(operator.sees())
    assert 'value="Kept"' in operator.text


def test_credentials_are_stored_only_when_qfpay_accepts_them(world: World, bo: Merchant, owner: Clerk) -> None:
    start = owner.at("/settings/start")
    owner.opens(start)
    assert owner.sends(f"{start}/check").status_code == 303
    assert "QFPay accepts them" in html.unescape(owner.opens(start))
    assert owner.sends(f"{start}/check").status_code == 429, "one at a time"
    world.clock.now = world.clock.now.replace(minute=1)
    said = {"app_code": "APP1", "client_key": "not the key", "base_url": "https://sandbox.alipay.com"}
    assert owner.sends(f"{start}/credentials", sign_type="sha256", **said).status_code == 422
    assert "QFPay refuses them: 1" in html.unescape(owner.sees()), "with its code and what it means"
    assert "not the key" not in owner.text
    world.clock.now = world.clock.now.replace(minute=2)
    right = said | {"client_key": "key-of-APP1"}
    assert owner.sends(f"{start}/credentials", sign_type="md5", **right).status_code == 303
    assert "key-of-APP1" not in owner.opens(start)
    world.clock.now = world.clock.now.replace(minute=3)
    away = right | {"base_url": "https://169.254.169.254"}
    assert owner.sends(f"{start}/credentials", sign_type="md5", **away).status_code == 422, "we call no stranger"
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.clock.now = world.clock.now.replace(minute=4)
    other = right | {"app_code": "OTHER"}
    owner.opens(start)
    assert owner.sends(f"{start}/credentials", sign_type="md5", **other).status_code == 409
    assert "under way" in owner.sees()


def test_the_first_steps_show_by_themselves_what_is_done(owner: Clerk) -> None:
    page = owner.opens(owner.at("/settings/start"))
    assert "mailto:technical.support@qfpay.com?subject=" in page
    assert f"/notify/{owner.shop.told.merchant_id}" in page
    missing = page.count('<li class="">')
    makes(owner)
    assert owner.opens(owner.at("/settings/start")).count('<li class="">') == missing - 1
    changed = owner.sends(
        owner.at("/settings/shop"), name="Bo's", origins="https://shop.example", **{"place-alipay": "1"}
    )
    assert changed.status_code == 303
    assert owner.opens(owner.at("/settings/start")).count('<li class="">') == missing - 2


def test_a_shop_changes_its_name_its_wallets_and_its_origins(world: World, bo: Merchant, owner: Clerk) -> None:
    shop = owner.at("/settings/shop")
    owner.opens(shop)
    said = {"name": "Bo & Sons", "origins": "https://shop.example\nhttps://bo.example"}
    assert owner.sends(shop, **said, **{"place-alipay": "1", "place-alipay_hk": "2"}).status_code == 303
    assert world.shopper(bo.opens()).may_pick() == ["alipay", "alipay_hk"]
    assert bo.api("POST", "/v1/checkout-sessions", bo.order(return_url="https://evil.example/")).status_code == 400
    for wrong in ({"name": " "}, {"origins": "https://shop.example/path"}, {"place-alipay": "", "place-alipay_hk": ""}):
        assert owner.sends(shop, **(said | {"place-alipay": "1"} | wrong)).status_code == 422
    assert world.shopper(bo.opens()).may_pick() == ["alipay", "alipay_hk"]


def test_texts_of_strangers_stay_texts(owner: Clerk) -> None:
    assert makes(owner, name=EVIL, description=EVIL, prefix="<b>x</b>") == 303
    pages = [str(owner.page and owner.page.location)]
    owner.opens(owner.at("/settings/api-keys"))
    owner.sends(owner.at("/settings/api-keys"), name=EVIL, scopes="read")
    assert "sk_" in owner.text
    owner.opens(owner.at("/settings/shop"))
    owner.sends(owner.at("/settings/shop"), name=EVIL, origins="", **{"place-alipay": "1"})
    session = owner.shop.opens(reference=EVIL)
    owner.shop.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    pages += [
        owner.at(path) for path in ("/links", "/deliveries", "/settings/start", "/settings/shop", "/settings/api-keys")
    ]
    event = re.search(r"/deliveries/evt_\w+", owner.opens(owner.at("/deliveries")))
    assert event
    for path in (*pages, owner.at(event[0])):
        text = owner.opens(path)
        assert owner.status == 200
        assert "onerror=alert" in text, path
        assert "<img" not in text, path
        assert "<b>x</b>" not in text, path


def test_whoever_is_signed_in_checks_a_link_without_an_api_key(world: World, operator: Clerk) -> None:
    app_code = "APP1"
    good = link(order(app_code), f"key-of-{app_code}")
    page = operator.at("/links/check")
    assert page in operator.opens(operator.at("/links"))
    operator.opens(page)
    assert operator.sends(page, link=f"https://pay.example/checkstand/#/?{good}").status_code == 200
    assert "The signature is right" in operator.sees()
    assert "Nothing else is wrong" in operator.sees()
    operator.sends(page, link=link(order(app_code), f"&key-of-{app_code}"))
    assert "There is an “&” before the key" in operator.sees()
    operator.sends(page, link=link(order("ANOTHER"), "a key"))
    assert "is not the one of this shop" in operator.sees()
    operator.sends(page, link=good + "&pay_tag=" + "x" * 7000)
    assert "pay_tag is longer than 16 characters" in operator.sees()
    operator.sends(page, link=link(order(app_code, goods_name=EVIL), f"key-of-{app_code}"))
    assert "<img" not in operator.text
