"""Bo sends money back: never more than came, never twice, and never by a guess."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from werkzeug.test import TestResponse

from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_refuses
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_merchant_api import mistakes

REFUND = "/trade/v1/refund"
QUERY = "/trade/v1/query"
REFUSES = b'{"respcd": "1271", "resperr": "no partial refund"}'
LOST = b"<html>gone"


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


def pay(world: World, bo: Merchant, scenario: Scenario | None = None, **wishes: Any) -> dict[str, Any]:
    session = bo.opens(**wishes)
    if scenario:
        world.next(scenario)
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    assert bo.reads(session)["status"] == "paid"
    return session


def asks(bo: Merchant, session: dict[str, Any], key: str = "r-1", **wish: Any) -> TestResponse:
    return bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", wish, Idempotency_Key=key)


def read(bo: Merchant, answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found = bo.api("GET", f"/v1/refunds/{answer.json['id']}")  # type: ignore[index]
    return cast(dict[str, Any], found.json)


def test_a_whole_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answer = asks(bo, paid, reason="broken pot")
    assert answer.json is not None
    assert (answer.status_code, answer.json["status"], answer.json["amount"]) == (201, "pending", 8800)
    world.passes(3)
    told = read(bo, answer)
    assert (told["status"], told["failure"], told["reason"]) == ("succeeded", None, "broken pot")
    assert told["syssn"]
    session = bo.reads(paid)
    assert (session["status"], session["amount_refunded"], session["refunds"]) == ("paid", 8800, [told])
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid", "refund.succeeded"]


def test_parts_never_exceed_the_whole(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    assert asks(bo, paid, "1", amount=5000).status_code == 201
    too_much = asks(bo, paid, "2", amount=3801)
    assert too_much.status_code == 422
    assert mistakes(too_much) == {"amount": "must be at most what is left: 3800"}
    assert asks(bo, paid, "3", amount=3800, amount_left=3800).status_code == 201
    nothing = asks(bo, paid, "4")
    assert (nothing.status_code, mistakes(nothing)) == (422, {"amount": "must be absent: nothing is left"})
    world.passes(30)
    assert bo.reads(paid)["amount_refunded"] == 8800
    assert len(world.ledger.calls(REFUND)) == 2


@pytest.mark.parametrize("amount", [8801, 10**9 + 1, 2**31, 2**63 - 1, 2**63, 10**39])
def test_any_amount_that_is_more_than_what_is_left_is_just_that(
    bo: Merchant, paid: dict[str, Any], amount: int
) -> None:
    too_much = asks(bo, paid, amount=amount)
    assert (too_much.status_code, mistakes(too_much)) == (422, {"amount": "must be at most what is left: 8800"})
    assert asks(bo, paid, amount_left=amount).status_code == 412
    assert asks(bo, paid, amount=8800).status_code == 201


def test_refunds_of_one_payment_go_one_after_the_other(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    for number in range(3):
        asks(bo, paid, str(number), amount=100)
    world.passes(40)
    at = [call.at for call in world.ledger.calls(REFUND)]
    assert len(at) == 3
    assert all(after - before >= timedelta(seconds=3) for before, after in zip(at, at[1:], strict=False))  # noqa: RUF007


def test_the_same_key_is_one_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    first, again = asks(bo, paid, amount=100), asks(bo, paid, amount=100)
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert asks(bo, paid, amount=200).status_code == 422
    world.passes(10)
    assert len(bo.reads(paid)["refunds"]) == 1


@pytest.mark.parametrize("wish", [{"amount": 0}, {"amount": -1}, {"amount": "1"}, {"amount": 1.5}, {"colour": 1}])
def test_a_strange_wish_is_refused(bo: Merchant, paid: dict[str, Any], wish: dict[str, Any]) -> None:
    assert asks(bo, paid, **wish).status_code == 400


def test_the_guard_says_when_less_is_left(bo: Merchant, paid: dict[str, Any]) -> None:
    asks(bo, paid, "1", amount=800)
    assert asks(bo, paid, "2", amount=100, amount_left=8800).status_code == 412


def test_without_a_key_or_a_payment_there_is_no_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    assert bo.api("POST", f"/v1/checkout-sessions/{paid['id']}/refunds", {}).status_code == 400
    unpaid = bo.opens(reference="unpaid")
    assert asks(bo, unpaid, "9").status_code == 409
    cy = world.merchant("Cy's Shop")
    assert asks(cy, paid).status_code == 404
    assert cy.api("GET", "/v1/refunds/rf_1").status_code == 404


@pytest.mark.parametrize("trouble", [Trouble.HTTP_500, Trouble.DROP, Trouble.HANG, Trouble.GARBAGE, Trouble.HTML])
def test_silence_is_asked_about_and_the_number_stays(
    world: World, bo: Merchant, paid: dict[str, Any], trouble: Trouble
) -> None:
    """These troubles strike before any effect, so that the refund has to be sent again, under its own number."""
    world.ledger.inject(REFUND, trouble, 1)
    answer = asks(bo, paid)
    world.passes(60)
    assert read(bo, answer)["status"] == "pending"
    world.passes(6 * 60, step=5)
    assert read(bo, answer)["status"] == "succeeded"
    assert len({call.params["out_trade_no"] for call in world.ledger.calls(REFUND)}) == 1


def does_the_next_refund_and_says(world: World, body: bytes) -> None:
    """The gateway does it, and what it answers is something else."""
    gateway = world.sandbox.wsgi_app

    def lies(environ: Any, start_response: Any) -> Any:
        done = gateway(environ, start_response)
        if environ["PATH_INFO"] != REFUND:
            return done
        world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
        b"".join(done)
        return [body]

    world.sandbox.wsgi_app = lies  # type: ignore[method-assign]


def test_an_answer_that_was_lost_is_found_by_asking(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answer = asks(bo, paid)
    does_the_next_refund_and_says(world, LOST)
    world.passes(20)
    assert read(bo, answer)["status"] == "succeeded"
    assert len(world.ledger.calls(REFUND)) == 1


def test_a_refund_under_way_is_waited_for(world: World, bo: Merchant) -> None:
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session)
    world.passes(10)
    assert read(bo, answer)["status"] == "pending"
    world.passes(60)
    assert read(bo, answer)["status"] == "succeeded"
    assert len(world.ledger.calls(REFUND)) == 1


def test_empty_takings_wait_for_tomorrow(world: World, bo: Merchant) -> None:
    session = pay(world, bo, Scenario.LOW_TAKINGS)
    answer = asks(bo, session)
    world.passes(30)
    told = read(bo, answer)
    assert (told["status"], told["waits_until"]) == ("pending", "2026-03-11T04:00:05.000Z")
    world.passes(9 * 86400, step=3600)
    told = read(bo, answer)
    assert (told["status"], told["failure"]) == ("failed", {"code": "1269"})
    assert bo.reads(session)["amount_refunded"] == 0
    assert "refund.failed" in [news["type"] for news in bo.heard()]
    assert asks(bo, session, "again").status_code == 201  # the reserve was given back


@pytest.mark.parametrize("wall", ["23:29:59", "23:45:00", "00:10:00", "00:30:00"])
def test_at_night_refunds_wait_and_say_until_when(world: World, bo: Merchant, wall: str) -> None:
    day = "2026-03-11" if wall < "12" else "2026-03-10"
    world.clock.now = datetime.fromisoformat(f"{day}T{wall}+08:00") - timedelta(seconds=4)
    session = pay(world, bo)
    answer = asks(bo, session)
    world.passes(60)
    assert read(bo, answer)["status"] == "pending"
    assert world.ledger.calls(REFUND) == []
    world.passes(70 * 60, step=30)
    assert read(bo, answer)["status"] == "succeeded"
    assert [call.at.astimezone().strftime("%M") for call in world.ledger.calls(REFUND)] == ["35"]


def test_a_surplus_goes_back_within_a_minute(world: World, bo: Merchant) -> None:
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    paid_at = world.clock.now
    world.passes(60)
    calls = world.ledger.calls(REFUND)
    assert len(calls) == 1
    assert calls[0].at - paid_at <= timedelta(seconds=60)


def test_the_gateways_word_about_a_refund_is_known(
    world: World, bo: Merchant, caplog: pytest.LogCaptureFixture
) -> None:
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    world.notifies()
    answer = asks(bo, session)
    world.passes(25)
    assert world.notifies() == [200]
    world.passes(2)
    assert read(bo, answer)["status"] == "succeeded"
    assert "unknown number" not in caplog.text


def test_maintenance_is_no_refusal(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    """1100 says "later" without saying whether anything was booked: asked about, then sent again under its number."""
    gateway_refuses(world, REFUND, "1100", times=1)
    answer = asks(bo, paid)
    world.passes(60)
    assert read(bo, answer)["status"] == "pending"
    world.passes(6 * 60, step=5)
    assert read(bo, answer)["status"] == "succeeded"
    assert "refund.failed" not in [news["type"] for news in bo.heard()]


def test_a_refund_that_waited_for_months_is_found_in_the_month_in_which_it_was_sent(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    told = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="r1").json
    assert told
    world.clock.now += timedelta(days=75)
    world.next(Scenario.LOST_ANSWER)
    world.passes(60)
    assert bo.api("GET", f"/v1/refunds/{told['id']}").json["status"] == "succeeded"  # type: ignore[index]
    assert len(world.ledger.order(world.attempt(session).out_trade_no).refunds) == 1


def test_a_refund_of_a_months_last_evening_is_found_in_the_next_month(world: World, bo: Merchant) -> None:
    world.clock.now = datetime(2026, 3, 31, 15, 15, tzinfo=UTC)  # 23:15 in Hong Kong
    paid = pay(world, bo)
    world.next(Scenario.LOST_ANSWER)
    asked = asks(bo, paid)
    world.ledger.inject(QUERY, Trouble.DROP, 1_000)
    world.passes(3600, step=60)
    assert read(bo, asked)["status"] == "pending"
    with world.ledger.store.writing() as db:
        db.execute("DELETE FROM fault")
    world.passes(600, step=10)
    assert (read(bo, asked)["status"], len(world.ledger.calls(REFUND))) == ("succeeded", 1)
    assert world.violations() == []
