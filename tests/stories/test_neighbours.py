"""What is done to one thing touches nothing beside it: not the neighbour's, and not one's own other things."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.services import watching
from checkout.services.returning import move_next_refund
from checkout.store.models import Attempt, Delivery, Refund
from checkout.store.oversight import AuditEntry
from sandbox import Scenario
from tests.stories.cast import Merchant, World
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
    assert {one for one in after if after[one] != before[one]} == {one for one, row in before.items() if theirs(row)}


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


def test_an_endpoint_that_is_deleted_takes_only_its_own_news_along(world: World, bo: Merchant) -> None:
    _, made = three_who_wait(world, bo)
    with touches_only(world, Delivery, lambda row: row["endpoint_id"] == made["id"]) as after:
        assert bo.api("DELETE", f"{PLACE}/{made['id']}").status_code == 204
    held = [row for row in after.values() if row["status"] == "blocked"]
    assert [(row["next_at"], row["error"]) for row in held] == [(None, "held back: the endpoint was deleted")] * 2


def test_an_endpoint_that_is_deleted_keeps_what_it_has_heard(world: World, bo: Merchant) -> None:
    made, _ = adds(bo, "/books")
    cancels(bo)
    world.works()
    with touches_only(world, Delivery, lambda _: False) as after:
        assert bo.api("DELETE", f"{PLACE}/{made['id']}").status_code == 204
    assert {row["status"] for row in after.values()} == {"done"}


def test_an_endpoint_that_is_enabled_gets_only_its_own_news(world: World, bo: Merchant) -> None:
    _, made = three_who_wait(world, bo)
    world.clock.now += timedelta(seconds=1)
    with touches_only(world, Delivery, lambda row: row["endpoint_id"] == made["id"]) as after:
        assert bo.api("POST", f"{PLACE}/{made['id']}/enable").json["queued"] == 2  # type: ignore[index]
    mine = [row for row in after.values() if row["endpoint_id"] == made["id"]]
    assert [(row["status"], row["tries"], row["next_at"], row["error"], row["url"]) for row in mine] == [
        ("due", 0, world.clock.now, None, made["url"])
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
    event = log(bo)[0]
    world.clock.now += timedelta(seconds=1)
    with touches_only(world, Delivery, lambda row: row["event_id"] == event["id"]) as after:
        assert len(again(bo, event).json["deliveries"]) == 2
    told = [row for row in after.values() if row["event_id"] == event["id"]]
    assert [(row["status"], row["tries"], row["next_at"], row["error"]) for row in told] == [
        ("due", 0, world.clock.now, None)
    ] * 2
    assert made["url"] in {row["url"] for row in told}


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
    before = bo.reads(paid)["version"]
    answer = asks(bo, paid, amount=100)
    asked = bo.reads(paid)["version"]
    world.passes(9 * 86400, step=3600)
    assert read(bo, answer)["status"] == "failed"
    assert before < asked < bo.reads(paid)["version"]


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
