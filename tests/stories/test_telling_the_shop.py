"""News reaches the shop at least once, signed, in order, whatever its server does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from checkout.services.deliveries import PATIENCE, Crew, deliver_next
from checkout.services.lanes import Lanes
from checkout.services.webhooks import WebhookSender
from checkout.store.models import Delivery
from tests.faults.shops import cancels
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.overtaking import AtOnce


@pytest.fixture
def paid(world: World, ada: Shopper, session: dict[str, Any]) -> dict[str, Any]:
    """A session that the gateway knows to be paid; nobody has been told yet."""
    ada.picks("alipay_hk")
    world.pays(session)
    return session


def deliveries(world: World) -> list[Delivery]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(Delivery)))


def test_news_is_one_event_with_one_id(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    bo.inbox.answers = [500, 500, 503]
    world.passes(3)
    world.passes(3 * 3600, step=60)
    ids = {request.headers["webhook-id"] for request in bo.inbox.heard}
    assert (len(bo.inbox.heard), len(ids)) == (4, 1)
    assert bo.heard()[-1]["data"]["status"] == "paid"
    assert [delivery.status for delivery in deliveries(world)] == ["done"]


def test_the_schedule_is_the_specs(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    bo.inbox.answers = [500] * 20
    world.passes(4)
    at = []
    for _ in range(9):
        due = deliveries(world)[0].next_at
        assert due is not None
        at.append((due - world.clock.now).total_seconds())
        world.clock.now = due
        world.works()
    assert [round(seconds / 60) for seconds in at[1:]] == [5, 30, 120, 300, 600, 840, 1200, 1440]
    assert deliveries(world)[0].status == "dead"
    assert len(bo.inbox.heard) == 10


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_a_failure(world: World, bo: Merchant, paid: dict[str, Any], status: int) -> None:
    bo.inbox.answers = [status]
    world.passes(3)
    assert [delivery.status for delivery in deliveries(world)] == ["due"]


def test_an_endpoint_that_is_gone_is_left_alone(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    bo.inbox.answers = [410]
    world.passes(3600, step=30)
    assert len(bo.inbox.heard) == 1
    assert [delivery.status for delivery in deliveries(world)] == ["dead"]


def test_a_dead_endpoint_delays_nobody_else(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    cy = world.merchant("Cy's Shop")
    bo.inbox.answers = [500] * 100
    theirs = cy.opens()
    world.shopper(theirs).picks("alipay_hk")
    world.pays(theirs)
    world.passes(4)
    assert [news["type"] for news in cy.heard()] == ["checkout_session.paid"]


def test_the_shopper_is_told_whether_the_shop_knows(
    world: World, bo: Merchant, ada: Shopper, paid: dict[str, Any]
) -> None:
    bo.inbox.answers = [500]
    world.passes(3)
    assert "The shop has received your order." not in ada.page()
    world.passes(10)
    assert "The shop has received your order." in ada.page()


def test_a_shop_without_a_server_is_no_trouble(world: World) -> None:
    bo = world.merchant(webhooks=False)
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(3)
    assert ada.sees() == "Paid"
    assert deliveries(world) == []


def test_versions_only_rise(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    ada.picks("alipay_hk")
    world.ledger.decline(world.attempt(session).out_trade_no)
    world.passes(4)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    versions = [news["data"]["version"] for news in bo.heard()]
    assert versions == sorted(set(versions))
    assert len(versions) == 2


class BrokenSender(WebhookSender):
    """Not the endpoint fails, but we do."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(loopback_allowed=True)
        self.before = before

    def send(self, *_args: Any, **_named: Any) -> Any:
        self.before()
        raise RuntimeError("we failed")


def test_what_fails_on_our_side_is_raised_and_tried_again(world: World, bo: Merchant, paid: dict[str, Any]) -> None:
    whole = world.posting
    world.posting = replace(whole, sender=BrokenSender(), crew=AtOnce())
    with pytest.raises(RuntimeError, match="we failed"):
        world.passes(4)
    assert not world.posting.lanes.busy
    world.posting = whole
    world.passes(60, step=5)
    assert [delivery.status for delivery in deliveries(world)] == ["done"]


def test_what_fails_behind_our_back_is_logged(
    world: World, bo: Merchant, session: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    whole = world.posting
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    patience_lost = threading.Event()
    world.posting = replace(whole, sender=BrokenSender(lambda: patience_lost.wait(10)))
    assert deliver_next(world.posting)
    assert set(world.posting.lanes.busy) == {bo.told.merchant_id}, "nobody else calls this endpoint meanwhile"
    patience_lost.set()
    while world.posting.crew.wait(world.posting.crew.under_way()):
        pass
    assert "a delivery failed on our side" in caplog.text
    assert not world.posting.lanes.busy
    world.posting = whole
    world.passes(60, step=5)
    assert [delivery.status for delivery in deliveries(world)] == ["done"]


class Slow(WebhookSender):
    """Waits before each answer until the endpoint may give it."""

    def __init__(self, may_answer: threading.Event) -> None:
        super().__init__(loopback_allowed=True)
        self.may_answer = may_answer

    def send(self, *given: Any, **named: Any) -> Any:
        assert self.may_answer.wait(10)
        return super().send(*given, **named)


class FreedBehindUs(Lanes):
    """Looks busy, and is free a moment after it was looked at."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.then = then

    @property
    def busy(self) -> tuple[str, ...]:
        seen = super().busy
        if seen:
            self.then()
        return seen


def test_a_try_that_ends_while_we_look_leaves_more_to_do(world: World, bo: Merchant) -> None:
    for reference in "12":
        cancels(bo, reference)
    may_answer, crew = threading.Event(), Crew()

    def answers() -> None:
        may_answer.set()
        while crew.under_way():
            crew.wait(crew.under_way())

    posting = replace(world.posting, sender=Slow(may_answer), crew=crew, lanes=FreedBehindUs(answers))
    assert deliver_next(posting)
    assert deliver_next(posting), "the first was under way when we looked: who rests now leaves the second waiting"
    assert deliver_next(posting)
    answers()
    assert [news["data"]["reference"] for news in bo.heard()] == ["1", "2"]


def test_nobody_waits_for_long_for_an_endpoint_that_takes_long() -> None:
    crew, answered, ended = Crew(), threading.Event(), threading.Event()

    def slow() -> None:
        answered.wait(60)
        ended.set()

    with ThreadPoolExecutor(1) as step:
        step.submit(crew.send_off, slow).result(timeout=PATIENCE + 30)
    assert not ended.is_set()
    assert crew.wait(crew.under_way())
    answered.set()
    assert ended.wait(10)
    while crew.wait(crew.under_way()):
        pass
