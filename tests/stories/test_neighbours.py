"""What is done to one thing touches nothing beside it: not the neighbour's, and not one's own other things."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.services import watching
from checkout.services.returning import move_next_refund
from checkout.store.models import Attempt, Delivery, Refund
from checkout.store.oversight import AuditEntry
from sandbox import Scenario
from tests.faults.wires import QUERY
from tests.hostile.tricks import gateway_answers
from tests.stories.cast import Merchant, World
from tests.stories.test_corners import locked_up
from tests.stories.test_endpoints import PLACE, adds
from tests.stories.test_event_log import again, cancels, gives_up, log
from tests.stories.test_refunds import LOST, asks, does_the_next_refund_and_says, pay, read

Rows = dict[str, dict[str, Any]]


def rows(world: World, table: type[Attempt | Delivery | Refund]) -> Rows:
    with world.parts.sessions() as db:
        columns = table.__table__.columns
        return {str(row["id"]): dict(row) for row in db.execute(select(*columns)).mappings()}


@contextmanager
def touches_only(
    world: World, table: type[Attempt | Delivery | Refund], theirs: Callable[[dict[str, Any]], bool]
) -> Iterator[Rows]:
    """In the end all those that are `theirs` have changed, and no other; yields them as they will be."""
    before = rows(world, table)
    after: Rows = {}
    yield after
    after.update(rows(world, table))
    changed = {one for one in after if after[one] != before.get(one)}
    assert changed == {one for one, row in after.items() if theirs(before.get(one, row))}


def three_who_wait(world: World, bo: Merchant) -> tuple[Merchant, dict[str, Any]]:
    """Bo's server and her bookkeeper's do not listen, and neither does Cy's: each has two pieces of news that wait."""
    cy = world.merchant("Cy's Shop")
    made, books = adds(bo, "/books")
    for inbox in (bo.inbox, cy.inbox, books):
        inbox.answers = [500] * 40
    for shop in (bo, cy):
        cancels(shop, "1")
        cancels(shop, "2")
    world.works()
    assert {row["tries"] for row in rows(world, Delivery).values()} == {1}
    return cy, made


@pytest.fixture(params=["first", "further"])
def one(request: pytest.FixtureRequest, world: World, bo: Merchant) -> tuple[str, Callable[[dict[str, Any]], bool]]:
    """One of Bo's two endpoints, for both of which news waits: its id, and what is its own."""
    _, made = three_who_wait(world, bo)
    if request.param == "further":
        return made["id"], lambda row: row["endpoint_id"] == made["id"]
    first = next(shown["id"] for shown in bo.api("GET", PLACE).json["data"] if shown["id"] != made["id"])  # type: ignore[index]
    return first, lambda row: (row["merchant_id"], row["endpoint_id"]) == (bo.told.merchant_id, "")


def test_an_endpoint_that_is_deleted_takes_only_its_own_news_along(
    world: World, bo: Merchant, one: tuple[str, Callable[[dict[str, Any]], bool]]
) -> None:
    endpoint, its_own = one
    with touches_only(world, Delivery, its_own) as after:
        assert bo.api("DELETE", f"{PLACE}/{endpoint}").status_code == 204
    held = [row for row in after.values() if row["status"] == "blocked"]
    assert [(row["next_at"], row["error"]) for row in held] == [(None, "held back: the endpoint was deleted")] * 2


def test_an_endpoint_that_is_deleted_keeps_what_it_has_heard(world: World, bo: Merchant) -> None:
    made, _ = adds(bo, "/books")
    cancels(bo)
    world.works()
    with touches_only(world, Delivery, lambda _: False) as after:
        assert bo.api("DELETE", f"{PLACE}/{made['id']}").status_code == 204
    assert {row["status"] for row in after.values()} == {"done"}


def test_an_endpoint_that_is_enabled_gets_only_its_own_news(
    world: World, bo: Merchant, one: tuple[str, Callable[[dict[str, Any]], bool]]
) -> None:
    endpoint, its_own = one
    url = bo.api("GET", f"{PLACE}/{endpoint}").json["url"]  # type: ignore[index]
    world.clock.now += timedelta(seconds=1)
    with touches_only(world, Delivery, its_own) as after:
        assert bo.api("POST", f"{PLACE}/{endpoint}/enable").json["queued"] == 2  # type: ignore[index]
    mine = [row for row in after.values() if its_own(row)]
    assert [(row["status"], row["tries"], row["next_at"], row["error"], row["url"]) for row in mine] == [
        ("due", 0, world.clock.now, None, url)
    ] * 2


def test_what_was_given_up_is_sent_again_from_the_moment_that_is_named(world: World, bo: Merchant) -> None:
    _, made = three_who_wait(world, bo)
    world.clock.now += timedelta(seconds=60)
    cancels(bo, "3")
    for _ in range(10):  # ten tries of three servers, which are seldom due at one moment
        gives_up(world)
    assert {row["status"] for row in rows(world, Delivery).values()} == {"dead"}
    newest = log(bo)[0]
    wanted = (newest["id"], made["id"])
    with touches_only(world, Delivery, lambda row: (row["event_id"], row["endpoint_id"]) == wanted):
        enabled = bo.api("POST", f"{PLACE}/{made['id']}/enable", {"since": newest["created_at"]})
    assert enabled.json["queued"] == 1  # type: ignore[index]


def test_one_event_is_told_again_to_all_who_want_it_where_they_are_now(world: World, bo: Merchant) -> None:
    _, made = three_who_wait(world, bo)
    adds(bo, "/alarm", types=["payment.late"])
    adds(bo, "/cancelled", types=["payment.late", "checkout_session.cancelled"])
    event = log(bo)[0]
    world.clock.now += timedelta(seconds=1)
    with touches_only(world, Delivery, lambda row: row["event_id"] == event["id"]) as after:
        assert len(again(bo, event).json["deliveries"]) == 3
    told = [row for row in after.values() if row["event_id"] == event["id"]]
    assert [(row["status"], row["tries"], row["next_at"], row["error"]) for row in told] == [
        ("due", 0, world.clock.now, None)
    ] * 3
    assert made["url"] in {row["url"] for row in told}


def test_a_range_of_events_is_counted_over_all_who_hear_it(world: World, bo: Merchant) -> None:
    three_who_wait(world, bo)
    for _ in range(10):
        gives_up(world)
    failed = {"created_after": "2026-03-10T00:00:00Z", "status": "failed"}
    resent = bo.api("POST", "/v1/events/redeliver", failed).json
    assert resent
    assert (resent["events"], resent["deliveries"]) == (2, 4)


@pytest.mark.parametrize(
    ("why", "reason"),
    [("off", "held back: the endpoint is switched off"), ("gone", "held back: the endpoint has answered 410 Gone")],
)
def test_what_happens_meanwhile_says_why_it_is_held_back(world: World, bo: Merchant, why: str, reason: str) -> None:
    made, inbox = adds(bo, "/books")
    if why == "off":
        assert bo.api("PATCH", f"{PLACE}/{made['id']}", {"enabled": False}).status_code == 200
    else:
        inbox.answers = [410]
        cancels(bo, "1")
        world.works()
    cancels(bo, "2")
    world.works()
    theirs = [row for row in rows(world, Delivery).values() if row["endpoint_id"] == made["id"]]
    told = {(str(row["status"]), row["error"]) for row in theirs}
    assert told == {("blocked", reason)} | ({("dead", "answered 410")} if why == "gone" else set())


def test_an_endpoint_that_asks_never_to_be_called_again_is_named_in_the_log(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/leaves")
    inbox.answers = [410]
    cancels(bo)
    world.works()
    with world.parts.sessions() as db:
        [entry] = db.scalars(select(AuditEntry).where(AuditEntry.action == "webhook_disabled"))
    assert entry.details == {"reason": "410 Gone", "endpoint": made["id"]}


def test_who_says_that_she_has_paid_is_heard_at_once_and_alone(world: World, bo: Merchant) -> None:
    sessions = [bo.opens(reference=name) for name in ("ada", "cy")]
    for session in sessions:
        world.shopper(session).picks("alipay_hk")
    world.passes(300)
    mine = world.attempt(sessions[0]).id
    with touches_only(world, Attempt, lambda row: row["id"] == mine) as after:
        assert world.shopper(sessions[0]).says_paid().status_code == 303
    assert after[mine]["next_at"] == world.clock.now


def test_a_refund_that_is_refused_is_news_for_everybody_who_reads_the_session(world: World, bo: Merchant) -> None:
    paid = pay(world, bo, Scenario.LOW_TAKINGS)
    versions = [bo.reads(paid)["version"]]
    answer = asks(bo, paid, amount=100)
    versions.append(bo.reads(paid)["version"])
    for _ in range(9):  # each day it is asked for again, and the answer says that it waits for the next
        world.passes(86400, step=3600)
        versions.append(bo.reads(paid)["version"])
        if read(bo, answer)["status"] == "failed":
            break
    assert read(bo, answer)["status"] == "failed"
    assert len(versions) > 4
    assert versions == sorted(set(versions))


def test_a_refund_that_is_enquired_about_moves_no_other(world: World, bo: Merchant) -> None:
    for number in ("1", "2"):
        paid = pay(world, bo, reference=number)
        asks(bo, paid, number)
        does_the_next_refund_and_says(world, LOST)
        world.works()
    two = sorted(rows(world, Refund).values(), key=lambda row: row["next_at"])
    assert [row["status"] for row in two] == ["unknown"] * 2
    world.clock.now = two[1]["next_at"] + timedelta(seconds=1)
    with touches_only(world, Refund, lambda row: row["id"] == two[0]["id"]) as after:
        assert move_next_refund(world.refunding)
    assert after[two[0]["id"]]["status"] == "succeeded"


def test_a_refund_whose_key_cannot_be_opened_is_not_the_end_of_the_round(world: World, bo: Merchant) -> None:
    asked = asks(bo, pay(world, bo))
    does_the_next_refund_and_says(world, LOST)
    world.works()
    mend = locked_up(world, bo)
    world.clock.now += timedelta(seconds=60)
    assert move_next_refund(world.refunding), "there may be others behind it"
    mend()
    world.passes(3700, step=60)
    assert read(bo, asked)["status"] == "succeeded"


def test_a_payment_under_the_number_of_a_refund_sends_nothing_back(world: World, bo: Merchant) -> None:
    asked = asks(bo, pay(world, bo))
    number = next(iter(rows(world, Refund).values()))["out_trade_no"]
    does_the_next_refund_and_says(world, LOST)
    world.works()

    def of_another_kind(answer: dict[str, Any]) -> dict[str, Any]:
        strange = [
            item | ({"order_type": "payment"} if item["out_trade_no"] == number else {}) for item in answer["data"]
        ]
        return answer | {"data": strange}

    gateway_answers(world, QUERY, of_another_kind)
    world.passes(240, step=5)
    assert read(bo, asked)["status"] == "pending"


def test_a_number_that_the_gateway_speaks_of_is_asked_about_alone(world: World, bo: Merchant) -> None:
    """By a notification; a refund's number as well as a payment's."""
    payments = [pay(world, bo, reference=name) for name in ("1", "2")]
    for session in payments:
        asks(bo, session, session["id"])
        does_the_next_refund_and_says(world, LOST)
        world.works()
    for session in [bo.opens(reference=name) for name in ("3", "4")]:
        world.shopper(session).picks("alipay_hk")
    world.passes(2)
    speaks_of(world, Refund, watching.make_refund_due)
    speaks_of(world, Attempt, watching.make_number_due)


def test_a_refund_that_waits_for_takings_is_not_stirred_by_a_notification(world: World, bo: Merchant) -> None:
    asks(bo, pay(world, bo, Scenario.LOW_TAKINGS), amount=100)
    world.works()
    [waiting] = rows(world, Refund).values()
    assert (waiting["status"], waiting["next_at"] > world.clock.now) == ("reserved", True)
    with touches_only(world, Refund, lambda _: False), world.parts.sessions() as db:
        watching.make_refund_due(db, waiting["id"], world.clock())
        db.commit()


def test_a_refund_that_is_due_already_keeps_its_place(world: World, bo: Merchant) -> None:
    asks(bo, pay(world, bo))
    does_the_next_refund_and_says(world, LOST)
    world.works()
    [asked] = rows(world, Refund).values()
    world.clock.now = asked["next_at"] + timedelta(seconds=60)
    with touches_only(world, Refund, lambda _: False), world.parts.sessions() as db:
        watching.make_refund_due(db, asked["id"], world.clock())
        db.commit()


def speaks_of(world: World, table: type[Attempt | Refund], make_due: Callable[[Session, str, datetime], None]) -> None:
    """Of the one that would have waited longest; it is due within two seconds of the last question."""
    waiting = {one: row["next_at"] for one, row in rows(world, table).items() if row["next_at"]}
    mine = max(waiting, key=lambda one: waiting[one])
    assert len(waiting) > 1
    assert waiting[mine] > world.clock() + timedelta(seconds=2)
    with touches_only(world, table, lambda row: row["id"] == mine) as after, world.parts.sessions() as db:
        make_due(db, mine, world.clock())
        db.commit()
    assert after[mine]["next_at"] <= world.clock() + timedelta(seconds=2)
