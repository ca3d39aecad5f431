"""One credential's trouble delays no other's (interface.md section 6; safety.md I21)."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from checkout.background import Worker
from tests.hostile.tricks import mount
from tests.stories.cast import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def soon(true: Callable[[], bool], seconds: float = 12.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


@on_sqlite
def test_four_gateways_that_hang_do_not_hold_up_the_fifth(world: World) -> None:
    shops = [world.merchant(f"Shop {n}") for n in range(1, 6)]
    sessions = [shop.opens() for shop in shops]
    for one in sessions:
        world.shopper(one).picks("alipay_hk")
        world.clock.now = world.clock.now.replace(microsecond=world.clock.now.microsecond + 1000)
    world.pays(sessions[-1])
    released = threading.Event()

    def hangs(environ: Any, start_response: Any) -> Any:
        if Request(environ).headers["X-QF-APPCODE"] != "APP5":
            released.wait(60)
        return world.sandbox(environ, start_response)

    mount(world, hangs)
    world.clock.now = world.clock.now.replace(second=3)
    worker = Worker(world.parts)
    worker.start()
    try:
        assert soon(lambda: world.row(sessions[-1]).status == "paid")
    finally:
        released.set()
        worker.stop()


@on_sqlite
def test_four_endpoints_that_hang_do_not_hold_up_the_fifth(world: World) -> None:
    shops = [world.merchant(f"Shop {n}") for n in range(1, 6)]
    released = threading.Event()

    def hangs(_environ: Any, start_response: Any) -> Any:
        released.wait(60)
        return Response(status=204)(_environ, start_response)

    for shop in shops[:4]:
        where = next(path for path, inbox in world.inboxes.items() if inbox is shop.inbox)
        world.inboxes[where] = hangs  # type: ignore[assignment]
    for shop in shops:
        session = shop.opens()
        shop.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
        world.clock.now = world.clock.now.replace(microsecond=world.clock.now.microsecond + 1000)
    worker = Worker(world.parts)
    worker.start()
    try:
        assert soon(lambda: len(shops[-1].inbox.heard) == 1)
    finally:
        released.set()
        worker.stop()
