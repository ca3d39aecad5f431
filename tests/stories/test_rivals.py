"""Two at one piece of work, in orders that no lock would let happen: one does it, and the other does no harm."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from checkout import crash_points
from checkout.domain.schedule import WATCHED_FOR
from checkout.domain.signing import sign_notification
from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.services.deliveries import Crew, deliver_next
from checkout.services.endpoints import enable_webhook
from checkout.services.enquiries import Lanes, enquire_next
from checkout.services.returning import move_next_refund
from checkout.services.sessions import cancel_session, close_next
from checkout.services.webhooks import WebhookSender
from checkout.store.models import Attempt, Budget, Delivery, GatewayWord, Payment
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from sandbox import Scenario, Trouble
from tests.hostile.tricks import gateway_answers, mount
from tests.stories.cast import Inbox, Merchant, Shopper, World
from tests.stories.rivals import Overtaken, between, lost_answer, only_read
from tests.stories.test_notifications import body_for, post
from tests.stories.test_refunds import REFUND, asks, pay, read

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PAYMENT, ENQUIRY = "/trade/v1/payment", "/trade/v1/query"


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    return pay(world, bo)


class AtOnce(Crew):
    """Does the work in the thread that sends it off."""

    def send_off(self, work: Callable[[], None]) -> None:
        work()


def first_at(point: str, act: Callable[[], object]) -> Callable[[str], None]:
    """For crash_points.watched: whoever passes there first is overtaken."""
    acts = [act]

    def passed(name: str) -> None:
        if name == point and acts:
            acts.pop()()

    return passed


def kinds(bo: Merchant) -> list[str]:
    return [news["type"] for news in bo.heard()]


def sent_back(world: World) -> list[int]:
    """What the gateway has sent back, refund by refund."""
    return [refund.amount for order in world.ledger.orders() for refund in order.refunds]


def rival(world: World) -> Callable[[], object]:
    """Another worker does all that is due about refunds."""
    other = replace(world.refunding, lanes=Lanes())

    def works() -> None:
        while move_next_refund(other):
            pass

    return works


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


# --- refunds


def test_a_refund_that_another_worker_has_finished_is_left_alone(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    answer = asks(bo, paid, amount=3000)
    assert not move_next_refund(replace(world.refunding, lanes=Overtaken(rival(world))))
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def test_of_two_workers_one_sends_a_refund(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    answer = asks(bo, paid, amount=3000)
    with between(world, "UPDATE refund SET status", rival(world)):
        assert not move_next_refund(world.refunding)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert len(world.ledger.calls(REFUND)) == 1
    assert world.violations() == []


def test_of_two_workers_one_asks_about_a_refund(world: World, bo: Merchant) -> None:
    answer = asks(bo, pay(world, bo, Scenario.REFUND_PROCESSING), amount=3000)
    world.works()
    world.clock.now += timedelta(seconds=6)
    asked = world.enquiries()
    with between(world, "UPDATE refund SET next_at", rival(world)):
        assert not move_next_refund(world.refunding)
    assert world.enquiries() == asked + 1
    world.passes(60)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert world.violations() == []


def while_we_send(world: World, act: Callable[[], object], answer: Response | None = None) -> None:
    """The next refund call is done, or with another answer not; before it is answered something happens."""

    def stands_still(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != REFUND:
            return world.sandbox(environ, start_response)
        mount(world, world.sandbox)
        late = answer or Response.from_app(world.sandbox, environ)
        act()
        return late(environ, start_response)

    mount(world, stands_still)


def test_a_refund_that_was_found_before_its_own_answer_came_is_told_once(
    world: World, bo: Merchant, paid: dict[str, Any]
) -> None:
    def finds() -> None:
        world.clock.now += timedelta(seconds=61)
        rival(world)()

    answer = asks(bo, paid, amount=3000)
    while_we_send(world, finds)
    assert move_next_refund(world.refunding)
    world.works()
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert kinds(bo) == ["checkout_session.paid", "refund.succeeded"]
    assert world.violations() == []


def test_an_old_answer_says_nothing_about_the_same_refund_sent_again(world: World, bo: Merchant) -> None:
    def sends_again() -> None:
        for seconds in (61, 301, 1):  # missed once, missed twice, sent again
            world.clock.now += timedelta(seconds=seconds)
            rival(world)()

    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session, amount=3000)
    while_we_send(world, sends_again, Response('{"respcd": "1294", "resperr": "barred"}', mimetype="application/json"))
    assert move_next_refund(world.refunding)
    assert read(bo, answer)["status"] == "pending"
    world.passes(1200, step=30)
    assert (read(bo, answer)["status"], sent_back(world)) == ("succeeded", [3000])
    assert bo.reads(session)["amount_refunded"] == 3000
    assert world.violations() == []


def test_a_refund_that_failed_for_two_at_once_gives_its_money_back_once(world: World, bo: Merchant) -> None:
    session = pay(world, bo, Scenario.REFUND_PROCESSING)
    answer = asks(bo, session, amount=3000)
    world.works()
    world.clock.now += timedelta(seconds=6)

    def fails(said: dict[str, Any]) -> dict[str, Any]:
        return said | {"data": [item | {"respcd": "1205"} for item in said["data"]]}

    gateway_answers(world, ENQUIRY, fails)

    def hears_it_too() -> None:
        world.clock.now += timedelta(seconds=61)  # our lease is over
        rival(world)()

    with between(world, "UPDATE refund SET status", hears_it_too):
        assert move_next_refund(world.refunding)
    told = read(bo, answer)
    assert (told["status"], told["failure"]) == ("failed", {"code": "1205"})
    assert bo.reads(session)["amount_refunded"] == 0
    world.works()
    assert kinds(bo) == ["checkout_session.paid", "refund.failed"]
    mount(world, world.sandbox)
    assert world.violations() == []


# --- deliveries


def test_news_that_another_worker_delivers_is_not_delivered_twice(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    assert enquire_next(world.asking)
    other = replace(world.posting, lanes=Lanes())
    assert deliver_next(replace(world.posting, lanes=Overtaken(lambda: deliver_next(other))))
    assert kinds(bo) == ["checkout_session.paid"]
    with world.parts.sessions() as db:
        assert [(delivery.status, delivery.tries) for delivery in db.scalars(select(Delivery))] == [("done", 1)]


def test_an_endpoint_that_is_being_called_is_left_alone(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    assert enquire_next(world.asking)
    lanes = Overtaken(lambda: lanes._busy.add(bo.told.merchant_id))
    assert not deliver_next(replace(world.posting, lanes=lanes))
    assert bo.heard() == []
    world.works()
    assert kinds(bo) == ["checkout_session.paid"]


def two_news(world: World, bo: Merchant) -> None:
    """Two orders are cancelled, and nobody has been told yet."""
    for reference in ("A-1", "A-2"):
        session = bo.opens(reference=reference)
        assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200


def test_an_endpoint_that_is_enabled_while_its_news_is_being_held_back_hears_it(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    with world.parts.sessions() as db:
        db.execute(update(MerchantRow).values(webhook_gone_at=world.clock()))
        db.commit()

    def enables() -> None:
        with world.parts.sessions() as db:
            enable_webhook(db, world.parts.terms, bo.told.merchant_id, url=None, since=None, now=world.clock())

    posting = replace(world.posting, crew=AtOnce())
    with between(world, "SELECT merchant", enables, nth=2):
        assert deliver_next(posting)
    world.works()
    assert kinds(bo) == ["checkout_session.cancelled"] * 2
    assert world.violations() == []


def test_an_endpoint_that_says_gone_twice_at_once_is_given_up_once(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    bo.inbox.answers = [410, 410]
    other = replace(world.posting, lanes=Lanes(), crew=AtOnce())
    with crash_points.watched(first_at("delivery.sent", lambda: deliver_next(other))):
        assert deliver_next(replace(world.posting, crew=AtOnce()))
    with world.parts.sessions() as db:
        assert [delivery.status for delivery in db.scalars(select(Delivery))] == ["dead", "dead"]
        assert db.scalars(select(AuditEntry.action)).all().count("webhook_disabled") == 1
        assert enable_webhook(db, world.parts.terms, bo.told.merchant_id, url=None, since=None, now=world.clock()) == 2
    world.works()
    assert sorted(news["data"]["reference"] for news in bo.heard()[2:]) == ["A-1", "A-2"]
    assert world.violations() == []


def test_what_happens_at_an_endpoint_that_is_gone_is_kept_for_its_return(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    bo.inbox.answers = [410]
    world.works()
    with world.parts.sessions() as db:
        assert sorted(delivery.status for delivery in db.scalars(select(Delivery))) == ["blocked", "dead"]
    assert len(bo.inbox.heard) == 1
    assert world.violations() == []


def test_news_that_has_moved_is_not_given_up_for_what_the_old_address_says(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    bo.inbox.answers = [410]
    new = world.inboxes[f"/{id(world)}/new"] = Inbox()

    def moves() -> None:
        url = f"{world.hooks.url}/{id(world)}/new"
        with world.parts.sessions() as db:
            enable_webhook(db, world.parts.terms, bo.told.merchant_id, url=url, since=None, now=world.clock())

    with crash_points.watched(first_at("delivery.sent", moves)):
        assert deliver_next(replace(world.posting, crew=AtOnce()))
    world.works()
    assert (len(bo.inbox.heard), len(new.heard)) == (1, 2)
    assert world.violations() == []


def test_an_address_that_may_not_be_called_is_not_called_and_its_news_is_kept(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    outside_only = replace(world.posting, sender=WebhookSender(loopback_allowed=False), crew=AtOnce())
    while deliver_next(outside_only):
        pass
    assert bo.inbox.heard == []
    with world.parts.sessions() as db:
        assert [delivery.status for delivery in db.scalars(select(Delivery))] == ["blocked", "blocked"]
    assert world.violations() == []


def test_news_waits_for_a_secret_that_cannot_be_opened_and_is_never_sent_unsigned(world: World, bo: Merchant) -> None:
    with world.parts.sessions() as db:
        sealed = db.get_one(MerchantRow, bo.told.merchant_id).webhook_secret_sealed
        db.execute(update(MerchantRow).values(webhook_secret_sealed=b"x" * 60))
        db.commit()
    two_news(world, bo)
    world.works()
    assert bo.inbox.heard == []
    with world.parts.sessions() as db:
        assert {delivery.status for delivery in db.scalars(select(Delivery))} == {"due"}
        db.execute(update(MerchantRow).values(webhook_secret_sealed=sealed))
        db.commit()
    world.passes(360, step=30)
    assert kinds(bo) == ["checkout_session.cancelled"] * 2
    assert world.violations() == []


# --- the budget of calls


def takes(world: World) -> bool:
    with world.parts.sessions() as db:
        return budgets.take(db, "host/APP9", use=Use.REFUND, rate_per_minute=300, now=world.clock())


def left(world: World) -> int:
    with world.parts.sessions() as db:
        return db.get_one(Budget, "host/APP9").tokens


def test_two_who_open_a_bucket_at_once_open_one(world: World) -> None:
    with between(world, "INSERT INTO budget", lambda: takes(world)):
        assert takes(world)
    assert left(world) == 58_000


def test_no_call_is_counted_once_for_two(world: World) -> None:
    takes(world)
    with between(world, "UPDATE budget", lambda: takes(world)):
        assert takes(world)
    assert left(world) == 57_000


def test_in_a_crowd_that_is_always_quicker_the_call_waits(world: World) -> None:
    takes(world)
    with between(world, "UPDATE budget", lambda: takes(world), times=5):
        assert not takes(world)
    assert left(world) == 60_000 - 6 * 1000
