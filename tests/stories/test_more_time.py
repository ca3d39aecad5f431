"""Ada needs longer: a fresh code while the old one stays watched, and a later deadline where the shop allows one."""

import re
from typing import Any

import pytest

from tests.stories.cast import PHONE, Merchant, Shopper, World
from tests.stories.test_ways_back import database_away

FRESH = "Get a fresh code"


def time_left(ada: Shopper) -> int:
    found = re.search(r'data-ends-in="(\d+)"', ada.page())
    assert found
    return int(found[1])


def test_the_same_wallet_again_is_the_same_code_until_its_last_minutes(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=120)
    ada = world.shopper(session)
    ada.picks("alipay")
    world.passes(26 * 60, step=60)
    ada.picks("alipay")
    assert len(world.attempts(session)) == 1
    assert "data-ending hidden" in ada.page()

    world.passes(90, step=30)
    assert FRESH in ada.page()
    assert "data-ending hidden" not in ada.page()
    ada.picks("alipay")
    ada.picks("alipay")
    old, fresh = world.attempts(session)
    assert old.status == fresh.status == "pending"
    assert time_left(ada) == 30 * 60

    world.ledger.pay(old.out_trade_no)  # what was shown can be paid, and is still watched
    world.passes(20)
    assert ada.stage() == "paid"


def test_a_fresh_code_may_be_had_ten_times(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=600)
    ada = world.shopper(session)
    ada.picks("alipay")
    for _ in range(10):
        world.passes(28 * 60, step=240)
        assert ada.picks("alipay").status_code == 303
    assert len(world.attempts(session)) == 11
    assert ada.stage() == "scan"


@pytest.mark.parametrize(("terms", "times"), [("hold", 0), ("refund", 0), ("accept", 10)])
def test_the_deadline_moves_only_where_the_shop_takes_late_money(
    world: World, bo: Merchant, terms: str, times: int
) -> None:
    session = bo.opens(expires_in=30, late_payment=terms)
    ada = world.shopper(session)
    for renewal in range(11):
        ada.picks("alipay")
        assert world.row(session).renewals == min(renewal, times)
        if renewal > times:
            break
        world.passes(28 * 60, step=240)
    told = bo.reads(session)
    assert (told["expires_at"] == session["expires_at"]) is (times == 0)
    world.passes(40 * 60, step=240)
    assert ada.stage() in ("closing", "expired")


@pytest.mark.parametrize("terms", ["hold", "refund"])
def test_no_fresh_code_is_offered_where_the_code_ends_with_the_session(world: World, bo: Merchant, terms: str) -> None:
    ada = world.shopper(bo.opens(expires_in=30, late_payment=terms))
    ada.picks("alipay")
    world.passes(27 * 60 - 15, step=60)
    assert "data-ending hidden" in ada.page(), "the warning is there, and comes without another answer"
    assert FRESH not in ada.page()
    world.passes(30)
    assert "data-ending hidden" not in ada.page()
    assert FRESH not in ada.page()


def test_a_fresh_code_is_offered_as_long_as_a_press_brings_one(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=31)
    ada = world.shopper(session)
    ada.picks("alipay")
    world.passes(27 * 60 - 15, step=60)
    open_page = ada.asks("GET", f"{ada.path}/status", headers={"Accept": "text/html"})
    assert FRESH in open_page.text
    world.passes(54)
    unchanged = {"Accept": "text/html", "If-None-Match": open_page.headers["ETag"]}
    assert ada.asks("GET", f"{ada.path}/status", headers=unchanged).status_code == 304
    world.passes(2)
    told = ada.asks("GET", f"{ada.path}/status", headers=unchanged)
    assert told.status_code == 200
    assert FRESH not in told.text

    world.passes(15)  # a page may ask no sooner
    assert len(world.attempts(session)) == 1
    ada.picks("alipay")
    assert len(world.attempts(session)) == 2, "who saw it until then has not pressed in vain"


def test_a_deadline_that_moves_keeps_no_dead_code_alive(world: World, bo: Merchant) -> None:
    """The code was asked for after ten minutes, with the twenty that were left; the deadline moved eighteen later."""
    session = bo.opens(expires_in=30, late_payment="accept")
    ada = world.shopper(session)
    world.passes(10 * 60, step=60)
    ada.picks("alipay")
    world.passes(18 * 60, step=60)
    assert time_left(ada) == 2 * 60
    ada.picks("alipay")
    old, fresh = world.attempts(session)
    assert (old.code_minutes, fresh.code_minutes) == (20, 30)
    assert world.row(session).renewals == 1
    sent = [call.params["expired_time"] for call in world.ledger.calls("/trade/v1/payment")]
    assert sent == ["20", "30"]
    assert time_left(ada) == 30 * 60


def test_a_press_in_good_time_moves_no_deadline(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=30, late_payment="accept")
    ada = world.shopper(session)
    world.passes(26 * 60, step=240)
    ada.picks("alipay")
    assert bo.reads(session)["expires_at"] == session["expires_at"]


def test_the_shoppers_word_counts_more_than_the_browsers(world: World, session: dict[str, Any]) -> None:
    desk, phone = world.shopper(session), world.shopper(session, PHONE)
    assert desk.asks("POST", desk.path, data={"wallet": "alipay_hk", "way": "open"}).headers["Location"] != desk.path
    assert phone.asks("POST", phone.path, data={"wallet": "alipay_hk", "way": "scan"}).headers["Location"] == desk.path
    assert [one.pay_type for one in world.attempts(session)] == ["801512", "801514"]
    for form in ({"way": "open"}, {"wallet": "alipay", "way": "fly"}, {"wallet": "alipay", "way": ["open", "scan"]}):
        assert desk.asks("POST", desk.path, data=form).status_code == 400


def test_an_unknown_browser_is_shown_both_ways(world: World, session: dict[str, Any]) -> None:
    ada = world.shopper(session, "Something/1.0")
    ada.picks("alipay_hk")
    page = ada.page()
    assert 'data-agent="unknown"' in page
    assert "data-qr" in page
    assert re.search(r'name="way" value="open"', page)
    assert "data-touch" not in page
    assert "data-copy" in page


def test_a_page_of_a_broken_service_has_a_code_to_read_out(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    refused = ada.asks("POST", ada.path, data={"wallet": "paypal"})
    code = re.search(r"data-support-code><span>(\w{3})</span><span>(\w{3})", refused.text)
    assert code
    assert code[1] + code[2] == session["support_code"]
    strange = ada.asks("PUT", ada.path)
    assert re.search(r"data-support-code><span>\w{3}</span><span>\w{3}", strange.text)


def test_also_when_the_database_is_away(world: World, ada: Shopper, caplog: pytest.LogCaptureFixture) -> None:
    with database_away(world):
        answer = ada.asks("GET", ada.path)
    assert answer.status_code == 503
    code = re.search(r"data-support-code><span>(\w{3})</span><span>(\w{3})", answer.text)
    assert code
    assert code[1] + code[2] in caplog.text
    assert "do not pay again" in answer.text
