"""F13 and F14: machines whose clocks are wrong, in any time zone, and the edges of months."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import time_machine

from checkout.services.enquiries import Lanes, enquire_next
from checkout.store.clock import DatabaseClock
from tests.hostile.tricks import gateway_hooks
from tests.processes.cast import PAY, QUERY
from tests.proofs.nursery import Errand, Nursery
from tests.proofs.stage import differences, settled_in
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant, Shopper, World

HONG_KONG = timezone(timedelta(hours=8))
REFUND = "/trade/v1/refund"
SKEWS = [timedelta(minutes=5), timedelta(days=1)]

# A machine's zone, and a moment at which its wall clock jumps.
ZONES = {
    "UTC": "2026-12-31T23:59:55+00:00",
    "Asia/Hong_Kong": "2026-03-10T15:59:55+00:00",  # midnight
    "Europe/Berlin": "2026-03-29T00:59:55+00:00",  # an hour forward
    "America/New_York": "2026-11-01T05:59:55+00:00",  # an hour back
    "Australia/Lord_Howe": "2026-04-04T14:59:55+00:00",  # half an hour back
    "Pacific/Apia": "2026-06-30T10:59:55+00:00",  # another day than in Hong Kong
}


@pytest.mark.parametrize("zone", ZONES)
def test_f13_a_machine_in_any_zone_tells_the_gateway_hong_kong_time_while_its_wall_clock_jumps(
    database_url: str, tmp_path: Path, hooks: HttpServer, inboxes: dict[str, Inbox], zone: str
) -> None:
    inbox = inboxes["/zones"] = Inbox()
    began = datetime.fromisoformat(ZONES[zone])
    with (
        settled_in(database_url, tmp_path / "ledger.db", hooks, inbox, "/zones") as stage,
        Nursery(TZ=zone) as machine,
    ):
        steps = "opens picks pays is_told waits works"
        machine.must_end(Errand(stage.place, began.isoformat(), steps=steps, key="one"), 0)
        morning = began + timedelta(hours=16)  # whatever the hour, then or now refunds are not paused
        machine.must_end(Errand(stage.place, morning.isoformat(), steps="opens refunds works", key="one"), 0)
        machine.must_end(Errand(stage.place, morning.isoformat(), moments=[3600 * hour for hour in range(10)]), 0)
        for call in stage.ledger.calls():
            if call.path in (PAY, REFUND):
                said = datetime.fromisoformat(call.params["txdtm"]).replace(tzinfo=HONG_KONG)
                assert abs(call.at - said) < timedelta(seconds=1)
        assert {call.path for call in stage.ledger.calls()} == {PAY, QUERY, REFUND}
        assert list(differences(stage, inbox)) == []


@contextmanager
def machine_off_by(skew: timedelta) -> Iterator[None]:
    """This machine's clock is wrong, and ticks; the database server's is not."""
    with time_machine.travel(datetime.now(UTC) + skew, tick=True):
        yield


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_f13_two_workers_whose_machines_disagree_respect_each_others_leases(
    world: World, bo: Merchant, skew: timedelta
) -> None:
    world.clock.now = DatabaseClock(world.parts.engine)() - timedelta(seconds=30)
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.clock.now += timedelta(seconds=30)  # the gateway's own clock is right
    done: list[bool] = []

    def other() -> None:
        with machine_off_by(-skew):
            asking = replace(world.asking, clock=DatabaseClock(world.parts.engine), lanes=Lanes())
            done.append(enquire_next(asking))

    gateway_hooks(world, QUERY, lambda _: other())
    with machine_off_by(skew):
        asking = replace(world.asking, clock=DatabaseClock(world.parts.engine), lanes=Lanes())
        assert enquire_next(asking)
    assert done == [False]
    starts = [call.params.get("start_time") for call in world.ledger.calls(QUERY)]
    assert 0 < len(starts) == len(set(starts)), "near a month's edge one question takes a call for each month"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("skew", [sign * skew for skew in SKEWS for sign in (1, -1)], ids=str)
def test_f13_the_database_decides_what_time_it_is(world: World, skew: timedelta) -> None:
    right = datetime.now(UTC)
    with machine_off_by(skew):
        assert abs(DatabaseClock(world.parts.engine)() - right) < timedelta(seconds=30)


@pytest.mark.parametrize("back", SKEWS, ids=str)
def test_f13_a_clock_set_back_delays_what_was_planned_and_loses_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], back: timedelta
) -> None:
    """SQLite's clock is the machine's, and a database server's may be set too."""
    ada.picks("alipay_hk")
    world.passes(10)
    before = world.clock.now
    world.clock.now -= back
    later = bo.opens(reference="A-1002")
    world.shopper(later).picks("alipay_hk")
    assert world.attempt(later).target, "who comes now must not wait until the clock has caught up"
    world.pays(later)
    world.passes(10)
    assert bo.reads(later)["status"] == "paid"
    world.pays(session)
    world.clock.now = before
    world.passes(60, step=5)
    assert bo.reads(session)["status"] == "paid"
    assert len(bo.heard()) == 2


@pytest.mark.parametrize("month", range(1, 13))
def test_f14_a_code_shown_before_midnight_and_paid_after_it_is_found_across_the_months_edge(
    world: World, bo: Merchant, month: int
) -> None:
    first_of_next = datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=HONG_KONG)
    world.clock.now = (first_of_next - timedelta(seconds=40)).astimezone(UTC)
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.passes(100, step=5)
    world.pays(session)
    world.passes(40, step=5)
    assert bo.reads(session)["status"] == "paid"
    asked = [call.params for call in world.ledger.calls(QUERY)]
    assert all("start_time" in params for params in asked)  # which month is the current one is not for us to guess
    months = {params["start_time"][:7] for params in asked}
    assert months == {f"2026-{month:02}", f"{first_of_next:%Y-%m}"}
