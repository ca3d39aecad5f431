"""Refunds that come to no end by themselves: Bo hears of them, other money goes back, and a person can end them."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import update
from werkzeug.wrappers import Response

from checkout.domain.lifecycle import RefundStatus
from checkout.domain.refunding import MOST_TRIES
from checkout.store.models import Refund
from sandbox import Trouble
from tests.hostile.tricks import gateway_refuses, mount
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import QUERY, REFUND, asks, pay, read
from tests.stories.test_reviews import decides

DAY = 86400
Params = dict[str, str]
Records = list[dict[str, str]]


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


@pytest.fixture
def twice(world: World, bo: Merchant) -> dict[str, Any]:
    """Two codes of one session that Ada pays at once: one of them is surplus."""
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(session):
        world.ledger.pay(attempt.out_trade_no)
    return session


def record(sent: Params, code: str, syssn: str = "20260310990000000000000001") -> dict[str, str]:
    """A refund as an enquiry lists it (qfpay.md section 4)."""
    return {
        "order_type": "refund", "out_trade_no": sent["out_trade_no"], "syssn": syssn, "origssn": sent["syssn"],
        "txamt": sent["txamt"], "txcurrcd": "HKD", "pay_type": "801514", "respcd": code, "cancel": "0",
        "sysdtm": sent["txdtm"], "paydtm": "", "txdtm": sent["txdtm"],
    }  # fmt: skip


def gateway_lists(world: World, records: Callable[[Params], Records], *, says: str = "1145") -> None:
    """Refund calls are answered with this code and do nothing; enquiries about their numbers list these records."""
    sent: dict[str, Params] = {}

    def between(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        form = dict(parse_qsl(body.decode()))
        asked = sent.keys() & form.get("out_trade_no", "").split(",")
        answer: dict[str, Any] = {"respcd": says, "resperr": "x"}
        if environ["PATH_INFO"] == REFUND:
            sent[form["out_trade_no"]] = form
        elif environ["PATH_INFO"] == QUERY and asked:
            answer = {"respcd": "0000", "data": [one for number in asked for one in records(sent[number])]}
        else:
            return world.sandbox(environ, start_response)
        return Response(json.dumps(answer), content_type="application/json")(environ, start_response)

    mount(world, between)


@pytest.mark.parametrize("code", ["1142", "1264", "1154"])
def test_surplus_that_the_records_say_did_not_go_back_is_looked_at(
    world: World, bo: Merchant, twice: dict[str, Any], code: str
) -> None:
    gateway_lists(world, lambda sent: [record(sent, code)])
    world.passes(60)
    told = bo.reads(twice)
    assert [(one["status"], one["failure"]) for one in told["refunds"]] == [("failed", {"code": code})]
    assert told["review_reason"] == "refund_surplus"
    assert world.violations() == []
    mount(world, world.sandbox)
    decides(world, "refund", twice)
    world.passes(30)
    assert bo.reads(twice)["refunds"][-1]["status"] == "succeeded"


@pytest.mark.parametrize("turned", [1, -1])
def test_one_of_two_records_says_that_it_failed_and_the_other_not_yet(
    world: World, bo: Merchant, paid: dict[str, Any], turned: int
) -> None:
    second = {"code": "1145"}

    def both(sent: Params) -> Records:
        return [record(sent, "1154"), record(sent, second["code"], "20260310990000000000000002")][::turned]

    gateway_lists(world, both)
    asked = asks(bo, paid, amount=4000)
    world.passes(60)
    assert read(bo, asked)["status"] == "pending", "asked for again it would go back twice"
    second["code"] = "0000"
    world.passes(60)
    assert read(bo, asked)["status"] == "succeeded"
    mount(world, world.sandbox)


@pytest.mark.parametrize("syssn", ["9" * 65, "2026\0", "\ud800", ""])
def test_a_refund_that_is_done_is_done_whatever_it_is_called(
    world: World, bo: Merchant, paid: dict[str, Any], syssn: str
) -> None:
    gateway_lists(world, lambda sent: [record(sent, "0000", syssn)])
    asked = asks(bo, paid, amount=4000)
    world.passes(30)
    assert (read(bo, asked)["status"], read(bo, asked)["syssn"]) == ("succeeded", "")
    mount(world, world.sandbox)


@pytest.mark.parametrize("code", ["1145", "2999", "1262", "9999"])
def test_a_refund_that_is_under_way_for_a_day_is_looked_at_and_asked_about_all_the_same(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    now = {"code": code}
    gateway_lists(world, lambda sent: [record(sent, now["code"])])
    asked = asks(bo, paid, amount=4000)
    world.passes(DAY - 3600, step=600)
    assert bo.reads(paid)["review"] is False
    world.passes(2 * 3600, step=600)
    assert bo.reads(paid)["review_reason"] == "refund_unknown"
    decides(world, "close", paid)
    world.passes(2 * DAY, step=3600)
    assert bo.reads(paid)["review"] is False, "who has looked is not called again"
    now["code"] = "0000"
    world.passes(3600, step=600)
    assert read(bo, asked)["status"] == "succeeded"
    mount(world, world.sandbox)


def test_enquiries_that_are_refused_for_a_day_call_a_person(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_500, 1)
    asked = asks(bo, paid, amount=4000)
    world.works()
    gateway_refuses(world, QUERY, "1113")
    world.passes(DAY + 3600, step=600)
    assert (read(bo, asked)["status"], bo.reads(paid)["review_reason"]) == ("pending", "refund_unknown")
    mount(world, world.sandbox)


def test_surplus_that_cannot_be_sent_back_for_a_day_is_looked_at(
    world: World, bo: Merchant, twice: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_429, 10_000)
    world.passes(DAY - 3600, step=600)
    assert bo.reads(twice)["review"] is False
    world.passes(2 * 3600, step=600)
    told = bo.reads(twice)
    assert ([one["status"] for one in told["refunds"]], told["review_reason"]) == (["pending"], "refund_unsent")


@pytest.mark.parametrize(("code", "ends_as"), [("1261", "failed"), ("1268", "failed"), ("1264", "pending")])
def test_one_that_is_refused_for_ever_does_not_keep_others_back(
    world: World, bo: Merchant, paid: dict[str, Any], code: str, ends_as: str
) -> None:
    """That nothing is left may be so because of this one: QFPay's records must tell."""
    gateway_refuses(world, REFUND, code)
    asked = asks(bo, paid, amount=4000)
    world.passes(3600, step=20)
    assert read(bo, asked)["status"] == ends_as
    mount(world, world.sandbox)
    other = asks(bo, paid, "other", amount=1000)
    world.passes(16 * 60, step=20)
    assert read(bo, other)["status"] == "succeeded"


@pytest.mark.parametrize("code", ["1102", "2011"])
def test_a_number_that_was_used_is_never_given_up_by_itself(
    world: World, bo: Merchant, paid: dict[str, Any], code: str
) -> None:
    gateway_refuses(world, REFUND, code)
    asked = asks(bo, paid, amount=4000)
    world.passes(2 * 3600, step=20)
    assert (read(bo, asked)["status"], bo.reads(paid)["review_reason"]) == ("pending", "refund_unknown")
    mount(world, world.sandbox)


@pytest.mark.parametrize("used", ["1102", "1262"])
def test_what_may_have_been_made_is_not_given_up_for_what_is_said_later(
    world: World, bo: Merchant, paid: dict[str, Any], used: str
) -> None:
    gateway_refuses(world, REFUND, used)
    asked = asks(bo, paid, amount=4000)
    world.passes(40 * 60, step=20)
    gateway_refuses(world, REFUND, "1297")
    world.passes(60 * 60, step=20)
    assert (read(bo, asked)["status"], bo.reads(paid)["review_reason"]) == ("pending", "refund_unknown")
    mount(world, world.sandbox)


def test_each_refund_that_is_stuck_calls_a_person_of_its_own(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    gateway_lists(world, lambda sent: [record(sent, "1145")])
    first = asks(bo, paid, amount=4000)
    world.passes(DAY + 3600, step=600)
    decides(world, "close", paid)
    mount(world, world.sandbox)
    gateway_lists(world, lambda sent: [record(sent, "1145")])
    second = asks(bo, paid, "second", amount=1000)
    world.passes(DAY + 3600, step=600)
    assert {read(bo, one)["status"] for one in (first, second)} == {"pending"}
    assert bo.reads(paid)["review_reason"] == "refund_unknown"
    mount(world, world.sandbox)


def test_a_refund_that_waited_for_takings_is_not_called_unsent(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    gateway_refuses(world, REFUND, "1269", times=3)
    asked = asks(bo, paid, amount=4000)
    world.passes(2.5 * DAY, step=3600)
    world.ledger.inject(REFUND, Trouble.HTTP_429, 2)
    world.passes(DAY, step=600)
    assert (read(bo, asked)["status"], bo.reads(paid)["review"]) == ("succeeded", False)


def test_one_whose_process_died_at_its_last_sending_is_sent_once_more_too(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    world.ledger.inject(REFUND, Trouble.HTTP_500, MOST_TRIES)
    asked = asks(bo, paid, amount=4000)
    world.passes(2 * 3600, step=20)
    with world.parts.sessions() as db:  # as `_claim` leaves it, and nobody heard the answer
        db.execute(update(Refund).values(status=RefundStatus.SENT))
        db.commit()
    decides(world, "resend", paid)
    world.passes(30)
    assert read(bo, asked)["status"] == "succeeded"
