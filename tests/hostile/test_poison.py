"""One bad row, record or merchant: the others go on."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkout.services.deliveries import deliver_next
from checkout.services.enquiries import enquire_next
from checkout.store.models import Merchant as MerchantRow
from tests.hostile.tricks import gateway_answers
from tests.stories.cast import Merchant, Shopper, World

QUERY = "/trade/v1/query"


def threads_try(world: World, times: int = 30) -> None:
    """What the worker's threads do: a step that raises is logged, and the next is taken."""
    for _ in range(times):
        with contextlib.suppress(Exception):
            enquire_next(world.asking)
        with contextlib.suppress(Exception):
            deliver_next(world.posting)


def test_a_merchant_whose_key_cannot_be_opened_holds_up_nobody_else(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    cy = world.merchant("Cy's Shop")
    others = cy.opens()
    ada.picks("alipay_hk")
    world.clock.now = world.clock.now.replace(second=1)
    world.shopper(others).picks("alipay_hk")
    world.pays(others)
    with world.parts.sessions() as db:
        # As after SECRET_KEY was changed without keeping the old one behind it.
        db.execute(update(MerchantRow).where(MerchantRow.id == bo.told.merchant_id).values(client_key_sealed=b"x" * 60))
        db.commit()
    world.clock.now = world.clock.now.replace(second=8)
    threads_try(world)
    assert cy.reads(others)["status"] == "paid"


# What a column of ours cannot hold, or PostgreSQL cannot.
ODD = {
    "long pay type": {"pay_type": "801514-HK"},
    "long currency": {"txcurrcd": "HKDOLLAR"},
    "long number": {"syssn": "9" * 80},
    "NUL": {"txcurrcd": "HK\0"},
    "surrogate": {"txcurrcd": "HK\ud800"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_record_that_cannot_be_stored_holds_up_no_other_of_its_batch(
    world: World, bo: Merchant, odd: dict[str, str]
) -> None:
    sessions = [bo.opens(reference=f"A-{n}") for n in range(6)]
    for one in sessions:
        world.shopper(one).picks("alipay_hk")
        world.pays(one)
    strange = {world.attempt(one).out_trade_no for one in sessions[::2]}

    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        data = [item | odd if item["out_trade_no"] in strange else item for item in answer["data"]]
        return answer | {"data": data}

    gateway_answers(world, QUERY, edit)
    for _ in range(4):
        world.clock.now = world.clock.now.replace(second=world.clock.now.second + 3)
        threads_try(world, 5)
    assert [bo.reads(one)["status"] for one in sessions[1::2]] == ["paid"] * 3
    assert [bo.reads(one)["review"] for one in sessions[::2]] == [True] * 3


def test_successes_without_a_syssn_are_not_taken_for_one_another(world: World, bo: Merchant) -> None:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"data": [{k: v for k, v in item.items() if k != "syssn"} for item in answer["data"]]}

    gateway_answers(world, QUERY, edit)
    sessions = [bo.opens(reference=f"A-{n}") for n in range(2)]
    for one in sessions:
        world.shopper(one).picks("alipay_hk")
        world.pays(one)
    world.passes(20)
    told = [bo.reads(one) for one in sessions]
    assert all(one["status"] == "paid" or one["review"] for one in told), [one["status"] for one in told]


def test_one_number_of_the_gateway_for_two_orders_calls_for_a_person(world: World, bo: Merchant) -> None:
    gateway_answers(
        world, QUERY, lambda answer: answer | {"data": [item | {"syssn": "2026031"} for item in answer["data"]]}
    )
    sessions = [bo.opens(reference=f"A-{n}") for n in range(2)]
    for one in sessions:
        world.shopper(one).picks("alipay_hk")
        world.pays(one)
    world.passes(20)
    assert sorted((told["status"], told["review"], told["review_reason"]) for told in map(bo.reads, sessions)) == [
        ("open", True, "syssn_of_another"),
        ("paid", False, None),
    ]


def test_money_of_no_amount_is_never_given_ours(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    def edit(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"data": [{k: v for k, v in item.items() if k != "txamt"} for item in answer["data"]]}

    gateway_answers(world, QUERY, edit)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(10)
    told = bo.reads(session)
    assert (told["status"], told["review"], told["payments"]) == ("open", True, [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_hundred_attempts_due_at_once_get_their_answers(world: World, bo: Merchant) -> None:
    """QFPay's record has 27 fields (qfpay.md section 4); a hundred of them are more than 64 KiB."""
    full = {
        "goods_name": "香港茶餐廳下午茶套餐外賣兩位用套餐", "goods_info": "", "goods_detail": "", "chnlsn": "2026" * 7,
        "chnlsn2": "", "cardcd": "2088****1234", "cardtp": "5", "clisn": "000000", "userid": "2300000000",
        "udid": "qiantai2", "exchange_rate": "", "cash_fee": "8800", "cash_fee_type": "HKD", "cash_refund_fee": "0",
        "cash_refund_fee_type": "", "errmsg": "交易成功 success", "origssn": "", "txzone": "+0800",
    }  # fmt: skip
    gateway_answers(world, QUERY, lambda answer: answer | {"data": [full | item for item in answer["data"]]})
    sessions = [bo.opens(reference=f"A-{n}") for n in range(100)]
    for one in sessions:
        world.clock.now += timedelta(seconds=0.4)  # within the budget of calls
        world.shopper(one).picks("alipay_hk")
        world.pays(one)
    world.passes(60, step=10)
    assert bo.reads(sessions[0])["status"] == "paid"
