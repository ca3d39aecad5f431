"""Refunds from the back office: a part of it, once, by somebody who has just shown who they are."""

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from tests.office.cast import PASSWORD, Clerk, pays
from tests.stories.cast import Merchant, World


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pays(world, bo.opens())


def path_of(clerk: Clerk, session: dict[str, Any], verb: str = "") -> str:
    return clerk.at(f"/payments/{session['id']}{verb}")


def refunds(clerk: Clerk, session: dict[str, Any], amount: str, **fields: str) -> int:
    clerk.opens(path_of(clerk, session))
    return clerk.sends(path_of(clerk, session, "/refunds"), amount=amount, **fields).status_code


def amounts(bo: Merchant, session: dict[str, Any]) -> list[int]:
    return [refund["amount"] for refund in bo.reads(session)["refunds"]]


def test_a_clerk_refunds_a_part_and_sees_it_done(
    world: World, bo: Merchant, operator: Clerk, paid: dict[str, Any]
) -> None:
    assert refunds(operator, paid, "12.50", reason="one tin was dented") == 303
    operator.opens(path_of(operator, paid))
    assert "The refund is on its way" in operator.sees()
    world.passes(10)
    told = bo.reads(paid)
    assert (told["amount_refunded"], told["refunds"][0]["reason"]) == (1250, "one tin was dented")
    operator.opens(path_of(operator, paid))
    for words in ("Left of this payment: HK$75.50", "Refund of HK$12.50: done", "Asked for a refund", operator.email):
        assert words in operator.sees(), words


def test_a_double_click_refunds_once(world: World, bo: Merchant, operator: Clerk, paid: dict[str, Any]) -> None:
    operator.opens(path_of(operator, paid))
    page = operator.page
    for _ in range(2):
        operator.page = page
        assert operator.sends(path_of(operator, paid, "/refunds"), amount="10").status_code == 303
    assert amounts(bo, paid) == [1000]
    operator.page = page
    assert operator.sends(path_of(operator, paid, "/refunds"), amount="20").status_code == 422
    assert amounts(bo, paid) == [1000]


@pytest.mark.parametrize("left", ["-1", "8800.0", "much", "9" * 19, "9" * 1_000])
def test_what_no_page_of_ours_said_is_left_refunds_nothing(
    bo: Merchant, operator: Clerk, paid: dict[str, Any], left: str
) -> None:
    operator.opens(path_of(operator, paid))
    assert operator.sends(path_of(operator, paid, "/refunds"), amount="10", left=left).status_code == 422
    assert amounts(bo, paid) == []


def test_two_clicks_at_once_are_one_refund(world: World, bo: Merchant, operator: Clerk, paid: dict[str, Any]) -> None:
    operator.opens(path_of(operator, paid))
    cookie = operator.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert cookie
    hands = [Clerk(world, bo, operator.email) for _ in range(2)]
    for hand in hands:
        hand.page = operator.page
        hand.client.set_cookie("__Host-sampan", cookie.value, domain="pay.sampan.example")
    send = [
        Thread(target=hand.sends, args=(path_of(hand, paid, "/refunds"),), kwargs={"amount": "10"}) for hand in hands
    ]
    for thread in send:
        thread.start()
    for thread in send:
        thread.join()
    assert amounts(bo, paid) == [1000]


def test_who_looked_before_somebody_else_refunded_is_told_to_look_again(
    bo: Merchant, operator: Clerk, owner: Clerk, paid: dict[str, Any]
) -> None:
    operator.opens(path_of(operator, paid))
    assert refunds(owner, paid, "50") == 303
    assert operator.sends(path_of(operator, paid, "/refunds"), amount="38").status_code == 422
    assert "refunded meanwhile" in operator.sees()
    assert amounts(bo, paid) == [5000]


@pytest.mark.parametrize(
    "amount",
    [
        "88.01",
        "0",
        "-1",
        "1.001",
        "ten",
        "",
        "1e2",
        "８８",
        "1,5",
        "12,50",
        "1,,5,",
        "1,",
        "US$1",
        "AED 1",
        "¥1",
        "RMB 1",
    ],
)
def test_an_amount_that_makes_no_sense_refunds_nothing(
    bo: Merchant, operator: Clerk, paid: dict[str, Any], amount: str
) -> None:
    assert refunds(operator, paid, amount) == 422
    assert amounts(bo, paid) == []


def test_after_five_minutes_a_refund_asks_who_is_there(
    world: World, bo: Merchant, operator: Clerk, paid: dict[str, Any]
) -> None:
    proven_at = world.clock.now - timedelta(seconds=5)  # the five in which Ada paid came after it
    world.clock.now = proven_at + timedelta(minutes=4, seconds=59)
    operator.opens(path_of(operator, paid))
    assert 'name="proof"' not in operator.text
    world.clock.now = proven_at + timedelta(minutes=5)
    operator.opens(path_of(operator, paid))
    assert 'name="proof"' in operator.text
    for wrong in ({}, {"proof": "not my password"}):
        assert refunds(operator, paid, "10", **wrong) == 403
    assert amounts(bo, paid) == []
    before = operator.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert refunds(operator, paid, "10", proof=PASSWORD) == 303
    after = operator.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert before != after, "who has shown who they are has a new name"
    operator.opens(path_of(operator, paid))
    assert 'name="proof"' not in operator.text
    assert amounts(bo, paid) == [1000]


def test_who_only_looks_cannot_refund_by_hand_either(bo: Merchant, viewer: Clerk, paid: dict[str, Any]) -> None:
    viewer.opens(path_of(viewer, paid))
    assert "/refunds" not in viewer.text
    form = {"amount": "10", "left": "8800", "key": "k" * 20, "csrf_token": viewer.token()}
    assert viewer.asks("POST", path_of(viewer, paid, "/refunds"), data=form).status_code == 403
    assert amounts(bo, paid) == []


def test_another_shops_payment_is_not_there(world: World, bo: Merchant, owner: Clerk, hired: Any, paid: Any) -> None:
    cy = world.merchant("Cy's Cakes", webhooks=False)
    stranger = hired(cy, "owner")
    stranger.signs_in()
    for path in (path_of(owner, paid), path_of(stranger, paid)):
        assert stranger.asks("GET", path).status_code == 404
        form = {"amount": "10", "left": "8800", "key": "k" * 20, "csrf_token": stranger.token()}
        assert stranger.asks("POST", f"{path}/refunds", data=form).status_code == 404
    assert amounts(bo, paid) == []


def test_cancelling_stops_the_shopper_and_leaves_paid_what_is_paid(
    world: World, bo: Merchant, operator: Clerk, paid: dict[str, Any]
) -> None:
    fresh = bo.opens(reference="A-1002")
    for session, status in ((fresh, "cancelled"), (paid, "paid")):
        operator.opens(path_of(operator, session))
        assert operator.sends(path_of(operator, session, "/cancel")).status_code == 303
        assert bo.reads(session)["status"] == status
    operator.opens(path_of(operator, fresh))
    assert operator.email in operator.sees()


@pytest.mark.parametrize("amount", ["$12.5", "HK$12.50", "HKD 12.50", " 12.50 "])
def test_an_amount_may_have_its_mark(bo: Merchant, operator: Clerk, paid: dict[str, Any], amount: str) -> None:
    assert refunds(operator, paid, amount) == 303
    assert amounts(bo, paid) == [1250]
