"""Two at one payment, in orders that no lock would let happen: one does it, and the other does no harm."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from checkout.domain.schedule import WATCHED_FOR
from checkout.domain.signing import sign_notification
from checkout.services.enquiries import Lanes, enquire_next
from checkout.services.sessions import cancel_session, close_next
from checkout.store.models import Attempt, GatewayWord, Payment
from sandbox import Scenario, Trouble
from tests.hostile.tricks import mount
from tests.stories.cast import PHONE, Merchant, Shopper, World
from tests.stories.overtaking import ENQUIRY, PAYMENT, kinds
from tests.stories.rivals import Overtaken, between, lost_answer, only_read
from tests.stories.test_notifications import body_for, post
from tests.stories.test_refunds import pay

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# --- picking a wallet


@pytest.mark.parametrize("nth", range(1, 9))
def test_whichever_commit_loses_its_answer_ada_has_one_code_and_the_gateway_one_order(
    world: World, ada: Shopper, session: dict[str, Any], nth: int
) -> None:
    with lost_answer(world, nth) as lost:
        ada.picks("alipay_hk")
    assert ada.answer
    if not lost or ada.answer.status_code == 303:
        assert len(world.ledger.calls(PAYMENT)) == 1
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
    [attempt] = world.attempts(session)
    assert [order.out_trade_no for order in world.ledger.orders()] == [attempt.out_trade_no]
    world.pays(session)
    world.passes(4)
    assert ada.sees() == "Paid"
    assert world.violations() == []


def test_of_two_who_pick_at_once_the_index_chooses_one(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    ada, her_phone = world.shopper(session), world.shopper(session)
    with between(world, "INSERT INTO trade_no", lambda: her_phone.picks("alipay_hk")):
        ada.picks("alipay_hk")
    assert (ada.stage(), len(world.attempts(session)), len(world.ledger.calls(PAYMENT))) == ("scan", 1, 1)
    assert world.violations() == []


def test_who_picks_a_moment_later_on_her_phone_is_sent_to_the_same_wallet_page(
    world: World, bo: Merchant, session: dict[str, Any]
) -> None:
    ada, again = world.shopper(session, PHONE), world.shopper(session, PHONE)
    with between(world, "INSERT INTO trade_no", lambda: again.picks("alipay_hk")):
        sent = ada.picks("alipay_hk")
    assert (sent.status_code, sent.headers["Location"]) == (303, world.attempt(session).target)
    assert world.violations() == []


def test_a_refusal_that_comes_after_an_enquiry_leaves_the_question_open(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    """The call outlived its lease, so the sweep has asked: the gateway may know more than what it answers here."""

    def sweeps() -> None:
        world.clock.now += timedelta(seconds=30)
        assert enquire_next(world.asking)

    world.next(Scenario.REFUSED_1104)
    with between(world, "INSERT INTO gateway_word", sweeps):
        ada.picks("alipay_hk")
    attempt = world.attempt(session)
    assert (attempt.status, attempt.next_at is None) == ("failed", False)
    assert world.violations() == []


def test_a_number_that_was_used_before_is_never_used_again(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chance does not do it; a generator that repeats itself after a restart would."""
    first = pay(world, bo, reference="A-1000")
    number = world.attempt(first).out_trade_no
    monkeypatch.setattr("checkout.services.attempts.new_trade_no", lambda: number)
    ada.picks("alipay_hk")
    assert world.attempts(session) == []
    assert len(world.ledger.calls(PAYMENT)) == 1
    monkeypatch.undo()
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
    assert world.violations() == []


@pytest.mark.parametrize("answer", [{"respcd": "1205", "resperr": "failed"}, None], ids=["refused", "not sent"])
def test_a_no_that_comes_after_the_money_takes_nothing_back(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], answer: dict[str, str] | None
) -> None:
    """The order was made and paid while its own call was still under way; then the call says no, or nothing."""

    def stands_still(environ: Any, start_response: Any) -> Any:
        made = Response.from_app(world.sandbox, environ)
        if environ["PATH_INFO"] != PAYMENT:
            return made(environ, start_response)
        world.clock.now += timedelta(seconds=31)
        world.pays(session)
        assert enquire_next(world.asking)
        if answer is None:
            return Response(status=429)(environ, start_response)
        made.set_data(str(answer).replace("'", '"'))
        return made(environ, start_response)

    mount(world, stands_still)
    ada.picks("alipay_hk")
    assert ada.sees() == "Paid"
    world.works()
    assert kinds(bo) == ["checkout_session.paid"]
    assert world.attempt(session).failure is None
    assert world.violations() == []


def test_books_that_can_only_be_read_still_show_where_the_payment_stands(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.clock.now += timedelta(seconds=60)
    with only_read(world):
        assert ada.polls()
        assert ada.stage() == "scan"
    assert world.attempt(session).watched_until is None
    ada.polls()
    assert world.attempt(session).watched_until == world.clock() + WATCHED_FOR
    assert world.violations() == []


# --- ending a session


def test_a_session_is_cancelled_once_by_two_at_once(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    def cancels() -> None:
        with world.parts.sessions() as db:
            cancel_session(db, world.parts.terms, session["id"], world.clock())

    with between(world, "UPDATE session SET status", cancels, nth=2):
        cancels()
    cancels()
    world.works()
    assert kinds(bo) == ["checkout_session.cancelled"]
    assert world.violations() == []


def test_who_is_paid_while_the_sweep_takes_it_up_stays_paid_and_is_not_due(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session, at=world.clock() + timedelta(seconds=5))
    expires = world.row(session).expires_at
    world.clock.now = expires
    with (
        between(world, "UPDATE session SET due_at", lambda: enquire_next(world.asking)),
        world.parts.sessions() as db,
    ):
        assert close_next(db, world.parts.terms, world.clock())
    assert (world.row(session).status, world.row(session).due_at) == ("paid", None)
    world.works()
    assert kinds(bo) == ["checkout_session.paid"]
    assert world.violations() == []


# --- idempotency keys


def test_one_key_used_by_two_at_once_opens_one_session(world: World, bo: Merchant) -> None:
    def opens() -> Any:
        return bo.api("POST", "/v1/checkout-sessions", bo.order(), Idempotency_Key="k-1")

    theirs: list[Any] = []
    with between(world, "INSERT INTO idempotency", lambda: theirs.append(opens())):
        ours = opens()
    assert ours.status_code == 201
    assert [answer.text for answer in theirs] == [ours.text]
    assert len(bo.api("GET", "/v1/checkout-sessions").json["data"]) == 1  # type: ignore[index]
    assert world.violations() == []


# --- enquiries


def test_an_attempt_that_another_worker_asks_about_is_not_asked_about_twice(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    other = replace(world.asking, lanes=Lanes())
    assert not enquire_next(replace(world.asking, lanes=Overtaken(lambda: enquire_next(other))))
    assert world.enquiries() == 1
    assert ada.sees() == "Paid"


def test_a_call_that_ends_while_its_row_is_given_up_keeps_its_end(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """Thirty seconds after it was meant, an attempt without an answer is taken for unknown; unless one has come."""
    ada.picks("alipay_hk")
    [attempt] = world.attempts(session)
    with world.parts.sessions() as db:  # the row as its own process left it when it died during the call
        db.execute(
            update(Attempt).values(status="created", target=None, syssn=None, qr_svg=None, next_at=world.clock())
        )
        db.commit()
    world.clock.now += timedelta(seconds=31)

    def answered() -> None:
        with world.parts.sessions() as db:
            db.execute(update(Attempt).values(status="pending", target=attempt.target, syssn=attempt.syssn))
            db.commit()

    with between(world, "UPDATE attempt SET status", answered):
        enquire_next(world.asking)
    assert world.attempt(session).status == "pending"
    world.pays(session)
    world.passes(20)
    assert ada.sees() == "Paid"
    assert world.violations() == []


def test_two_who_hear_of_one_payment_at_once_book_it_once(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    other = replace(world.asking, lanes=Lanes())

    def hears_it_too() -> None:
        world.clock.now += timedelta(seconds=31)  # our lease is over
        assert enquire_next(other)

    with between(world, "INSERT INTO payment", hears_it_too):
        assert enquire_next(world.asking)
    world.passes(10)
    told = bo.reads(session)
    assert (told["status"], [payment["role"] for payment in told["payments"]]) == ("paid", ["accepted"])
    assert kinds(bo) == ["checkout_session.paid"]
    assert world.violations() == []


def test_two_who_believe_one_notification_book_it_once(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.inject(ENQUIRY, Trouble.DROP, 100_000)
    world.pays(session)
    assert world.notifies() == [200]
    other = replace(world.asking, lanes=Lanes())

    def believes_it_too() -> None:
        world.clock.now += timedelta(seconds=31)
        while enquire_next(other):
            pass

    world.passes(50)
    with between(world, "INSERT INTO payment", believes_it_too):
        world.passes(20)
    with world.parts.sessions() as db:
        assert [payment.proof for payment in db.scalars(select(Payment))] == ["notification"]
    assert kinds(bo) == ["checkout_session.paid"]
    assert world.violations() == []


# --- notifications


def test_one_notification_stored_by_two_at_once_is_one_word(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    body = body_for(world.attempt(session).out_trade_no, pay_type=world.attempt(session).pay_type)
    signature = sign_notification(body, "key-of-APP1")
    with between(world, "INSERT INTO gateway_word", lambda: post(world, bo, body, signature)):
        assert post(world, bo, body, signature).data == b"SUCCESS"
    with world.parts.sessions() as db:
        assert len(db.scalars(select(GatewayWord).where(GatewayWord.source == "notification")).all()) == 1
    assert world.attempt(session).next_at == world.clock()
    assert world.violations() == []
