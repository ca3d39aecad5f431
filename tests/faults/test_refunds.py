"""F38 and F39: refunds asked for by many at once, without an answer, and by processes that die."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Response

from checkout import crash_points
from checkout.services.returning import move_next_refund
from sandbox import Trouble
from tests.faults.money_back import CROWD, QUERY, at_once, goes_back, paid, watched_books
from tests.stories.cast import Merchant, World
from tests.stories.test_refunds import REFUND, asks, read

__all__ = ["paid"]


# --- F38


@pytest.mark.parametrize(
    ("amounts", "accepted"),
    [([None] * CROWD, {1}), ([1000] * CROWD, {8}), ([None, 1000] * (CROWD // 2), set(range(1, 9)))],
    ids=["whole", "parts", "both"],
)
def test_f38_sixteen_refunds_at_once_never_hold_more_than_was_paid(
    world: World, bo: Merchant, paid: dict[str, Any], amounts: list[int | None], accepted: set[int]
) -> None:
    wishes = [{} if amount is None else {"amount": amount} for amount in amounts]
    with watched_books(world):
        answers = at_once(
            [lambda n=n, wish=wish: asks(bo, paid, f"key-{n}", **wish) for n, wish in enumerate(wishes)]  # type: ignore[misc]
        )
    told = Counter(answer.status_code for answer in answers)
    assert set(told) <= {201, 422}
    assert told[201] in accepted
    world.passes(90)
    promised = sum(answer.json["amount"] for answer in answers if answer.status_code == 201)
    assert [*goes_back(world).values()] == [(8800, promised)]
    assert bo.reads(paid)["amount_refunded"] == promised <= 8800
    assert world.violations() == []


def test_f38_one_key_sixteen_times_at_once_is_one_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answers = at_once([lambda: asks(bo, paid, "one key", amount=1000)] * CROWD)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    world.passes(30)
    assert [*goes_back(world).values()] == [(8800, 1000)]
    assert world.violations() == []


# --- F39


def loses_answers(world: World, answer: bytes | None, *, status: str = "200 OK", times: int = 1) -> None:
    """The gateway does what the next refund call asks; the answer is lost. None: the line is cut."""
    gateway, left = world.sandbox.wsgi_app, [times]

    def loses(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != REFUND:
            return gateway(environ, start_response)
        Response.from_app(gateway, environ)
        left[0] -= 1
        if not left[0]:
            world.sandbox.wsgi_app = gateway  # type: ignore[method-assign]
        if answer is None:
            raise OSError("the line is cut")
        start_response(status, [("Content-Type", "application/json")])
        return [answer]

    world.sandbox.wsgi_app = loses  # type: ignore[method-assign]


def sendings(world: World) -> list[Any]:
    return world.ledger.calls(REFUND)


def assert_once(world: World, bo: Merchant, answer: Any, amount: int) -> None:
    """One refund at the gateway, under the one number that we chose; ours says so too."""
    told = read(bo, answer)
    assert told["status"] == "succeeded"
    assert {call.params["out_trade_no"] for call in sendings(world)} == {told["out_trade_no"]}
    assert [*goes_back(world).values()] == [(8800, amount)]
    assert world.violations() == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"", "500 Internal Server Error"), (b"<html>", "502 Bad Gateway"), (b'{"respcd": "2999"}', "200 OK"),
     (b'{"respcd": "1145"}', "200 OK"), (b'{"respcd', "200 OK")],
)  # fmt: skip
def test_f39_a_refund_that_was_done_without_an_answer_is_found_by_its_number(
    world: World, bo: Merchant, paid: dict[str, Any], answer: bytes, status: str
) -> None:
    loses_answers(world, answer, status=status)
    asked = asks(bo, paid, amount=3000)
    world.works()
    assert read(bo, asked)["status"] == "pending"
    world.passes(30)
    assert len(sendings(world)) == 1
    assert world.ledger.calls(QUERY)[-1].params["out_trade_no"] == read(bo, asked)["out_trade_no"]
    assert_once(world, bo, asked, 3000)


@pytest.mark.parametrize("trouble", [Trouble.HANG, Trouble.DROP, Trouble.HTTP_500, Trouble.HTML, Trouble.GARBAGE])
def test_f39_one_that_never_arrived_is_sent_again_only_after_two_enquiries_five_minutes_apart(
    world: World, bo: Merchant, paid: dict[str, Any], trouble: Trouble
) -> None:
    world.ledger.inject(REFUND, trouble, 1)
    asked = asks(bo, paid, amount=3000)
    world.passes(12 * 60, step=5)
    first, second = sendings(world)
    number = read(bo, asked)["out_trade_no"]
    between = [
        call.at
        for call in world.ledger.calls(QUERY)
        if call.params.get("out_trade_no") == number and first.at <= call.at <= second.at
    ]
    assert len(between) >= 2
    assert between[-1] - between[0] >= timedelta(minutes=5)
    assert_once(world, bo, asked, 3000)


def test_f39_a_gateway_that_is_silent_for_a_day_is_asked_and_nothing_is_sent_blindly(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    loses_answers(world, b"", status="504 Gateway Timeout")
    asked = asks(bo, paid, amount=3000)
    world.works()
    world.ledger.inject(QUERY, Trouble.HTTP_500, 10_000)
    world.passes(86400, step=1800)
    assert (read(bo, asked)["status"], len(sendings(world))) == ("pending", 1)
    with world.ledger.store.writing() as db:
        db.execute("DELETE FROM fault")
    world.passes(3600, step=30)
    assert len(sendings(world)) == 1
    assert_once(world, bo, asked, 3000)


class Killed(BaseException):
    """As `kill -9` does: nothing of ours gets to handle it."""


def dies_at(point: str) -> Callable[[str], None]:
    def passed(name: str) -> None:
        if name == point:
            raise Killed

    return passed


@pytest.mark.parametrize(
    "point",
    ["refund.before_claim", "refund.claimed", "order.before_send", "order.sent", "refund.answered",
     "refund.before_result", "refund.recorded"],
)  # fmt: skip
def test_f39_a_process_that_dies_while_refunding_neither_loses_nor_doubles_it(
    world: World, bo: Merchant, paid: dict[str, Any], point: str
) -> None:
    asked = asks(bo, paid, amount=3000)
    with crash_points.watched(dies_at(point)), pytest.raises(Killed):
        move_next_refund(world.refunding)
    world.passes(15 * 60, step=5)
    assert len(sendings(world)) == 1
    assert_once(world, bo, asked, 3000)


@pytest.mark.parametrize("point", ["refund.before_enquiry", "refund.enquired", "refund.before_heard"])
def test_f39_neither_does_one_that_dies_while_it_asks(
    world: World, bo: Merchant, paid: dict[str, Any], point: str
) -> None:
    loses_answers(world, b"", status="504 Gateway Timeout")
    asked = asks(bo, paid, amount=3000)
    world.works()
    world.clock.now += timedelta(seconds=10)
    with crash_points.watched(dies_at(point)), pytest.raises(Killed):
        move_next_refund(world.refunding)
    world.passes(15 * 60, step=5)
    assert len(sendings(world)) == 1
    assert_once(world, bo, asked, 3000)
