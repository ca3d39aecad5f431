"""How a session ends without a payment, and what happens when money comes all the same."""

from datetime import timedelta
from typing import Any

import pytest

from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_hooks
from tests.stories.cast import Merchant, Shopper, World

HOUR = 3600


def test_an_untouched_session_expires_at_its_deadline(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    world.passes(30 * 60 + 1, step=60)
    assert ada.sees() == "This checkout has ended"
    assert bo.reads(session)["status"] == "expired"
    assert [news["type"] for news in bo.heard()] == ["checkout_session.expired"]
    assert ada.picks("alipay_hk").status_code == 303
    assert world.attempts(session) == []


def test_before_anything_expires_the_gateway_is_asked(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    world.passes(29 * 60, step=60)
    ada.picks("alipay")
    asked = world.enquiries()
    world.passes(90, step=5)
    assert ada.stage() == "closing"
    assert ada.may_pick() == []
    assert "data-qr" not in ada.page()
    assert (bo.reads(session)["status"], world.enquiries() > asked) == ("open", True)

    world.passes(6 * 60, step=5)
    assert ada.sees() == "This checkout has ended"
    ends_at, answered_at = world.attempt(session).ends_at, world.attempt(session).answered_at
    assert answered_at is not None
    assert answered_at >= ends_at


def test_while_the_gateway_is_silent_nothing_expires(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay")
    world.ledger.inject("/trade/v1/query", Trouble.HTTP_500, 100_000)
    world.passes(3 * HOUR, step=120)
    assert ada.stage() == "closing"
    assert bo.reads(session)["status"] == "open"


def test_a_payment_in_the_last_second_counts(world: World, ada: Shopper, session: dict[str, Any], bo: Merchant) -> None:
    world.passes(25 * 60, step=60)
    ada.picks("alipay")
    deadline = world.row(session).expires_at
    world.clock.now = deadline + timedelta(seconds=2)
    world.works()
    assert ada.stage() == "closing"
    world.pays(session, at=deadline - timedelta(seconds=1))
    world.passes(20)
    assert ada.sees() == "Paid"
    assert bo.reads(session)["status"] == "paid"


@pytest.mark.parametrize("policy", ["hold", "accept", "refund"])
def test_late_money_follows_the_policy_of_the_session(world: World, bo: Merchant, policy: str) -> None:
    session = bo.opens(late_payment=policy)
    ada = world.shopper(session)
    world.next(Scenario.LATE_PAYMENT)
    ada.picks("alipay")
    world.passes(40 * 60, step=60)
    assert ada.stage() == "expired"
    world.ledger.pay(world.attempt(session).out_trade_no)
    world.passes(7 * HOUR, step=60)
    told = bo.reads(session)
    kinds = [news["type"] for news in bo.heard()]
    if policy == "accept":
        assert (told["status"], told["review"]) == ("paid", False)
        assert kinds[-2:] == ["payment.late", "checkout_session.paid"]
    elif policy == "refund":
        assert (told["status"], told["review"], told["amount_refunded"]) == ("expired", False, 0)
        assert [(refund["cause"], refund["status"]) for refund in told["refunds"]] == [("late", "succeeded")]
        assert kinds[-2:] == ["payment.late", "refund.succeeded"]
        assert "HK$88.00 came after the time limit and was sent back" in ada.page()
        assert "Nothing was paid" not in ada.page()
    else:
        assert (told["status"], told["review"]) == ("expired", True)
        assert [payment["role"] for payment in told["payments"]] == ["late"]
        assert ada.stage() == "review"
        assert "payment.late" in kinds


def test_a_shopper_gives_up_before_choosing(world: World, ada: Shopper, session: dict[str, Any], bo: Merchant) -> None:
    assert ada.cancels().status_code == 303
    assert ada.sees() == "You cancelled this payment"
    assert ada.way_back().startswith("https://shop.example/thanks?session_id=")
    world.works()
    assert [news["type"] for news in bo.heard()] == ["checkout_session.cancelled"]
    assert bo.reads(session)["status"] == "cancelled"


def test_giving_up_with_a_live_code_waits_for_its_end(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay")
    world.passes(2)
    answer = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    assert (answer.status_code, answer.json["status"]) == (200, "open")  # type: ignore[index]
    assert ada.stage() == "closing"
    assert "status=open" in ada.way_back()  # she need not wait here for the code's end
    world.passes(33 * 60, step=10)
    assert bo.reads(session)["status"] == "cancelled"
    assert ada.sees() == "You cancelled this payment"


def test_what_was_cancelled_while_its_order_was_on_the_way_ends_when_the_order_is_refused(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    other = bo.opens(reference="other")
    world.shopper(other).picks("alipay_hk")
    world.shopper(other).cancels()
    due = world.row(other).due_at
    world.next(Scenario.REFUSED_1104)
    gateway_hooks(world, "/trade/v1/payment", lambda _: world.shopper(session).cancels())
    ada.picks("alipay_hk")
    assert (world.row(session).status, world.row(session).due_at) == ("closing", world.clock.now)
    assert world.row(other).due_at == due
    world.works()
    assert bo.reads(session)["status"] == "cancelled"


def test_cancelling_what_was_just_paid_keeps_it_paid(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    ada.cancels()
    world.passes(5)
    assert ada.sees() == "Paid"
    assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").json["status"] == "paid"  # type: ignore[index]


BASKET = "https://shop.example/basket"


def test_who_gave_up_goes_back_to_the_basket_and_who_paid_all_the_same_to_the_thanks(
    world: World, bo: Merchant
) -> None:
    session = bo.opens(cancel_url=BASKET)
    ada = world.shopper(session)
    ada.picks("alipay")
    world.passes(2)
    ada.cancels()
    assert ada.stage() == "closing"
    assert ada.way_back().startswith(f"{BASKET}?session_id=")

    world.pays(session)
    world.passes(30)
    assert ada.sees() == "Paid"
    assert ada.way_back().startswith("https://shop.example/thanks?session_id=")
    assert "https://shop.example/thanks?session_id=" in ada.asks("GET", f"{ada.path}/receipt").text


@pytest.mark.parametrize(("policy", "place"), [("hold", BASKET), ("accept", "https://shop.example/thanks")])
def test_money_after_giving_up_leads_to_the_thanks_only_when_it_is_taken(
    world: World, bo: Merchant, policy: str, place: str
) -> None:
    session = bo.opens(cancel_url=BASKET, late_payment=policy)
    ada = world.shopper(session)
    world.next(Scenario.LATE_PAYMENT)
    ada.picks("alipay")
    ada.cancels()
    world.passes(40 * 60, step=60)
    assert (ada.stage(), ada.way_back().split("?")[0]) == ("cancelled", BASKET)

    world.pays(session)
    world.passes(7 * HOUR, step=60)
    assert (ada.stage(), ada.way_back().split("?")[0]) == ("paid" if policy == "accept" else "review", place)


def test_a_code_that_ended_can_be_renewed_while_the_session_lives(world: World, bo: Merchant) -> None:
    session = bo.opens(expires_in=180)
    ada = world.shopper(session)
    ada.picks("alipay")
    world.passes(32 * 60, step=10)
    assert ada.stage() in {"failed", "choose"}
    ada.picks("alipay")
    assert ada.sees() == "Scan with Alipay"
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"


def test_an_abandoned_password_entry_ends_after_the_code_has(
    world: World, ada: Shopper, session: dict[str, Any], bo: Merchant
) -> None:
    ada.picks("alipay")
    order = world.ledger.order(world.attempt(session).out_trade_no)
    assert order is not None
    world.ledger.scan(order.token)
    world.passes(40 * 60, step=60)
    assert bo.reads(session)["status"] == "expired"


@pytest.mark.parametrize("day", ["2026-02-28T15:58:00+00:00", "2026-12-31T15:58:00+00:00", "2028-02-29T15:59:30+00:00"])
def test_a_month_edge_hides_no_payment(world: World, bo: Merchant, day: str) -> None:
    world.clock.now = type(world.clock.now).fromisoformat(day)
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(5 * 60, step=5)
    world.pays(session)
    world.passes(20)
    assert ada.sees() == "Paid"
