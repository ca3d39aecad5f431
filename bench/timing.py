"""What the time of a refusal tells a stranger: two cases that must not be told apart, side by side (safety.md S52)."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

from werkzeug.test import Client

from bench.tables import table
from checkout.domain.api_keys import new_api_key
from checkout.domain.ids import new_id
from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.conftest import migrate
from tests.stories.storefront import link, order

TRIES = 2000
SLOW_TRIES = 150  # a password is hashed for tens of milliseconds
GOAL = 1.0  # ms between the medians
Case = Callable[[], Any]


def measure() -> Iterator[str]:
    """One table. The two cases of a row take turns at random, so that whatever else runs slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/books.db"
        migrate(url)
        world = World(url, cast(Any, None), {}, LOG_LEVEL="ERROR", RATE_LIMITS="off")
        rows = [_row(name, *pair) for name, pair in _pairs(world).items()]
        world.close()
    title = f"Times of refusals: {TRIES:,} tries each ({SLOW_TRIES} of the sign-in), goal {GOAL:g} ms apart"
    yield table(title, ["what is refused", "median ms", "the other", "difference", "of CPU alone"], rows)


def _pairs(world: World) -> dict[str, tuple[Case, Case, int]]:
    bo, cy = world.merchant("Bo's Tea", webhooks=False), world.merchant("Cy's Shop", webhooks=False)
    theirs = cy.opens()["id"]
    refused = link(order("APP1"), "another key")
    nobodys = link(order("NOBODY"), "another key")
    owner = Clerk(world, bo, "owner@shop.example")
    owner.is_invited("owner")
    owner.arrives(PASSWORD)
    return {
        "API key: never given out, or revoked": (_by_key(world, new_api_key()), _by_key(world, _revoked(bo)), TRIES),
        "signed link: app code unknown, or known": (_opens(world, nobodys), _opens(world, refused), TRIES),
        "session: not there, or another merchant's": (_reads(bo, new_id("cs_")), _reads(bo, theirs), TRIES),
        "payment page: not there, or no such id": (_pays(world, new_id("cs_")), _pays(world, "cs_x"), TRIES),
        "sign-in: no such account, or wrong password": (
            _signs_in(world, "nobody@shop.example"), _signs_in(world, owner.email), SLOW_TRIES,
        ),
    }  # fmt: skip


def _row(name: str, one: Case, other: Case, tries: int) -> list[str]:
    """Milliseconds. Processor time is the same on a busy machine, where a long case is interrupted more often."""
    times: dict[Case, list[tuple[float, float]]] = {one: [], other: []}
    for _ in range(tries):
        for case in random.sample([one, other], 2):
            begun, worked = time.perf_counter(), time.thread_time()
            case()
            times[case].append((time.perf_counter() - begun, time.thread_time() - worked))
    (first, first_worked), (second, second_worked) = (_medians(times[case]) for case in (one, other))
    apart, worked_apart = abs(first - second), abs(first_worked - second_worked)
    return [name, f"{first:.2f}", f"{second:.2f}", f"{apart:.2f}", f"{worked_apart:.2f}"]


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    elapsed, worked = zip(*times, strict=True)
    return statistics.median(elapsed) * 1000, statistics.median(worked) * 1000


def _client(world: World) -> Client:
    return Client(world.app, use_cookies=False)


def _revoked(bo: Merchant) -> str:
    made = cast(dict[str, Any], bo.api("POST", "/v1/api-keys", {"name": "old", "scopes": ["read"]}).json)
    bo.api("DELETE", f"/v1/api-keys/{made['id']}")
    return str(made["key"])


def _by_key(world: World, key: str) -> Case:
    client, headers = _client(world), {"Authorization": f"Bearer {key}"}
    return lambda: client.get("/v1/checkout-sessions", base_url=PUBLIC, headers=headers)


def _opens(world: World, query: str) -> Case:
    client = _client(world)
    return lambda: client.get(f"/checkout?{query}", base_url=PUBLIC)


def _reads(bo: Merchant, session_id: str) -> Case:
    return lambda: bo.api("GET", f"/v1/checkout-sessions/{session_id}")


def _pays(world: World, session_id: str) -> Case:
    client = _client(world)
    return lambda: client.get(f"/pay/{session_id}", base_url=PUBLIC)


def _signs_in(world: World, email: str) -> Case:
    """Each try after a rest, so that nobody is told to wait."""
    client = Client(world.app)
    page = client.get("/merchant/sign-in", base_url=PUBLIC).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": email, "password": "five loud boats at night"}

    def tries() -> None:
        world.clock.now += timedelta(minutes=20)
        answer = client.post("/merchant/sign-in", base_url=PUBLIC, data=form)
        assert answer.status_code in (401, 403, 422), answer.status_code

    return tries
