"""Months, notices alone, and addresses with odd writing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.test import Client

from sandbox import Scenario
from tests.hostile.tricks import mount
from tests.stories.cast import DESKTOP, PHONE, PUBLIC, Merchant, Shopper, World

QUERY = "/trade/v1/query"


def test_a_success_found_in_one_month_counts_though_the_other_month_cannot_be_asked(world: World, bo: Merchant) -> None:
    """At a month's edge two calls are made; the first finds the payment, the second gets no answer."""
    world.clock.now = datetime(2026, 3, 31, 15, 58, tzinfo=UTC)  # two minutes to midnight in Hong Kong
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.clock.now += timedelta(seconds=1)
    world.pays(session)
    calls = 0

    def second_fails(environ: Any, start_response: Any) -> Any:
        nonlocal calls
        if environ["PATH_INFO"] == QUERY:
            calls += 1
            if calls % 2 == 0:
                start_response("500 Oops", [])
                return [b""]
        return world.sandbox(environ, start_response)

    mount(world, second_fails)
    world.passes(60)
    assert calls >= 2
    assert ada.sees() == "Paid"


def test_the_own_name_is_known_in_any_writing(world: World, session: dict[str, Any], ada: Shopper) -> None:
    for host in ("pay.sampan.example", "Pay.Sampan.Example", "pay.sampan.example:443"):
        for scheme in ("https", "http"):  # http: what a platform's router speaks to us when PROXY_HOPS is 0
            answer = Client(world.app).get(
                ada.path, base_url=f"{scheme}://pay.sampan.example", headers={"Host": host, "User-Agent": DESKTOP}
            )
            assert answer.status_code == 200, (scheme, host)


def test_a_client_that_refuses_gzip_gets_none(world: World, ada: Shopper) -> None:
    answer = ada.asks("GET", ada.path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in answer.headers


def test_a_bot_that_runs_scripts_starts_no_payment(world: World, bo: Merchant) -> None:
    session = bo.opens(wallets=["alipay_hk"])
    bot = world.shopper(session, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert not re.search(r"<(form|button)[^>]*data-auto", bot.page())


def test_a_tap_that_may_fail_has_the_address_beside_it(world: World, bo: Merchant) -> None:
    """interface.md section 3: the page's own address stands in a data-copy element wherever a jump may fail."""
    session = bo.opens()
    ada = world.shopper(session, PHONE)
    world.next(Scenario.REFUSED_1104)
    ada.picks("alipay_hk")
    assert ada.stage() == "failed"
    assert "data-copy" in ada.page()
    assert PUBLIC in ada.page()
