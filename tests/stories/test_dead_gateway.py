"""The gateway is dead: nobody waits for time-outs, the truth is shown, and a genuine notification is second best."""

from datetime import timedelta
from typing import Any

import pytest

from checkout.domain.signing import sign_notification
from checkout.services.breakers import BETWEEN_PROBES, MOST_FAULTS
from checkout.services.returning import move_next_refund
from checkout.store.models import Payment
from sandbox import Scenario, Trouble
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_notifications import body_for, post

PAY, QUERY = "/trade/v1/payment", "/trade/v1/query"
FOR_EVER = 100_000


def dies(world: World) -> None:
    """From now on the gateway takes every call and answers none."""
    for path in (PAY, QUERY, "/trade/v1/refund"):
        world.ledger.inject(path, Trouble.DROP, FOR_EVER)


def lives(world: World) -> None:
    with world.ledger.store.writing() as db:
        db.execute("DELETE FROM fault")


def payments(world: World) -> list[tuple[str, str]]:
    with world.parts.sessions() as db:
        return [(payment.role, payment.proof) for payment in db.query(Payment).order_by(Payment.created_at)]


@pytest.fixture
def code(world: World, ada: Shopper, session: dict[str, Any]) -> str:
    """Ada sees a code; its number."""
    ada.picks("alipay_hk")
    return world.attempt(session).out_trade_no


# --- the breaker


def test_after_five_silent_calls_only_a_probe_is_sent_each_half_minute(world: World, code: str) -> None:
    dies(world)
    world.passes(120, step=2)
    opened = world.enquiries()
    assert opened >= MOST_FAULTS
    world.passes(300, step=3)
    assert world.enquiries() - opened == pytest.approx(300 / BETWEEN_PROBES.total_seconds(), abs=1)


def test_while_it_is_open_a_shopper_is_told_at_once(world: World, bo: Merchant, code: str) -> None:
    dies(world)
    world.passes(100, step=2)
    calls = len(world.ledger.calls(PAY))
    cay = world.shopper(bo.opens(reference="A-1002"))
    cay.picks("alipay_hk")
    assert cay.stage() == "failed"
    assert len(world.ledger.calls(PAY)) == calls
    assert world.attempts({"id": cay.path.rsplit("/", 1)[1]})[-1].failure == "unavailable"

    lives(world)
    world.passes(BETWEEN_PROBES.total_seconds() + 2)
    cay.picks("alipay_hk")
    assert cay.stage() == "scan"


def test_after_its_return_everything_is_settled_within_a_minute(
    world: World, bo: Merchant, session: dict[str, Any], code: str
) -> None:
    dies(world)
    world.pays(session)
    world.passes(20 * 60, step=30)
    assert bo.reads(session)["status"] == "open"
    lives(world)
    world.passes(45)
    assert bo.reads(session)["status"] == "paid"
    assert payments(world) == [("accepted", "enquiry")]


def test_the_page_says_that_nobody_answers_and_that_we_keep_asking(world: World, ada: Shopper, code: str) -> None:
    world.passes(70)
    assert "is not answering us" not in ada.page()
    dies(world)
    world.passes(90)
    assert "is not answering us" in ada.page()
    assert ada.stage() == "scan"  # her code can still be paid
    lives(world)
    world.passes(60)
    assert "is not answering us" not in ada.page()


def test_another_merchants_gateway_is_not_kept_waiting(world: World, code: str) -> None:
    cy = world.merchant("Cy's Cakes")
    dies(world)
    world.passes(100, step=2)
    lives(world)  # but the breaker of Bo's credential is still open
    session = cy.opens()
    eve = world.shopper(session)
    eve.picks("alipay_hk")
    assert eve.stage() == "scan"
    world.pays(session)
    world.passes(4)
    assert eve.sees() == "Paid"


def test_a_refund_waits_for_the_gateway_without_using_up_its_tries(
    world: World, bo: Merchant, session: dict[str, Any], code: str
) -> None:
    world.pays(session)
    world.passes(5)
    dies(world)
    other = bo.opens(reference="A-1002")
    world.shopper(other).picks("alipay_hk")
    world.passes(60)
    asked = len(world.ledger.calls("/trade/v1/refund"))
    told = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="r1").json
    assert told
    world.passes(6 * 3600, step=300)
    sent = len(world.ledger.calls("/trade/v1/refund")) - asked
    assert sent <= 1  # at most as the probe
    lives(world)
    world.passes(1800, step=30)
    assert bo.api("GET", f"/v1/refunds/{told['id']}").json == told | {
        "status": "succeeded", "syssn": world.ledger.order(code).refunds[0].syssn,
    }  # fmt: skip
    assert len(world.ledger.order(code).refunds) == 1


# --- the second-best proof


def test_a_refund_that_nobody_answers_about_is_not_the_end_of_the_round(
    world: World, bo: Merchant, session: dict[str, Any], code: str
) -> None:
    world.next(Scenario.REFUND_PROCESSING)
    other = bo.opens(reference="A-1002")
    world.shopper(other).picks("alipay_hk")
    world.pays(other)
    world.passes(5)
    assert bo.api("POST", f"/v1/checkout-sessions/{other['id']}/refunds", {}, Idempotency_Key="r1").status_code == 201
    world.works()
    world.clock.now += timedelta(seconds=30)
    dies(world)
    assert move_next_refund(world.refunding), "there may be others behind it"
    assert not move_next_refund(world.refunding), "and this one waits"


def genuine(world: World, bo: Merchant, number: str, **changes: Any) -> None:
    body = body_for(number, pay_type="801512", **changes)
    key = f"key-of-{next(iter(world.credentials))}"
    assert post(world, bo, body, sign_notification(body, key)).data == b"SUCCESS"


def test_a_genuine_notice_settles_when_nobody_answers_for_a_minute(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], code: str
) -> None:
    dies(world)
    world.pays(session)
    assert world.notifies() == [200]
    world.passes(55)
    assert bo.reads(session)["status"] == "open"
    world.passes(10)
    assert ada.sees() == "Paid"
    assert payments(world) == [("accepted", "notification")]
    assert [event["type"] for event in bo.heard()] == ["checkout_session.paid"]

    asked = world.enquiries()
    world.passes(120, step=2)
    assert world.enquiries() > asked  # asking goes on
    lives(world)
    world.passes(120, step=2)
    with world.parts.sessions() as db:
        assert db.query(Payment).one().confirmed_at
    assert not bo.reads(session)["review"]
    assert len(bo.heard()) == 1


def test_a_notice_that_differs_settles_nothing(
    world: World, bo: Merchant, session: dict[str, Any], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    dies(world)
    pay_type = world.attempt(session).pay_type
    for wrong in ({"txamt": "8799"}, {"txcurrcd": "USD"}, {"pay_type": "800101"}, {"cancel": "3"}, {"respcd": "1143"}):
        body = body_for(code, **({"pay_type": pay_type} | wrong))
        key = f"key-of-{next(iter(world.credentials))}"
        assert post(world, bo, body, sign_notification(body, key)).data == b"SUCCESS"
    world.passes(300, step=3)
    assert payments(world) == []
    assert bo.reads(session)["status"] == "open"
    assert "settled by a notification alone" not in caplog.text


def test_a_notice_that_enquiries_contradict_settles_nothing(
    world: World, bo: Merchant, session: dict[str, Any], code: str
) -> None:
    body = body_for(code, pay_type=world.attempt(session).pay_type)
    assert post(world, bo, body, sign_notification(body, "key-of-APP1")).data == b"SUCCESS"
    world.passes(10)  # the gateway answers: not paid
    dies(world)
    world.passes(600, step=5)
    assert payments(world) == []


def test_what_only_a_notice_vouched_for_is_reviewed_after_a_day_of_contradiction(
    world: World, bo: Merchant, session: dict[str, Any], code: str
) -> None:
    dies(world)
    body = body_for(code, pay_type=world.attempt(session).pay_type)
    assert post(world, bo, body, sign_notification(body, "key-of-APP1")).data == b"SUCCESS"
    world.passes(100, step=2)
    assert payments(world) == [("accepted", "notification")]
    lives(world)  # and knows nothing of it
    world.passes(23 * 3600, step=900)
    assert not bo.reads(session)["review"]
    world.passes(2 * 3600, step=900)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"]) == ("paid", "contradicted")
    assert payments(world) == [("accepted", "notification")]


def test_a_second_notice_changes_nothing_more(world: World, bo: Merchant, session: dict[str, Any], code: str) -> None:
    dies(world)
    pay_type = world.attempt(session).pay_type
    for chnlsn in ("1", "2"):
        body = body_for(code, pay_type=pay_type, chnlsn=chnlsn)
        assert post(world, bo, body, sign_notification(body, "key-of-APP1")).data == b"SUCCESS"
        world.clock.now += timedelta(seconds=1)
    world.passes(120, step=2)
    assert payments(world) == [("accepted", "notification")]
    assert len(bo.heard()) == 1


@pytest.mark.parametrize(
    ("column", "value", "reason"), [("cancel", "3", "returned_elsewhere"), ("amount", 8799, "contradicted")]
)
def test_a_booked_payment_that_reads_otherwise_later_is_looked_at(
    world: World, bo: Merchant, session: dict[str, Any], code: str, column: str, value: str | int, reason: str
) -> None:
    """It was returned, and not by us; or it never was of the amount that was booked."""
    world.pays(session)
    world.passes(5)
    assert bo.reads(session)["status"] == "paid"
    with world.ledger.store.writing() as db:
        db.execute(f"UPDATE record SET {column} = ? WHERE out_trade_no = ?", (value, code))  # noqa: S608
    world.passes(180)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"]) == ("paid", reason)
