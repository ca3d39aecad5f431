"""Ada opens the checkout inside Alipay's app: she is asked nothing, and pays in the app's own sheet."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from checkout import crash_points
from sandbox import Oddity, Scenario, Trouble
from tests.stories.alipay import (
    APP_ID,
    AUTHORIZE,
    TOKEN,
    Inside,
    arguments,
    next_visit,
    visits,
    world_with_alipay,
)
from tests.stories.cast import DESKTOP, PHONE, PUBLIC, Merchant, World

HONG_KONG_APP = "Mozilla/5.0 (iPhone) Mobile/15E148 AliApp(APHK/5.5.0) AlipayClientHK/5.5.0 AlipayClient/10.5.0"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return world_with_alipay(make_world)


@pytest.fixture
def ada(world: World, session: dict[str, Any]) -> Inside:
    return Inside(world, session["url"])


def pay_types(world: World, session: dict[str, Any]) -> list[str]:
    return [attempt.pay_type for attempt in world.attempts(session)]


def asked_alipay(world: World) -> int:
    return len(world.ledger.calls(TOKEN))


def test_she_pays_in_the_sheet_without_having_been_asked_who_she_is(
    world: World, bo: Merchant, session: dict[str, Any], ada: Inside
) -> None:
    assert ada.sees() == "Choose how to pay"  # the page at once; who she is comes after
    led_to = ada.is_led_to()
    assert led_to
    asked = arguments(led_to)
    assert led_to.startswith(f"{AUTHORIZE}?")
    assert (asked["app_id"], asked["scope"]) == (APP_ID, "auth_base")
    assert asked["redirect_uri"] == f"{PUBLIC}/alipay/callback"
    assert len(asked["state"]) <= 100
    assert session["id"] not in led_to

    back = ada.enters()
    assert (back.status_code, back.headers["Location"]) == (303, ada.path)
    (call,) = world.ledger.calls("/trade/v1/payment")
    order = world.ledger.order(world.attempt(session).out_trade_no)
    assert (call.params["pay_type"], call.params["openid"]) == ("800107", visits(world).user_ids()[0])
    assert "expired_time" not in call.params
    assert (ada.stage(), ada.sheet()) == ("wallet", order.token)
    assert f'href="{order.token}' not in ada.page()
    assert ada.is_led_to() is None

    world.pays(session)
    world.passes(3)
    assert ada.sees() == "Paid"
    assert [payment["role"] for payment in bo.reads(session)["payments"]] == ["accepted"]


def test_a_page_in_her_language_stays_in_it(ada: Inside) -> None:
    ada.url += "?lang=zh-CN"
    found = ada.asks("GET", f"{ada.path}?lang=zh-CN").text
    led_to = found.split('data-authorise="')[1].split('"')[0].replace("&amp;", "&")
    assert ada.arrives(ada.is_told_apart(led_to)).headers["Location"] == f"{ada.path}?lang=zh-CN"


def test_nobody_else_is_asked(session: dict[str, Any], world: World, bo: Merchant) -> None:
    for agent in (DESKTOP, PHONE, HONG_KONG_APP, "facebookexternalhit/1.1"):
        assert Inside(world, session["url"], agent).is_led_to() is None, agent
    assert Inside(world, bo.opens(wallets=["alipay_hk"])["url"]).is_led_to() is None


def test_without_an_app_of_its_own_the_shop_has_801107_as_before(make_world: Callable[..., World]) -> None:
    world = make_world()
    session = world.merchant().opens()
    ada = Inside(world, session["url"])
    assert ada.is_led_to() is None
    assert ada.asks("GET", "/alipay/callback?auth_code=a&state=b").status_code == 404
    assert ada.picks("alipay").headers["Location"] == world.attempt(session).target
    assert pay_types(world, session) == ["801107"]


ODDITIES = [Oddity.REFUSES, Oddity.OPEN_ID_ONLY, Oddity.NO_SUCH_CODE, Oddity.FALSE_SIGNATURE]
TROUBLES = [Trouble.HANG, Trouble.DROP, Trouble.HTTP_500, Trouble.HTML, Trouble.GARBAGE]


@pytest.mark.parametrize("mishaps", [ODDITIES, TROUBLES])
def test_whatever_goes_wrong_she_pays_on_the_wallets_page_with_one_tap(
    world: World, bo: Merchant, mishaps: list[Oddity] | list[Trouble]
) -> None:
    for mishap in mishaps:
        session = bo.opens(reference=mishap)
        ada = Inside(world, session["url"])
        if isinstance(mishap, Oddity):
            next_visit(world, mishap)
        else:
            world.ledger.inject(TOKEN, mishap)
        assert ada.enters().headers["Location"] == ada.path
        assert world.attempts(session) == [], mishap
        assert (ada.stage(), ada.is_led_to()) == ("choose", None)  # not asked again: that would never end

        assert ada.picks("alipay").headers["Location"] == world.attempt(session).target
        assert pay_types(world, session) == ["801107"]
        world.pays(session)
        world.passes(3)
        assert ada.sees() == "Paid"


def test_where_the_gateway_refuses_the_wallets_page_is_one_tap_away(
    world: World, session: dict[str, Any], ada: Inside
) -> None:
    world.next(Scenario.REFUSED_1104)
    ada.enters()
    assert (ada.stage(), world.attempt(session).status) == ("failed", "failed")
    ada.picks("alipay")
    assert (pay_types(world, session), ada.stage()) == (["800107", "801107"], "wallet")


def test_a_lost_answer_is_unknown_and_the_trade_is_found_by_asking(
    world: World, session: dict[str, Any], ada: Inside
) -> None:
    world.ledger.inject("/trade/v1/payment", Trouble.HANG)
    ada.enters()
    assert (world.attempt(session).status, ada.stage(), ada.sheet()) == ("unknown", "unknown", None)
    assert len(world.ledger.calls("/trade/v1/payment")) == 1


def test_without_a_bridge_the_button_leads_to_the_wallets_page_and_both_are_watched(
    world: World, bo: Merchant, session: dict[str, Any], ada: Inside
) -> None:
    ada.enters()
    world.passes(1)
    answer = ada.picks("alipay")
    assert answer.headers["Location"] == world.attempt(session).target
    assert pay_types(world, session) == ["800107", "801107"]
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    world.passes(70)
    assert sorted(payment["role"] for payment in bo.reads(session)["payments"]) == ["accepted", "surplus"]
    assert [refund["status"] for refund in bo.reads(session)["refunds"]] == ["succeeded"]


def test_another_device_gets_its_own_way_to_alipay(world: World, session: dict[str, Any], ada: Inside) -> None:
    ada.enters()
    desk = world.shopper(session)
    assert (desk.stage(), desk.sees()) == ("wallet", ada.sees())
    desk.picks("alipay")
    assert (pay_types(world, session)[-1], desk.stage()) == ("801101", "scan")


# --- one answer, one attempt


def test_an_answer_counts_once(world: World, session: dict[str, Any], ada: Inside) -> None:
    address = ada.is_told_apart()
    for _ in range(3):  # the Back button, a second delivery, a curious reader of somebody's history
        assert ada.arrives(address).headers["Location"] == ada.path
    assert (pay_types(world, session), asked_alipay(world)) == (["800107"], 1)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_tabs_have_one_attempt_whichever_comes_back_first(
    world: World, session: dict[str, Any], ada: Inside, order: tuple[int, int]
) -> None:
    tabs = [ada.is_told_apart(), ada.is_told_apart()]
    for tab in order:
        assert ada.arrives(tabs[tab]).status_code == 303
    assert (pay_types(world, session), asked_alipay(world)) == (["800107"], 1)
    assert ada.stage() == "wallet"


def test_two_at_the_very_same_moment_have_one_attempt(world: World, session: dict[str, Any], ada: Inside) -> None:
    tabs = [ada.is_told_apart(), ada.is_told_apart()]
    passed: list[str] = []

    def meanwhile(point: str) -> None:
        if point in ("alipay.answer_taken", "alipay.user_known") and point not in passed:
            passed.append(point)
            ada.arrives(tabs[1])

    with crash_points.watched(meanwhile):
        ada.arrives(tabs[0])
    assert passed == ["alipay.answer_taken", "alipay.user_known"]
    assert (pay_types(world, session), asked_alipay(world)) == (["800107"], 1)


def test_who_has_tapped_already_keeps_what_the_tap_brought(world: World, session: dict[str, Any], ada: Inside) -> None:
    address = ada.is_told_apart()
    ada.picks("alipay")
    ada.arrives(address)
    assert pay_types(world, session) == ["801107"]
    assert ada.sheet() is None


def test_a_tap_between_the_answer_and_the_attempt_is_the_one_attempt(
    world: World, session: dict[str, Any], ada: Inside
) -> None:
    def taps(point: str) -> None:
        if point == "alipay.user_known" and not world.attempts(session):
            ada.picks("alipay")

    with crash_points.watched(taps):
        ada.arrives(ada.is_told_apart())
    assert pay_types(world, session) == ["801107"]


def test_an_answer_opens_the_session_that_asked_and_no_other(world: World, bo: Merchant, ada: Inside) -> None:
    hers, other = ada, Inside(world, bo.opens(reference="A-2")["url"])
    mine, theirs = hers.is_told_apart(), other.is_told_apart()
    crossed = mine.replace(arguments(mine)["state"], arguments(theirs)["state"])
    assert hers.arrives(crossed).headers["Location"] == other.path
    assert world.attempts({"id": hers.path.rpartition("/")[2]}) == []
    assert pay_types(world, {"id": other.path.rpartition("/")[2]}) == ["800107"]


def test_an_answer_for_a_session_that_is_over_asks_nobody(world: World, session: dict[str, Any], ada: Inside) -> None:
    address = ada.is_told_apart()
    ada.cancels()
    assert ada.arrives(address).headers["Location"] == ada.path
    assert (world.attempts(session), asked_alipay(world), ada.stage()) == ([], 0, "cancelled")


def test_a_state_lives_ten_minutes(world: World, bo: Merchant) -> None:
    for seconds, expected in ((600, []), (599, ["800107"])):
        session = bo.opens(reference=f"A-{seconds}")
        ada = Inside(world, session["url"])
        asked = ada.is_led_to()
        world.clock.now += timedelta(seconds=seconds)
        assert ada.arrives(ada.is_told_apart(asked)).headers["Location"] == ada.path
        assert pay_types(world, session) == expected
        assert ada.is_led_to() is None


# --- strangers


def forgeries(state: str) -> dict[str, str]:
    sealed = bytearray(base64.urlsafe_b64decode(state + "=="))
    sealed[20] ^= 1
    bent = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    return {
        "none": "auth_code=x",
        "empty": "auth_code=x&state=",
        "invented": "auth_code=x&state=cs_0123456789012345678901",
        "not base64": "auth_code=x&state=%F0%9F%A6%86",
        "bent": f"auth_code=x&state={bent}",
        "backwards": f"auth_code=x&state={state[::-1]}",
        "twice": f"auth_code=x&state={state}&state={state}",
        "two codes": f"auth_code=x&auth_code=y&state={state}",
        "endless": f"auth_code={'x' * 5000}&state={state}",
        "another app's": f"app_id=2021999999999999&auth_code=x&state={state}",
    }


def test_a_forged_answer_gets_a_plain_page_and_changes_nothing(
    world: World, session: dict[str, Any], ada: Inside
) -> None:
    for how, query in forgeries(arguments(ada.is_led_to() or "")["state"]).items():
        answer = ada.asks("GET", f"/alipay/callback?{query}")
        assert (answer.status_code, "Go back to the page of your payment" in answer.text) == (400, True), how
        assert session["id"] not in answer.text
        assert (world.attempts(session), world.ledger.calls()) == ([], []), how
        assert world.row(session).alipay_answered_at is None, how


def test_only_looking_uses_nothing_up(world: World, session: dict[str, Any], ada: Inside) -> None:
    address = ada.is_told_apart()
    assert ada.arrives(address, Sec_Purpose="prefetch;prerender").status_code == 204
    query = address.partition("?")[2]
    assert ada.asks("HEAD", f"/alipay/callback?{query}").status_code == 204
    assert world.attempts(session) == []
    ada.arrives(address)
    assert pay_types(world, session) == ["800107"]


@pytest.mark.parametrize("where", ["alipay.answer_taken", "alipay.user_known", "attempt.intended", "attempt.answered"])
def test_a_death_anywhere_leaves_books_that_add_up_and_a_way_to_pay(
    world: World, session: dict[str, Any], ada: Inside, where: str
) -> None:
    def dies(point: str) -> None:
        if point == where:
            raise KeyboardInterrupt

    address = ada.is_told_apart()
    with crash_points.watched(dies), pytest.raises(KeyboardInterrupt):
        ada.arrives(address)
    ada.arrives(address)
    assert len(world.attempts(session)) == where.startswith("attempt")
    world.passes(40)  # the lease of the call that died
    ada.picks("alipay")
    world.pays(session)
    world.passes(5)
    assert (ada.sees(), pay_types(world, session)[-1]) == ("Paid", "801107")
