"""F31 to F34: pressed twice, paid twice, paid around the deadline, cancelled while it is paid."""

from datetime import timedelta
from typing import Any

import pytest

from sandbox import Scenario
from tests.faults.test_our_processes import HOUR, MINUTE
from tests.processes.cast import PAY
from tests.proofs.killing import LATER, Round
from tests.proofs.nursery import KILLED, Errand
from tests.proofs.stage import PAID, differences
from tests.stories.cast import NOON, PHONE, Inbox, Merchant, Shopper, World

# --- F31: pressed twice


def test_f31_pressing_again_reloading_and_going_back_are_one_order(world: World, ada: Shopper) -> None:
    """Sixteen processes at once: tests/proofs/test_crowds.py."""
    assert ada.picks("alipay_hk").status_code == 303  # Post/Redirect/Get: a reload asks for the page, not for money
    ada.page()
    again = ada.picks("alipay_hk")
    other_tab = world.shopper({"url": ada.url}).picks("alipay_hk")
    assert again.location == other_tab.location == ada.path
    assert len(world.ledger.calls(PAY)) == 1


def test_f31_two_devices_have_one_live_attempt_and_the_older_code_is_still_watched(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    phone = world.shopper(session, PHONE)
    phone.picks("alipay_hk")
    phone.picks("alipay_hk")
    older, newer = world.attempts(session)
    assert (older.superseded, newer.superseded) == (True, False)
    world.ledger.pay(older.out_trade_no)
    world.passes(20)
    assert bo.reads(session)["status"] == "paid"


# --- F32: two wallets, both paid


@pytest.mark.parametrize("first_paid", ["older", "newer"])
@pytest.mark.parametrize("point", ["payment.booked", "enquiry.between_rows", "surplus.booked", "refund.answered"])
def test_f32_both_codes_paid_within_50_ms_and_a_kill_between_them_leave_one_payment_and_send_back_the_other(
    round_of_kills: tuple[Round, Inbox], first_paid: str, point: str
) -> None:
    played, inbox = round_of_kills
    stage = played.stage
    session = stage.shop().opens()
    for wallet in ("alipay_hk", "alipay"):
        stage.shopper(session).picks(wallet)
    numbers = [attempt.out_trade_no for attempt in stage.attempts(session)]
    if first_paid == "newer":
        numbers.reverse()
    for number, milliseconds in zip(numbers, (0, 50), strict=True):
        stage.ledger.pay(number, at=stage.clock() + timedelta(milliseconds=milliseconds))
    at = [(NOON + timedelta(seconds=seconds)).isoformat() for seconds in (6, 120)]
    played.nursery.must_end(Errand(stage.place, at[0], moments=LATER[:4], trap=point), KILLED)
    played.nursery.must_end(Errand(stage.place, at[1], moments=LATER), 0)
    # QFPay tells the time in whole seconds: which of the two is the accepted one is anybody's guess, and no matter.
    roles = {payment["out_trade_no"]: payment["role"] for payment in stage.shop().reads(session)["payments"]}
    assert set(roles) == set(numbers)
    assert sorted(roles.values()) == ["accepted", "surplus"]
    assert list(differences(stage, inbox)) == []


# --- F33: paid around the deadline

OFFSETS = {"1 s before": -1, "at it": 0, "1 s after": 1, "1 min": MINUTE, "1 h": HOUR, "25 h": 25 * HOUR}


@pytest.mark.parametrize("policy", ["hold", "refund", "accept"])
@pytest.mark.parametrize("offset", OFFSETS.values(), ids=OFFSETS)
def test_f33_a_payment_counts_by_the_second_in_which_it_was_made(
    world: World, bo: Merchant, policy: str, offset: int
) -> None:
    session = bo.opens(expires_in=5, late_payment=policy)
    world.next(Scenario.LATE_PAYMENT)
    world.shopper(session).picks("alipay")
    deadline = world.row(session).expires_at
    paid_at = deadline + timedelta(seconds=offset)
    while world.clock() < paid_at:
        world.passes(min(5 * MINUTE, (paid_at - world.clock()).total_seconds()), step=30)
    world.pays(session, at=paid_at)
    world.notifies()
    world.passes(10)

    [payment] = bo.reads(session)["payments"]
    events = [news["type"] for news in bo.heard()]
    in_time = offset <= 0
    accepted = in_time or policy == "accept"
    assert payment["role"] == ("accepted" if accepted else "late")
    assert events.count(PAID) == (1 if accepted else 0)
    assert ("payment.late" in events) == (not in_time)
    world.passes(10 * MINUTE, step=30)
    told = bo.reads(session)
    assert told["status"] == ("paid" if accepted else "expired")
    returned = [(refund["cause"], refund["status"]) for refund in told["refunds"]]
    assert returned == ([("late", "succeeded")] if policy == "refund" and not in_time else [])
    assert told["review_reason"] == ("late" if policy == "hold" and not in_time else None)


# --- F34: cancelled while it is paid


@pytest.mark.parametrize("told", [True, False], ids=["with a notification", "without"])
@pytest.mark.parametrize("first", ["pays", "cancels"])
def test_f34_a_cancelled_session_whose_code_is_paid_is_paid_and_never_both(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], first: str, told: bool
) -> None:
    ada.picks("alipay_hk")
    if first == "pays":
        world.pays(session)
    assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    if first == "cancels":
        world.passes(5)
        world.pays(session)
    if told:
        world.notifies()
    world.passes(HOUR, step=60)
    assert bo.reads(session)["status"] == "paid"
    assert [news["type"] for news in bo.heard()] == [PAID]
