"""The log of what the shop was told, and telling it again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from checkout.services.tries import TRIES_KEPT
from checkout.store.models import Delivery
from checkout.store.telling import DeliveryTry
from tests.stories.cast import Inbox, Merchant, Shopper, World

EVENTS = "/v1/events"


def cancels(bo: Merchant, reference: str = "A-1001") -> dict[str, Any]:
    """The quickest way to news: an order that nobody has touched is given up."""
    session = bo.opens(reference=reference)
    assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    return session


def gives_up(world: World) -> None:
    """Three days go by, in which whoever does not listen is tried ten times."""
    for _ in range(12):
        with world.parts.sessions() as db:
            if not (due := db.scalar(select(func.min(Delivery.next_at)))):
                return
        world.clock.now = max(due, world.clock.now)
        world.works()


def log(bo: Merchant, **query: str) -> list[dict[str, Any]]:
    answer = bo.api("GET", f"{EVENTS}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])  # type: ignore[index]


def again(bo: Merchant, event: dict[str, Any]) -> Any:
    return bo.api("POST", f"{EVENTS}/{event['id']}/redeliver")


def test_the_log_says_what_was_told_and_how_it_was_answered(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    bo.inbox.answers = [503]
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(10)
    [event] = log(bo)
    heard = json.loads(bo.inbox.heard[-1].get_data())
    assert set(event) == {"id", "type", "created_at", "data", "deliveries"}
    assert (event["type"], event["data"]) == ("checkout_session.paid", heard["data"])
    assert event["id"] == bo.inbox.heard[-1].headers["webhook-id"]
    [delivery] = event["deliveries"]
    assert (delivery["status"], delivery["tries"], delivery["answer_status"]) == ("delivered", 2, 204)
    assert delivery["url"].startswith(world.hooks.url)
    assert delivery["next_try_at"] is None
    assert delivery["latency_ms"] >= 0
    tries = bo.api("GET", f"{EVENTS}/{event['id']}").json["deliveries"][0]["log"]  # type: ignore[index]
    assert [(one["answer_status"], one["error"]) for one in tries] == [(204, None), (503, "answered 503")]
    for one, request in zip(tries, reversed(bo.inbox.heard), strict=True):
        assert one["request_headers"]["webhook-signature"] == request.headers["webhook-signature"]
    assert bo.told.webhook_secret not in json.dumps(tries)


def test_what_waits_says_when_it_is_tried_next(world: World, bo: Merchant) -> None:
    bo.inbox.answers = [500]
    cancels(bo)
    world.works()
    [delivery] = log(bo)[0]["deliveries"]
    assert (delivery["status"], delivery["error"]) == ("pending", "answered 500")
    assert datetime.fromisoformat(delivery["next_try_at"]) == world.clock.now + timedelta(seconds=5)


def test_the_log_is_read_a_page_at_a_time_newest_first(world: World, bo: Merchant) -> None:
    references = [str(number) for number in range(7)]
    for reference in references:
        cancels(bo, reference)
        world.clock.now += timedelta(seconds=1)
    found, cursor = [], ""
    while True:
        page = bo.api("GET", f"{EVENTS}?limit=3&cursor={cursor}").json
        assert page
        found += [event["data"]["reference"] for event in page["data"]]
        if not (cursor := page["next_cursor"]):
            break
    assert found == references[::-1]


def test_the_log_can_be_narrowed(world: World, bo: Merchant) -> None:
    first, middle = cancels(bo, "1"), world.clock.now
    world.clock.now += timedelta(seconds=60)
    cancels(bo, "2")
    assert [event["data"]["id"] for event in log(bo, session=first["id"])] == [first["id"]]
    assert len(log(bo, type="checkout_session.cancelled")) == 2
    assert log(bo, type="checkout_session.paid") == []
    after = middle.astimezone(UTC).isoformat()
    assert [event["data"]["reference"] for event in log(bo, created_after=after)] == ["2"]


def test_whoever_goes_on_from_an_event_does_not_get_it_again(world: World, bo: Merchant) -> None:
    for reference in "12":
        world.clock.now += timedelta(microseconds=1999)  # an event's time is printed to the millisecond
        cancels(bo, reference)
    newest, oldest = log(bo)
    assert log(bo, created_after=oldest["created_at"]) == [newest]
    assert log(bo, created_after=newest["created_at"]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("type", "paid"), ("created_after", "today"), ("cursor", "x"), ("limit", "0"), ("colour", "red")],
)
def test_a_wrong_wish_is_named(bo: Merchant, name: str, value: str) -> None:
    answer = bo.api("GET", f"{EVENTS}?{name}={value}")
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json["errors"]] == [name]  # type: ignore[index]


# --- once more, please


@pytest.mark.parametrize("heard", [True, False])
def test_an_event_is_sent_again_whether_it_was_heard_or_not(world: World, bo: Merchant, heard: bool) -> None:
    bo.inbox.answers = [] if heard else [500] * 9 + [503]
    cancels(bo)
    world.works()
    gives_up(world)
    [event] = log(bo)
    told = event["deliveries"][0]
    assert (told["status"], told["answer_status"]) == (("delivered", 204) if heard else ("failed", 503))
    answer = again(bo, event)
    assert answer.status_code == 202
    assert answer.json["deliveries"][0]["status"] == "pending"
    world.works()
    assert len({request.headers["webhook-id"] for request in bo.inbox.heard}) == 1
    assert len({request.get_data() for request in bo.inbox.heard}) == 1
    bo.heard()
    assert log(bo)[0]["deliveries"][0]["status"] == "delivered"


def test_a_shopper_is_not_told_that_the_shop_forgot_her_order(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    assert "The shop has received your order." in ada.page()
    bo.inbox.answers = [500]
    again(bo, log(bo)[0])
    world.works()
    assert "The shop has received your order." in ada.page()
    world.passes(10)


def test_an_event_goes_to_where_the_shop_hears_now(world: World, bo: Merchant) -> None:
    cancels(bo)
    world.works()
    moved = move(world, bo, "/elsewhere")
    assert again(bo, log(bo)[0]).status_code == 202
    world.works()
    assert (len(bo.inbox.heard), len(moved.heard)) == (1, 1)
    assert [one["url"] for one in log(bo)[0]["deliveries"]] == [f"{world.hooks.url}/elsewhere/{id(world)}"]


def move(world: World, bo: Merchant, path: str) -> Inbox:
    """The shop's first endpoint gets another address."""
    path = f"{path}/{id(world)}"
    world.inboxes[path] = Inbox()
    [endpoint] = bo.api("GET", "/v1/webhook-endpoints").json["data"]  # type: ignore[index]
    change = {"url": world.hooks.url + path}
    assert bo.api("PATCH", f"/v1/webhook-endpoints/{endpoint['id']}", change).status_code == 200
    return world.inboxes[path]


def test_without_an_endpoint_nothing_is_sent_again_and_the_answer_says_so(world: World) -> None:
    bo = world.merchant(webhooks=False)
    cancels(bo)
    answer = again(bo, log(bo)[0])
    assert answer.status_code == 409
    assert "no webhook endpoint" in answer.json["detail"]
    assert bo.api("POST", f"{EVENTS}/redeliver", {"created_after": "2026-01-01T00:00:00Z"}).status_code == 409


def test_what_happened_before_there_was_an_endpoint_can_be_heard_later(world: World) -> None:
    bo = world.merchant(webhooks=False)
    cancels(bo)
    world.inboxes[f"/late/{id(world)}"] = inbox = Inbox()
    made = bo.api("POST", "/v1/webhook-endpoints", {"url": f"{world.hooks.url}/late/{id(world)}"})
    assert made.status_code == 201
    assert again(bo, log(bo)[0]).status_code == 202
    world.works()
    assert [json.loads(request.get_data())["type"] for request in inbox.heard] == ["checkout_session.cancelled"]


def test_all_that_failed_since_a_moment_is_sent_again_oldest_first(world: World, bo: Merchant) -> None:
    cancels(bo, "heard")
    world.works()
    bo.inbox.answers = [500] * 30
    for reference in ("1", "2", "3"):
        world.clock.now += timedelta(seconds=1)
        cancels(bo, reference)
    world.works()
    gives_up(world)
    bo.inbox.answers, before = [], len(bo.inbox.heard)
    wish = {"created_after": "2026-03-10T00:00:00Z", "status": "failed"}
    answer = bo.api("POST", f"{EVENTS}/redeliver", wish)
    assert (answer.status_code, answer.json["events"], answer.json["more"]) == (202, 3, False)  # type: ignore[index]
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()[before:]] == ["1", "2", "3"]
    assert bo.api("POST", f"{EVENTS}/redeliver", wish).json["deliveries"] == 0  # type: ignore[index]


def test_a_range_is_sent_again_and_nothing_beside_it(world: World, bo: Merchant) -> None:
    moments = []
    for reference in "1234":
        moments.append(world.clock.now.isoformat())
        cancels(bo, reference)
        world.clock.now += timedelta(minutes=1)
        world.works()
    before = len(bo.inbox.heard)
    wish = {"created_after": moments[0], "created_before": moments[3], "status": "any"}
    assert bo.api("POST", f"{EVENTS}/redeliver", wish).json["events"] == 2  # type: ignore[index]
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()[before:]] == ["2", "3"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "created_after"),
        ({"created_after": 5}, "created_after"),
        ({"created_after": "2026-03-10T00:00:00"}, "created_after"),
        ({"created_after": "2026-03-10T00:00:00Z", "status": "lost"}, "status"),
        ({"created_after": "2026-03-10T00:00:00Z", "created_before": "2026-03-01T00:00:00Z"}, "body"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(bo: Merchant, wish: dict[str, Any], field: str) -> None:
    answer = bo.api("POST", f"{EVENTS}/redeliver", wish)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json["errors"]] == [field]  # type: ignore[index]


def test_of_many_tries_the_latest_are_kept(world: World, bo: Merchant) -> None:
    cancels(bo)
    world.works()
    [event] = log(bo)
    for _ in range(TRIES_KEPT + 5):
        world.clock.now += timedelta(seconds=1)
        again(bo, event)
        world.works()
    with world.parts.sessions() as db:
        kept = list(db.scalars(select(DeliveryTry.at).order_by(DeliveryTry.at)))
    assert len(kept) == TRIES_KEPT
    assert kept[-1] == world.clock.now
    assert len(bo.inbox.heard) == TRIES_KEPT + 6


# --- nobody else's


def test_nobody_reads_or_hears_another_shops_events(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    session = cancels(bo)
    world.works()
    [event] = log(bo)
    unknown = cy.api("GET", f"{EVENTS}/evt_nobody")
    for answer in (cy.api("GET", f"{EVENTS}/{event['id']}"), again(cy, event)):
        assert (answer.status_code, answer.json["detail"]) == (404, unknown.json["detail"])  # type: ignore[index]
    assert log(cy) == log(cy, session=session["id"]) == []
    wish = {"created_after": "2026-01-01T00:00:00Z", "status": "any"}
    assert cy.api("POST", f"{EVENTS}/redeliver", wish).json["events"] == 0  # type: ignore[index]
    world.works()
    assert (len(bo.inbox.heard), cy.inbox.heard) == (1, [])
