"""Two at one delivery or one budget of calls, in orders that no lock would let happen: no harm is done."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from checkout import crash_points
from checkout.services import budgets
from checkout.services.budgets import Use
from checkout.services.deliveries import deliver_next
from checkout.services.endpoints import enable_webhook
from checkout.services.enquiries import Lanes, enquire_next
from checkout.services.webhooks import RETRY_AFTER, WebhookSender
from checkout.store.models import Budget, Delivery
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from checkout.store.telling import Endpoint
from tests.stories.cast import Inbox, Merchant, Shopper, World
from tests.stories.overtaking import AtOnce, first_at, kinds
from tests.stories.rivals import Overtaken, between
from tests.stories.test_endpoints import adds
from tests.stories.test_event_log import cancels

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# --- deliveries


def test_news_that_another_worker_delivers_is_not_delivered_twice(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.clock.now += timedelta(seconds=3)
    assert enquire_next(world.asking)
    other = replace(world.posting, lanes=Lanes(), crew=AtOnce())
    assert deliver_next(replace(world.posting, lanes=Overtaken(lambda: deliver_next(other)), crew=AtOnce()))
    assert kinds(bo) == ["checkout_session.paid"]
    with world.parts.sessions() as db:
        kept = [(delivery.status, delivery.tries, delivery.error) for delivery in db.scalars(select(Delivery))]
        assert kept == [("done", 1, None)]


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


def test_an_endpoint_that_says_gone_while_it_is_deleted_is_not_given_up_as_well(world: World) -> None:
    bo = world.merchant(webhooks=False)
    made, inbox = adds(bo, "/books")
    inbox.answers = [410]
    cancels(bo)

    def deletes() -> None:
        with world.parts.sessions() as db:
            db.execute(delete(Endpoint).where(Endpoint.id == made["id"]))
            db.commit()

    with crash_points.watched(first_at("delivery.sent", deletes)):
        assert deliver_next(replace(world.posting, crew=AtOnce()))
    world.works()
    with world.parts.sessions() as db:
        assert [(one.status, one.answer_status) for one in db.scalars(select(Delivery))] == [("dead", 410)]
        assert "webhook_disabled" not in db.scalars(select(AuditEntry.action)).all()
    assert world.violations() == []


def told_elsewhere(world: World, bo: Merchant, url: str | None) -> None:
    """As if the news were written by somebody who had not seen the endpoint move: it bears the old address."""
    with world.parts.sessions() as db:
        db.execute(update(MerchantRow).where(MerchantRow.id == bo.told.merchant_id).values(webhook_url=url))
        db.commit()


def test_news_that_was_written_while_its_endpoint_moved_goes_to_the_new_address(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    new = world.inboxes[f"/{id(world)}/new"] = Inbox()
    told_elsewhere(world, bo, f"{world.hooks.url}/{id(world)}/new")
    world.works()
    assert (len(bo.inbox.heard), len(new.heard)) == (0, 2)
    with world.parts.sessions() as db:
        assert [(one.status, one.tries) for one in db.scalars(select(Delivery))] == [("done", 1)] * 2
    assert world.violations() == []


def test_news_that_was_written_while_its_endpoint_was_deleted_is_kept_and_not_sent(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    told_elsewhere(world, bo, None)
    world.works()
    assert bo.inbox.heard == []
    with world.parts.sessions() as db:
        kept = [(one.status, one.error) for one in db.scalars(select(Delivery))]
    assert kept == [("blocked", "held back: the endpoint was deleted")] * 2
    assert world.violations() == []


def test_news_of_an_endpoint_that_moved_and_was_deleted_then_is_kept_and_not_sent(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    told_elsewhere(world, bo, f"{world.hooks.url}/{id(world)}/new")
    world.inboxes[f"/{id(world)}/new"] = Inbox()
    with between(world, "SELECT merchant", lambda: told_elsewhere(world, bo, None), nth=2):
        assert deliver_next(replace(world.posting, crew=AtOnce()))
    world.works()
    assert (bo.inbox.heard, world.inboxes[f"/{id(world)}/new"].heard) == ([], [])
    with world.parts.sessions() as db:
        assert {delivery.status for delivery in db.scalars(select(Delivery))} == {"blocked"}
    assert world.violations() == []


def test_news_that_is_sent_again_during_its_last_try_is_not_given_up(world: World, bo: Merchant) -> None:
    two_news(world, bo)
    bo.inbox.answers = [500]
    with world.parts.sessions() as db:
        db.execute(update(Delivery).values(tries=len(RETRY_AFTER)))
        db.commit()
    event_id = bo.api("GET", "/v1/events").json["data"][-1]["id"]  # type: ignore[index]

    def again() -> None:
        assert bo.api("POST", f"/v1/events/{event_id}/redeliver").status_code == 202

    with crash_points.watched(first_at("delivery.sent", again)):
        assert deliver_next(replace(world.posting, crew=AtOnce()))
    with world.parts.sessions() as db:
        assert {delivery.status for delivery in db.scalars(select(Delivery))} == {"due"}
    world.works()
    assert kinds(bo) == ["checkout_session.cancelled"] * 3
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
        waiting = {(delivery.status, delivery.error) for delivery in db.scalars(select(Delivery))}
        assert waiting == {("due", "our own SECRET_KEY no longer opens the webhook secret")}
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
