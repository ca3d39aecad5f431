"""The gateway says no to a refund, and may have made it all the same: Bo never sends the same money back twice."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkout.domain.lifecycle import RefundStatus
from checkout.domain.refunding import MOST_TRIES
from checkout.services.enquiries import Asking, Lanes
from checkout.services.returning import move_next_refund
from checkout.store.models import Refund
from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_answers, gateway_refuses, meanwhile, mount
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import LOST, QUERY, REFUND, asks, does_the_next_refund_and_says, pay, read
from tests.stories.test_reviews import decides, run, written

DOUBTFUL = ("1125", "1146", "1262", "1264", "1296", "1297")


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


def no(code: str) -> bytes:
    return json.dumps({"respcd": code, "resperr": "no"}).encode()


def went_back(world: World, session: dict[str, Any]) -> list[int]:
    return [one.amount for one in world.ledger.order(world.attempt(session).out_trade_no).refunds]


def shows_no_refunds(world: World) -> None:
    """The gateway's records are late: enquiries find payments only."""

    def without(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"data": [one for one in answer["data"] if one["order_type"] != "refund"]}

    gateway_answers(world, QUERY, without)


@pytest.mark.parametrize("code", DOUBTFUL)
def test_a_refund_that_was_made_and_denied_is_found_by_asking(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    does_the_next_refund_and_says(world, no(code))
    asked = asks(bo, paid, amount=4000)
    world.passes(2)
    assert read(bo, asked)["status"] == "pending", "whoever asks again now would send it twice"
    world.passes(20)
    assert read(bo, asked)["status"] == "succeeded"
    assert went_back(world, paid) == [4000]


@pytest.mark.parametrize("code", DOUBTFUL)
def test_one_that_was_only_denied_is_sent_again_under_its_number(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    gateway_refuses(world, REFUND, code, times=1)
    asked = asks(bo, paid, amount=4000)
    world.passes(4 * 60, step=5)
    assert read(bo, asked)["status"] == "pending"
    world.passes(3 * 60, step=5)
    assert read(bo, asked)["status"] == "succeeded"
    assert went_back(world, paid) == [4000]


@pytest.mark.parametrize("code", ["1265", "1271", "1272"])
def test_a_no_to_the_second_sending_says_nothing_of_the_first(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    shows_no_refunds(world)
    does_the_next_refund_and_says(world, LOST)
    asked = asks(bo, paid, amount=4000)
    world.passes(60, step=5)
    does_the_next_refund_and_says(world, no(code))
    world.passes(5 * 60, step=5)
    assert len(world.ledger.calls(REFUND)) == 2
    assert read(bo, asked)["status"] == "pending"
    assert read(bo, asked)["waits_until"] is None, "nothing is waited for but the gateway's records"

    mount(world, world.sandbox)
    world.passes(5 * 60, step=5)
    assert read(bo, asked)["status"] == "succeeded"
    assert went_back(world, paid) == [4000]


def test_a_no_to_the_second_sending_counts_when_nothing_is_found_of_either(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_500, 1)
    asked = asks(bo, paid, amount=4000)
    world.passes(60, step=5)
    gateway_refuses(world, REFUND, "1271", times=1)
    world.passes(5 * 60, step=5)
    assert read(bo, asked)["status"] == "pending"
    world.passes(6 * 60, step=5)
    told = read(bo, asked)
    assert (told["status"], told["failure"]) == ("failed", {"code": "1271"})
    assert (went_back(world, paid), bo.reads(paid)["amount_refunded"]) == ([], 0)
    assert asks(bo, paid, "again", amount=8800).status_code == 201


def test_another_amount_under_our_number_calls_for_a_person_at_once(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    def with_another_amount(answer: dict[str, Any]) -> dict[str, Any]:
        data = [one | ({"txamt": "4001"} if one["order_type"] == "refund" else {}) for one in answer["data"]]
        return answer | {"data": data}

    gateway_answers(world, QUERY, with_another_amount)
    does_the_next_refund_and_says(world, LOST)
    asked = asks(bo, paid, amount=4000)
    world.passes(60, step=5)
    assert (read(bo, asked)["status"], bo.reads(paid)["review"]) == ("pending", True)
    world.passes(3600, step=60)
    assert len(world.ledger.calls(REFUND)) == 1, "it is not sent again"


def test_two_processes_send_refunds_of_one_payment_one_after_the_other(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    asked = asks(bo, paid, "1", amount=1000)
    asks(bo, paid, "2", amount=2000)
    world.clock.now += timedelta(seconds=1)
    first_one = update(Refund).where(Refund.id == read(bo, asked)["id"], Refund.status == RefundStatus.RESERVED)
    joined = world.parts
    beside = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, world.clock, Lanes())

    def another_process() -> None:
        with joined.sessions() as db:
            db.execute(first_one.values(next_at=world.clock() + timedelta(seconds=20)))
            db.commit()
        assert move_next_refund(beside), "it finds the second one"

    one_writer = world.parts.engine.dialect.name == "sqlite"  # there the other can only act once we go on
    with meanwhile(world, "SELECT budget.", another_process, patience=0.5 if one_writer else 30) as raised:
        move_next_refund(world.refunding)
    assert raised == []
    assert len(world.ledger.calls(REFUND)) == 1
    world.passes(30)
    first, second = (call.at for call in world.ledger.calls(REFUND))
    assert second - first >= timedelta(seconds=3)
    assert sorted(went_back(world, paid)) == [1000, 2000]


def test_a_refund_of_january_that_is_asked_about_in_march_is_found(world: World, bo: Merchant) -> None:
    world.clock.now = datetime(2026, 1, 31, 4, tzinfo=UTC)
    paid = pay(world, bo)
    world.next(Scenario.LOST_ANSWER)
    asked = asks(bo, paid)
    world.works()
    world.clock.now = datetime(2026, 3, 5, 4, tzinfo=UTC)
    world.passes(20)
    assert read(bo, asked)["status"] == "succeeded"
    assert len(world.ledger.calls(REFUND)) == 1


@pytest.mark.parametrize("code", ["1146", "1297", "1100"])
def test_a_no_that_never_ends_fails_the_refund_once_nothing_is_found_of_any_sending(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    """A bank that takes none of an amount is busy for ever: Bo hears it in an hour, and may ask for less."""
    gateway_refuses(world, REFUND, code)
    asked = asks(bo, paid, amount=4000)
    world.passes(35 * 60, step=10)
    assert read(bo, asked)["status"] == "pending"
    world.passes(25 * 60, step=10)
    told = read(bo, asked)
    assert (told["status"], told["failure"], bo.reads(paid)["review"]) == ("failed", {"code": code}, False)
    mount(world, world.sandbox)
    assert asks(bo, paid, "less", amount=3000).status_code == 201
    world.passes(20)
    assert went_back(world, paid) == [3000]


def test_the_number_of_one_that_got_no_answer_for_an_hour_is_never_given_up(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    gateway_refuses(world, REFUND, "1297", times=7)
    world.ledger.inject(REFUND, Trouble.HTTP_500, 1)
    asked = asks(bo, paid, amount=4000)
    world.passes(90 * 60, step=10)
    assert (read(bo, asked)["status"], bo.reads(paid)["review_reason"]) == ("pending", "refund_unknown")
    mount(world, world.sandbox)


def test_a_refund_that_got_no_answer_eight_times_is_sent_once_more_when_a_person_says_so(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_500, MOST_TRIES + 1)
    asked = asks(bo, paid, amount=3000)
    assert run(world, "resend", paid["id"], "--reason", "too early").exit_code == 1
    world.passes(2 * 3600, step=20)
    assert (bo.reads(paid)["review_reason"], len(world.ledger.calls(REFUND))) == ("refund_unknown", MOST_TRIES)

    decides(world, "resend", paid)
    world.passes(900, step=15)
    assert (read(bo, asked)["status"], len(world.ledger.calls(REFUND))) == ("pending", MOST_TRIES + 1), "once, no more"
    decides(world, "resend", paid)
    world.passes(30)
    assert read(bo, asked)["status"] == "succeeded"
    assert len({call.params["out_trade_no"] for call in world.ledger.calls(REFUND)}) == 1
    refused = run(world, "resend", paid["id"], "--reason", "again")
    assert (refused.exit_code, "still unknown" in refused.output) == (1, True)
    decides(world, "close", paid)
    assert written(world, paid["id"])[-3:] == [("operator", "review_decided")] * 3


def test_one_that_was_made_all_the_same_is_found_and_not_sent_once_more(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    shows_no_refunds(world)
    world.next(Scenario.LOST_ANSWER)
    asked = asks(bo, paid, amount=3000)
    world.works()
    world.ledger.inject(REFUND, Trouble.HTTP_500, 100)
    world.passes(2 * 3600, step=20)
    sent = len(world.ledger.calls(REFUND))
    mount(world, world.sandbox)
    decides(world, "resend", paid)
    world.passes(30)
    assert (read(bo, asked)["status"], len(world.ledger.calls(REFUND))) == ("succeeded", sent)
