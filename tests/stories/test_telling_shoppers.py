"""What shoppers are told beside their own payment: whether the shop has heard of it, and how the wallets are doing."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from checkout.gateway.months import HONG_KONG
from sandbox import Scenario
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_dead_gateway import dies, lives

HEARD, TELLING = "The shop has received your order.", "We are telling the shop"
SILENT, FOUL, BETTER = "Is not answering at the moment", "Has trouble at the moment", "is the better choice"


def again_at(page: str) -> datetime:
    found = re.search(r"We tell it again at (.*?) HKT, and go on", page)
    assert found, page
    return datetime.strptime(found[1], "%d %b %Y, %H:%M").replace(tzinfo=HONG_KONG)


@pytest.fixture
def paid(world: World, ada: Shopper, session: dict[str, Any]) -> dict[str, Any]:
    """Ada has paid, and nobody has told the shop yet."""
    ada.picks("alipay_hk")
    world.pays(session)
    return session


def fragment(ada: Shopper) -> str:
    """What an open page fetches; it goes on asking until this says that nothing more will change."""
    return ada.asks("GET", f"{ada.path}/status", headers={"Accept": "text/html"}).text


# --- has the shop heard?


def test_the_page_says_that_the_shop_has_heard(world: World, ada: Shopper, paid: dict[str, Any]) -> None:
    world.passes(5)
    assert ada.stage() == "paid"
    assert HEARD in ada.page()
    assert "data-final" in fragment(ada)
    assert "If-None-Match" not in ada.page(), "there is nothing to wait for"


def test_while_the_shop_does_not_answer_the_page_says_when_it_is_told_again(
    world: World, bo: Merchant, ada: Shopper, paid: dict[str, Any]
) -> None:
    bo.inbox.answers = [500] * 3
    world.passes(60)
    assert len(bo.inbox.heard) == 2
    promised = again_at(ada.page())
    assert HEARD not in ada.page()
    assert "data-final" not in fragment(ada), "an open page waits for the shop"
    assert "If-None-Match" in ada.page(), "and so does one that is loaded only now"

    until_then = promised - world.clock.now
    world.passes(until_then.total_seconds() - 61)
    assert len(bo.inbox.heard) == 2, "not earlier than it said"
    world.passes(61)
    assert len(bo.inbox.heard) == 3, "and not later"
    assert again_at(fragment(ada)) > promised

    world.passes(31 * 60)
    assert HEARD in fragment(ada)
    assert "data-final" in fragment(ada)


def test_a_shop_that_is_told_no_more_is_not_said_to_be_told(
    world: World, bo: Merchant, ada: Shopper, paid: dict[str, Any]
) -> None:
    bo.inbox.answers = [410]
    world.passes(10)
    page = ada.page()
    assert TELLING not in page
    assert "The shop has not answered us. Your payment stands" in page
    assert "data-final" in fragment(ada)


# --- how are the wallets doing?


def test_a_gateway_that_does_not_answer_is_known_before_a_wallet_is_chosen(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    cay, dan = (world.shopper(bo.opens(reference=f"B-{n}")) for n in range(2))
    assert SILENT not in cay.page()
    dies(world)
    world.passes(100, step=2)
    assert cay.page().count(SILENT) == 2, "no wallet is better off"
    assert BETTER not in cay.page()
    assert cay.may_pick() == ["alipay_hk", "alipay"], "and none is hidden"
    stranger = world.shopper(world.merchant("Cy's Coffee").opens())
    assert SILENT not in stranger.page(), "another shop's gateway answers"

    dan.picks("alipay")
    assert dan.stage() == "failed"
    assert SILENT in dan.page(), "before they try again"

    lives(world)
    world.passes(40)
    assert SILENT not in cay.page()
    assert SILENT not in dan.page()


def test_a_silence_that_nobody_has_checked_for_minutes_is_not_told(world: World, bo: Merchant, ada: Shopper) -> None:
    dies(world)
    for n in range(6):
        world.shopper(bo.opens(reference=f"B-{n}")).picks("alipay_hk")
    assert SILENT in ada.page()
    world.clock.now += timedelta(minutes=3)
    assert SILENT not in ada.page()


def test_the_other_wallet_is_suggested_only_while_it_is_better_off(world: World, bo: Merchant, ada: Shopper) -> None:
    def fails(wallet: str, times: int = 3) -> None:
        for _ in range(times):
            world.next(Scenario.HTTP_500)
            world.shopper(bo.opens(reference=f"{wallet}-{world.clock.now}")).picks(wallet)
            world.clock.now += timedelta(seconds=2)

    fails("alipay_hk")
    assert f"{FOUL}; Alipay {BETTER}" in ada.page()
    world.shopper(bo.opens(reference="well")).picks("alipay")  # answered: the breaker stays closed
    fails("alipay")
    assert ada.page().count(FOUL) == 2
    assert BETTER not in ada.page()
