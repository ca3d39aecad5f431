"""Ada pays: each wallet, on a desktop and on a phone, until the shop knows and thanks her."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from checkout.domain.signing import sign_return
from tests.stories.cast import NOON, PHONE, PUBLIC, Merchant, Shopper, World

# fmt: off
ROADS = [  # wallet, agent, the gateway's pay type, the screen after picking
    ("alipay_hk", None,  "801514", "scan"),
    ("alipay_hk", PHONE, "801512", "wallet"),
    ("alipay",    None,  "801101", "scan"),
    ("alipay",    PHONE, "801107", "wallet"),
]
# fmt: on


@pytest.mark.parametrize(("wallet", "agent", "pay_type", "stage"), ROADS)
def test_a_shopper_picks_a_wallet_and_pays(
    world: World, bo: Merchant, wallet: str, agent: str | None, pay_type: str, stage: str
) -> None:
    session = bo.opens(amount=8800)
    ada = world.shopper(session, agent or world.shopper(session).agent)
    assert ada.sees() == "Choose how to pay"

    answer = ada.picks(wallet)
    attempt = world.attempt(session)
    assert answer.status_code == 303
    assert answer.headers["Location"] == (attempt.target if agent else ada.path)
    assert (attempt.pay_type, ada.stage()) == (pay_type, stage)

    world.pays(session)
    assert world.notifies() == [200]
    world.passes(3)
    assert ada.sees() == "Paid"
    assert ada.polls()["final"]

    told = bo.reads(session)
    assert (told["status"], told["review"], told["amount_refunded"]) == ("paid", False, 0)
    assert [payment["role"] for payment in told["payments"]] == ["accepted"]
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]
    assert bo.heard()[0]["data"]["payments"] == told["payments"]
    assert world.row(session).due_at is None, "it has no more deadlines"


def test_the_shop_is_told_by_the_way_back_too(world: World, bo: Merchant) -> None:
    session = bo.opens(return_url="https://shop.example/thanks?order=7")
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(3)

    back = urlsplit(ada.way_back())
    said = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert f"{back.scheme}://{back.netloc}{back.path}" == "https://shop.example/thanks"
    assert (said["order"], said["session_id"], said["reference"], said["status"]) == (
        "7",
        session["id"],
        "A-1001",
        "paid",
    )
    expected = sign_return(
        bo.told.webhook_secret,
        session_id=session["id"],
        reference="A-1001",
        status="paid",
        timestamp=int(said["timestamp"]),
    )
    assert said["signature"] == expected


def test_twice_is_once(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    ada.picks("alipay_hk")
    assert len(world.attempts(session)) == 1
    assert len(world.ledger.calls("/trade/v1/payment")) == 1


def test_looking_changes_nothing(world: World, ada: Shopper, session: dict[str, Any], bo: Merchant) -> None:
    before = bo.reads(session)
    for path in ("", "/status", "/return", "/receipt"):
        ada.asks("GET", ada.path + path)
    ada.asks("HEAD", ada.path)
    assert bo.reads(session) == before
    assert world.ledger.calls() == []


def test_another_device_shows_the_same_payment(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    phone = world.shopper(session, PHONE)
    assert phone.sees() == ada.sees() == "Scan with AlipayHK"
    world.pays(session)
    world.passes(3)
    assert phone.sees() == ada.sees() == "Paid"


def test_switching_wallets_leaves_the_old_code_watched(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay_hk")
    world.clock.now = world.clock()
    world.passes(1)
    ada.picks("alipay")
    assert ada.sees() == "Scan with Alipay"
    world.ledger.pay(world.attempts(session)[0].out_trade_no)
    world.passes(4)
    assert ada.sees() == "Paid"
    assert bo.reads(session)["payments"][0]["out_trade_no"] == world.attempts(session)[0].out_trade_no


def test_paying_both_codes_is_seen_and_said(world: World, ada: Shopper, session: dict[str, Any], bo: Merchant) -> None:
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    world.passes(70)
    told = bo.reads(session)
    assert (told["status"], told["review"], told["amount_refunded"]) == ("paid", False, 0)
    assert sorted(payment["role"] for payment in told["payments"]) == ["accepted", "surplus"]
    surplus = next(payment for payment in told["payments"] if payment["role"] == "surplus")
    refund = told["refunds"][0]
    assert (refund["payment"], refund["amount"], refund["status"], refund["reason"]) == (
        surplus["id"],
        8800,
        "succeeded",
        "surplus",
    )
    kinds = [news["type"] for news in bo.heard()]
    assert (kinds.count("checkout_session.paid"), kinds.count("refund.succeeded")) == (1, 1)
    assert "payment.surplus" in kinds
    receipt = ada.asks("GET", f"{ada.path}/receipt").text
    assert all("A second payment of HK$88.00 was sent back" in text for text in (ada.page(), receipt))


def test_the_gateway_hears_the_fields_of_its_dossier(world: World) -> None:
    bo = world.merchant("Bo & Söhne: Tee*Haus", mchid="M2000", options={"udid": "till-7", "code_minutes": 20})
    session = bo.opens(description="Tea (100 g) & more! 茶葉 禮盒 and a very long tail", limit_pay="no_credit")
    world.shopper(session).picks("alipay")
    sent = world.ledger.calls("/trade/v1/payment")[0].params
    attempt = world.attempt(session)
    assert sent["goods_name"] == "Tea 100 g more 茶葉 禮盒"[:20].strip()
    assert sent["txdtm"] == "2026-03-10 12:00:00"
    assert (sent["txamt"], sent["txcurrcd"], sent["mchid"]) == ("8800", "HKD", "M2000")
    assert (sent["udid"], sent["limit_pay"], sent["expired_time"]) == ("till-7", "no_credit", "20")
    assert sent["return_url"] == f"{PUBLIC}/pay/{session['id']}/return"
    assert sent["notify_url"] == f"{PUBLIC}/notify/{bo.told.merchant_id}"
    assert sent["out_trade_no"] == attempt.out_trade_no


@pytest.mark.parametrize(
    ("description", "items", "shop", "sent"),
    [
        ("🎁", ["★", "Tea (100 g)"], "Bo's Tea", "Tea 100 g"),
        ("★★★", [], "Bo's Tea", "Bo s Tea"),
        ("!!!", ["!"], "★★★", "Order"),
    ],
)
def test_a_name_of_symbols_only_is_paid_on_a_phone_too(
    world: World, description: str, items: list[str], shop: str, sent: str
) -> None:
    bo = world.merchant(shop)
    lines = [{"name": name, "quantity": 1, "amount": 8800 // len(items)} for name in items]
    session = bo.opens(description=description, items=lines)
    ada = world.shopper(session, PHONE)
    assert ada.picks("alipay").status_code == 303
    assert world.ledger.calls("/trade/v1/payment")[-1].params["goods_name"] == sent
    assert world.attempt(session).pay_type == "801107"
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "paid"


def test_a_session_about_to_end_gets_the_shortest_code(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=5)
    world.passes(200, step=50)
    world.shopper(session).picks("alipay")
    assert world.ledger.calls("/trade/v1/payment")[0].params["expired_time"] == "5"


def test_yen_have_no_minor_unit(world: World, bo: Merchant) -> None:
    session = bo.opens(amount=1980, currency="JPY")
    ada = world.shopper(session)
    assert "JP¥1,980" in ada.page()
    assert ada.may_pick() == ["alipay"]  # AlipayHK takes Hong Kong dollars only
    ada.picks("alipay")
    assert world.ledger.calls("/trade/v1/payment")[0].params["txamt"] == "1980"


def test_the_merchants_order_of_wallets_is_kept(world: World) -> None:
    bo = world.merchant(wallets=("alipay:HKD+USD", "alipay_hk"))
    assert world.shopper(bo.opens()).may_pick() == ["alipay", "alipay_hk"]
    assert world.shopper(bo.opens(wallets=["alipay_hk"])).may_pick() == ["alipay_hk"]
    assert bo.api("POST", "/v1/checkout-sessions", bo.order(currency="EUR")).status_code == 400


def test_one_setting_gives_alipay_hk_its_own_code(world: World) -> None:
    bo = world.merchant(options={"pay_types": ["801501"]})
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    assert (world.attempt(session).pay_type, ada.stage()) == ("801501", "scan")


def test_a_wallet_may_be_framed_with_its_code_one_step_away(world: World) -> None:
    bo = world.merchant(options={"frame": ["alipay_hk"]})
    session = bo.opens()
    ada = world.shopper(session)
    framing = "frame-src https://alipay.com https://*.alipay.com;"
    assert framing in policy(ada), "what is refreshed into this page stands under its policy"
    ada.picks("alipay_hk")
    page = ada.page()
    assert "<iframe" in page
    assert "data-qr" in page
    assert framing in policy(ada)
    world.pays(session)
    world.passes(3)
    assert "frame-src 'none';" in policy(ada)


def policy(ada: Shopper) -> str:
    answer = ada.asks("GET", ada.path)
    return str(answer.headers["Content-Security-Policy"])


def test_a_code_is_exactly_what_the_gateway_gave(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    order = world.ledger.order(world.attempt(session).out_trade_no)
    assert order is not None
    assert f"/wallet/{order.token}" in str(world.attempt(session).target)


def test_a_receipt_is_there_once_it_is_paid(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    assert ada.asks("GET", f"{ada.path}/receipt").status_code == 303
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(3)
    receipt = ada.asks("GET", f"{ada.path}/receipt").text
    assert all(text in receipt for text in ("HK$88.00", "AlipayHK", world.attempt(session).out_trade_no, "A-1001"))


def test_the_second_session_of_an_order_is_noticed(world: World, bo: Merchant) -> None:
    first, second = bo.opens(), bo.opens()
    assert first["warnings"] == []
    assert [warning["code"] for warning in second["warnings"]] == ["reference_in_use"]
    for session in (first, second):
        world.shopper(session).picks("alipay_hk")
        world.pays(session)
        world.passes(4)
    assert "reference_paid_twice" in [warning["code"] for warning in bo.reads(second)["warnings"]]


def test_a_small_amount_warns_the_merchant(bo: Merchant) -> None:
    assert [warning["code"] for warning in bo.opens(amount=200)["warnings"]] == ["small_amount"]
    assert bo.opens(amount=201, reference="B-2")["warnings"] == []


def test_alipay_web_needs_more_than_one_dollar(world: World, bo: Merchant) -> None:
    assert world.shopper(bo.opens(amount=100)).may_pick() == ["alipay_hk"]
    assert world.shopper(bo.opens(amount=101)).may_pick() == ["alipay_hk", "alipay"]


def test_time_stands_still_until_it_is_moved(world: World) -> None:
    assert world.clock() == NOON
