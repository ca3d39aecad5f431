"""Sixteen processes at once on the same payment, again and again: the sums are right after every round."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus, Role, SessionStatus
from checkout.domain.signing import sign_notification
from checkout.store.models import Attempt, Event, Payment, Refund
from sandbox import Scenario
from sandbox.notifier import fields
from tests.proofs.crowd import BUSY, MEMBERS, Act, Answer, Crowd, Member
from tests.proofs.scale import Scale, Tally
from tests.proofs.stage import PAID, Stage, settled_in
from tests.servers import HttpServer
from tests.stories.cast import Inbox

BETWEEN_ROUNDS = timedelta(seconds=10)
EXPECTED = {200, 201, 204, 303, 409, 412, 422, 429, 503, BUSY}
AUDIT_EVERY = 50  # rounds; it reads all the books


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd() as gathered:
        yield gathered


@dataclass
class Square:
    """Where the crowd meets: one set of books, and a conductor who prepares each round and adds up after it."""

    stage: Stage
    crowd: Crowd
    tally: Tally
    dice: random.Random

    def __post_init__(self) -> None:
        self.alone = Member(self.stage)  # the conductor acts too, while the others wait

    def all_at_once(self, *acts: Act) -> list[Answer]:
        """Sixteen acts: those given, in turn."""
        answers = self.crowd.act(self.stage.clock(), [acts[n % len(acts)] for n in range(MEMBERS)])
        self.tally.add("calls", MEMBERS)
        strange = [answer for answer in answers if answer.status not in EXPECTED]
        assert strange == []
        for answer in answers:
            if answer.status in (503, BUSY):
                self.tally.add("told to try again")
        return answers

    def opens(self) -> dict[str, Any]:
        return self.stage.shop().opens()

    def starts(self, scenario: Scenario | None = None) -> tuple[dict[str, Any], Attempt]:
        session = self.opens()
        if scenario:
            self.stage.next(scenario)
        assert self.alone.picks(session, "alipay_hk").status == 303
        return session, self.stage.attempt(session)

    def paid(self, scenario: Scenario | None = None) -> dict[str, Any]:
        session, attempt = self.starts(scenario)
        self.stage.ledger.pay(attempt.out_trade_no)
        assert self.alone.hears(attempt.id).status == 200
        return session

    def notice(self, number: str) -> Act:
        order = self.stage.ledger.order(number)
        body = json.dumps(fields(order.payments[0], order)).encode()
        path = order.notify_url.removeprefix("https://pay.sampan.example")
        return Act("is_told", (path, body, sign_notification(body, "key-of-APP1")))

    def payments(self, session: dict[str, Any]) -> Counter[Role]:
        with self.stage.parts.sessions() as db:
            return Counter(db.scalars(select(Payment.role).where(Payment.session_id == session["id"])))

    def events(self, session: dict[str, Any]) -> Counter[str]:
        with self.stage.parts.sessions() as db:
            return Counter(db.scalars(select(Event.type).where(Event.session_id == session["id"])))

    def reserved(self, session: dict[str, Any], cause: str = "merchant") -> list[int]:
        with self.stage.parts.sessions() as db:
            mine = (Refund.session_id == session["id"]) & (Refund.cause == cause)
            return list(db.scalars(select(Refund.amount).where(mine)))

    def orders(self, session: dict[str, Any]) -> list[str]:
        numbers = {attempt.out_trade_no for attempt in self.stage.attempts(session)}
        return [order.out_trade_no for order in self.stage.ledger.orders(40) if order.out_trade_no in numbers]


@pytest.fixture
def square(
    database_url: str,
    tmp_path: Path,
    hooks: HttpServer,
    inboxes: dict[str, Inbox],
    crowd: Crowd,
    tally: Tally,
    seed: int,
) -> Iterator[Square]:
    inbox = inboxes["/crowd"] = Inbox()
    with settled_in(database_url, tmp_path / "ledger.db", hooks, inbox, "/crowd") as stage:
        crowd.moves_to(stage.place)
        yield Square(stage, crowd, tally, random.Random(seed))


def rounds(square: Square, scale: Scale, one_round: Callable[[Square, int], None]) -> None:
    for number in range(scale.rounds):
        square.stage.clock.now += BETWEEN_ROUNDS
        one_round(square, number)
        square.tally.add("rounds")
        if number % AUDIT_EVERY == AUDIT_EVERY - 1:
            assert square.stage.violations() == []
    assert square.stage.violations() == []


def test_sixteen_who_start_at_once_get_one_order(square: Square, scale: Scale) -> None:
    def one_round(square: Square, number: int) -> None:
        session = square.opens()
        if number % 2:
            answers = square.all_at_once(Act("picks", (session, "alipay_hk")))
            assert {answer.status for answer in answers} <= {303, 503}
            attempts = square.stage.attempts(session)
            assert len(attempts) == 1
        else:  # who changes the wallet gets another order, as often as the rule against floods allows
            square.all_at_once(Act("picks", (session, "alipay_hk")), Act("picks", (session, "alipay")))
            attempts = square.stage.attempts(session)
            assert 1 <= len(attempts) <= 3
        unheard = [attempt for attempt in attempts if attempt.out_trade_no not in square.orders(session)]
        # A call may be lost on a busy machine: then nobody has seen a code, and it is asked about.
        square.tally.add("calls lost", len(unheard))
        assert [one.status for one in unheard if one.target or one.status is AttemptStatus.PENDING] == []
        live = [attempt for attempt in attempts if not attempt.superseded and attempt.status in LIVE_ATTEMPT]
        assert len(live) == 1

    rounds(square, scale, one_round)
    assert square.tally.counts["calls lost"] < scale.rounds / 2, "most calls must have been heard, or nothing is shown"


def test_sixteen_who_hear_of_one_payment_book_it_once(square: Square, scale: Scale) -> None:
    def one_round(square: Square, number: int) -> None:
        twice = number % 3 == 2
        session, attempt = square.starts(Scenario.PAID_TWICE if twice else None)
        square.stage.ledger.pay(attempt.out_trade_no)
        notice = square.notice(attempt.out_trade_no)
        answers = square.all_at_once(Act("hears", (attempt.id,)), notice)
        assert {answer.text for answer in answers[1::2] if answer.status == 200} <= {"SUCCESS"}
        assert square.alone.hears(attempt.id).status == 200
        assert square.payments(session) == Counter({Role.ACCEPTED: 1} | ({Role.SURPLUS: 1} if twice else {}))
        assert square.events(session)[PAID] == 1
        assert square.reserved(session, "surplus") == ([8800] if twice else [])

    rounds(square, scale, one_round)


def test_sixteen_refunds_at_once_never_exceed_what_was_paid(square: Square, scale: Scale) -> None:
    """By turns: parts, all or nothing, one key for all, and while a surplus is on its way back."""
    keys = (f"key-{number}" for number in count())

    def one_round(square: Square, number: int) -> None:
        surplus = number % 4 == 3
        session = square.paid(Scenario.PAID_TWICE if surplus else None)
        if number % 4 == 2:
            answers = square.all_at_once(Act("refunds", (session, {"amount": 3000}, next(keys))))
            assert len({answer.text for answer in answers if answer.status == 201}) == 1
            assert square.reserved(session) == [3000]
        else:
            wishes = [{"amount": square.dice.randint(500, 6000)} if number % 4 else {} for _ in range(MEMBERS)]
            acts = [Act("refunds", (session, wish, next(keys))) for wish in wishes]
            if surplus:
                acts[::4] = [Act("returns")] * len(acts[::4])
            answers = square.all_at_once(*acts)
            assert sum(square.reserved(session)) <= 8800
            asked = [answer for act, answer in zip(acts, answers, strict=True) if act.verb == "refunds"]
            assert len(square.reserved(session)) == sum(answer.status == 201 for answer in asked)
        if surplus:
            assert square.reserved(session, "surplus") == [8800]

    rounds(square, scale, one_round)
    taken = Counter[str]()
    for order in square.stage.ledger.orders():
        taken.update({refund.origssn: refund.amount for refund in order.refunds})
        assert all(taken[payment.syssn] <= payment.amount for payment in order.payments)


def test_sixteen_who_cancel_and_pay_at_once_end_in_one_of_the_two(square: Square, scale: Scale) -> None:
    def one_round(square: Square, number: int) -> None:
        if number % 2:  # the code is on the screen while the shop gives up
            session, attempt = square.starts()
            pays, hears = Act("pays", (attempt.out_trade_no,)), Act("hears", (attempt.id,))
            square.all_at_once(Act("cancels", (session,)), pays, Act("cancels", (session,)), hears)
        else:  # the shop gives up while the shopper still chooses
            session = square.opens()
            square.all_at_once(Act("cancels", (session,)), Act("picks", (session, "alipay_hk")))
            for attempt in square.stage.attempts(session):
                square.stage.ledger.pay(attempt.out_trade_no)
        attempts = square.stage.attempts(session)
        for attempt in attempts:
            assert square.alone.hears(attempt.id).status == 200
        events = square.events(session)
        assert square.stage.row(session).status == (SessionStatus.PAID if attempts else SessionStatus.CANCELLED)
        assert (events[PAID], events["checkout_session.cancelled"]) == ((1, 0) if attempts else (0, 1))

    rounds(square, scale, one_round)


def test_sixteen_who_do_all_at_once_leave_books_that_add_up(square: Square, scale: Scale) -> None:
    keys = (f"key-{number}" for number in count())

    def one_round(square: Square, number: int) -> None:
        session, attempt = square.starts(Scenario.DOUBLE if number % 3 == 2 else None)
        square.stage.ledger.pay(attempt.out_trade_no)
        if number % 2:
            square.alone.hears(attempt.id)
        possible = [
            Act("picks", (session, "alipay_hk")), Act("picks", (session, "alipay")), Act("cancels", (session,)),
            Act("pays", (attempt.out_trade_no,)), Act("hears", (attempt.id,)), square.notice(attempt.out_trade_no),
            Act("returns"),
        ]  # fmt: skip
        refunds = [Act("refunds", (session, {"amount": 4000}, next(keys))) for _ in range(MEMBERS)]
        square.all_at_once(*(square.dice.choice([*possible, refund]) for refund in refunds))
        assert square.alone.hears(attempt.id).status == 200
        assert square.stage.row(session).status is SessionStatus.PAID
        assert square.payments(session)[Role.ACCEPTED] == 1
        assert square.events(session)[PAID] == 1
        assert sum(square.reserved(session)) <= 8800

    rounds(square, scale, one_round)
    with square.stage.parts.sessions() as db:
        booked = db.scalar(select(func.count()).select_from(Payment))
    assert booked == sum(len(order.payments) for order in square.stage.ledger.orders())
