"""The page that checks links: everything about the form of a link, and about its signature only to its own merchant."""

import html
from datetime import timedelta

import pytest
from werkzeug.test import Client

from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.storefront import link, order, sign
from tests.stories.test_corners import locked_up
from tests.stories.test_signed_links import APP, KEY, opened, refused, sessions

RIGHT, NOTHING_ELSE = "The signature is right", "Nothing else is wrong"


def checks(world: World, query: str, api_key: str = "") -> str:
    """What the page says about a link."""
    form = {"link": f"{PUBLIC}/checkstand/#/?{query}", "api_key": api_key}
    answer = Client(world.app).post("/checkout/check", base_url=PUBLIC, data=form)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def test_the_checker_answers_about_a_signature_only_to_the_links_own_merchant(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Coffee")
    bad = link(order(APP), "&" + KEY)

    def says(api_key: str) -> str:
        form = {"link": f"{PUBLIC}/checkstand/#/?{bad}", "api_key": api_key}
        answer = Client(world.app).post("/checkout/check", base_url=PUBLIC, data=form)
        assert answer.status_code == 200
        for secret in (KEY + "<", bo.told.api_key, sign(order(APP), KEY)):
            assert secret not in answer.text
        return html.unescape(answer.text)

    assert "There is an “&” before the key" in says(bo.told.api_key)
    for key in (cy.told.api_key, "sk_guess"):
        assert "This API key does not belong to the appcode" in says(key)
        assert "before the key" not in says(key)
    assert "no API key was given" in says("")
    assert sessions(world) == 0
    told = world.app.test_cli_runner().invoke(args=["link", "check", bo.told.merchant_id, bad])
    assert (told.exit_code, "before the key" in told.output, KEY in told.output) == (1, True, False)


def test_a_key_that_cannot_be_opened_is_called_so(world: World, bo: Merchant) -> None:
    query = link(order(APP), KEY)
    locked_up(world, bo)
    said = checks(world, query, bo.told.api_key)
    assert "the client key of this shop cannot be opened here" in said
    assert RIGHT not in said
    assert "no API key was given" not in said
    told = world.app.test_cli_runner().invoke(args=["link", "check", bo.told.merchant_id, query])
    assert (told.exit_code, "the client key cannot be opened" in told.output) == (1, True)


def test_whatever_a_good_signature_does_not_mend_is_said_before_a_shopper_meets_it(world: World) -> None:
    bo = world.merchant("Bo's Tea", return_origins=["https://shop.example"], wallets=["alipay_hk"])
    over = str(round((world.clock.now - timedelta(minutes=1)).timestamp() * 1000))
    used = order(APP, out_trade_no="USED")
    opened(world, link(used, KEY))
    for change, says, status in (
        ({"checkout_expired_time": over}, "checkout_expired_time has passed", 410),
        ({"out_trade_no": "USED", "txamt": "1"}, "out_trade_no was used before, for another amount or currency", 409),
        ({"return_url": "https://evil.example/"}, "return_url: must be on one of this merchant's return origins", 400),
        ({"txcurrcd": "USD"}, "txcurrcd: no wallet can be offered for this", 400),
    ):
        query = link(order(APP, **change), KEY)
        found = checks(world, query, bo.told.api_key)
        assert RIGHT in found
        assert says in found, found
        assert NOTHING_ELSE not in found
        assert says in refused(world, query, status)
        told = world.app.test_cli_runner().invoke(args=["link", "check", bo.told.merchant_id, query])
        assert (told.exit_code, says in told.output) == (1, True)
    good = checks(world, link(used, KEY), bo.told.api_key)
    assert RIGHT in good
    assert NOTHING_ELSE in good
    assert sessions(world) == 1


def test_a_stranger_is_told_of_the_form_and_of_nobodys_books(world: World, bo: Merchant) -> None:
    opened(world, link(order(APP, out_trade_no="USED"), KEY))
    over = str(round((world.clock.now - timedelta(minutes=1)).timestamp() * 1000))
    assert "was used before" not in checks(world, link(order(APP, out_trade_no="USED", txamt="1"), KEY))
    assert "checkout_expired_time has passed" in checks(world, link(order(APP, checkout_expired_time=over), KEY))
    assert "more than 8000 bytes" in checks(world, link(order(APP), KEY) + "&x=" + "y" * 8000)


def test_who_shares_an_app_code_is_told_whose_link_it_is(world: World) -> None:
    shops = [world.merchant(name, app_code="SHARED", client_key="one", mchid=name) for name in ("BO", "CY")]
    named = link(order("SHARED", mchntid="BO"), "one")
    assert NOTHING_ELSE in checks(world, named, shops[0].told.api_key)
    for query in (named, link(order("SHARED"), "one")):
        found = checks(world, query, shops[1].told.api_key)
        assert RIGHT in found
        assert "does not say which of the merchants" in found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_merchants_link_is_not_checked_with_this_ones_key(world: World, bo: Merchant) -> None:
    foreign = link(order("ANOTHER"), KEY)
    told = world.app.test_cli_runner().invoke(args=["link", "check", bo.told.merchant_id, foreign])
    assert (told.exit_code, "not that of this merchant" in told.output) == (1, True)
