"""Idle threads of one kind: one looks out for all, and all are there when there is work."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from checkout.services.lanes import Lanes
from checkout.services.lookout import Lookout
from tests.servers import wait_until

NEVER = 10.0**7  # seconds: nobody wakes because the time has come
SOON = 10.0


@contextmanager
def crew(number: int, work: Callable[[], None], kind: Lookout) -> Iterator[list[threading.Thread]]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        kind.close()
        for thread in threads:
            thread.join(SOON)


def ended(threads: list[threading.Thread]) -> int:
    return sum(not thread.is_alive() for thread in threads)


def test_however_many_are_idle_one_looks_at_a_time() -> None:
    kind, began = Lookout(seconds=0.1), time.monotonic()
    looks: list[float] = []

    def looks_out() -> None:
        while len(looks) < 8:
            kind.rest()
            looks.append(time.monotonic() - began)

    with crew(5, looks_out, kind):
        wait_until(lambda: len(looks) >= 8, SOON, lambda: f"only {len(looks)} looks")
    assert all(moment >= 0.1 * nth for nth, moment in enumerate(sorted(looks[2:8]), 1))


def test_two_kinds_look_by_turns() -> None:
    one, other = Lookout(0.2), Lookout(3.7)
    for now in (0.0, 7.0, 1_000_000.5):
        assert one.until_its_turn(now) == pytest.approx(0.1, abs=1e-6)
        assert other.until_its_turn(now) == pytest.approx(0.35, abs=1e-6)
    assert one.until_its_turn(7.1 + 1e-9) == pytest.approx(0.5), "it has just looked"


def test_who_finds_work_hurries_the_next_until_all_are_there() -> None:
    kind, busy, released = Lookout(seconds=NEVER), [], threading.Event()

    def works() -> None:
        kind.rest()
        kind.hurry()
        busy.append(1)
        released.wait(SOON)

    with crew(4, works, kind):
        kind.hurry()
        wait_until(lambda: len(busy) == 4, SOON, lambda: f"only {len(busy)} came")
        released.set()
    assert len(busy) == 4


def test_who_stops_wakes_everybody() -> None:
    kind = Lookout(seconds=NEVER)
    with crew(4, kind.rest, kind) as threads:
        assert ended(threads) == 0
        kind.close()
        wait_until(lambda: ended(threads) == 4, SOON, lambda: f"only {ended(threads)} woke")


@pytest.mark.parametrize("worked", [False, True])
def test_work_that_came_to_nothing_hurries_nobody_until_some_is_done(worked: bool) -> None:
    """Else two threads that cannot take what both of them see would race for it as fast as they can."""
    kind, rounds = Lookout(seconds=NEVER), []

    def finds_something_each_time() -> None:
        for _ in range(3):
            kind.rest()
            rounds.append(1)
            kind.hurry()
            if worked:
                kind.worked()

    with crew(1, finds_something_each_time, kind) as threads:
        kind.hurry()
        wait_until(lambda: len(rounds) >= 2, SOON, lambda: f"only {len(rounds)} rounds")
        threads[0].join(SOON if worked else 0.2)
        assert ended(threads) == worked


def test_whoever_enters_a_lane_tells_those_of_its_own_kind_only() -> None:
    lanes, told = Lanes(), []
    ours, theirs = lanes.telling(lambda: told.append("ours")), lanes.telling(lambda: told.append("theirs"))
    with ours.entered("shop") as free, theirs.entered("shop") as second:
        assert (free, second, theirs.busy, told) == (True, False, ("shop",), ["ours"])
    with theirs.entered("shop") as free:
        assert (free, told) == (True, ["ours", "theirs"])
    assert lanes.busy == ()
