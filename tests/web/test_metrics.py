"""What Prometheus reads, and who else may."""

from typing import Any

import pytest
from werkzeug.test import Client

from tests.stories.cast import PUBLIC, World
from tests.stories.conftest import database_url, empty_books, hooks, inboxes, make_world

__all__ = ["database_url", "empty_books", "hooks", "inboxes", "make_world"]

TOKEN = "t" * 24


def reads(world: World, token: str = TOKEN, *, at: str = PUBLIC) -> Any:
    return Client(world.app).get("/metrics", base_url=at, headers={"Authorization": f"Bearer {token}"})


def figures(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
    return {name: float(value) for name, _, value in lines}


def test_the_figures_are_those_of_the_books(make_world: Any) -> None:
    world = make_world(METRICS_TOKEN=TOKEN)
    bo = world.merchant("Bo's Tea")
    session = bo.opens()
    bo.api("POST", f"/v1/checkout-sessions/{bo.opens(reference='A-2')['id']}/cancel")
    world.inboxes.clear()  # Bo's server is gone: what he should hear waits
    world.clock.now = world.clock.now.replace(minute=10)
    told = figures(reads(world).text)
    assert told["sampan_database_up"] == 1
    assert told["sampan_sessions_open"] == 1
    assert told['sampan_due{queue="delivery"}'] == 1
    assert told['sampan_due_oldest_seconds{queue="delivery"}'] == 600
    assert told["sampan_reviews_open"] == told["sampan_breakers_open"] == told["sampan_differences_open"] == 0
    route = 'method="POST",route="/v1/checkout-sessions",status="2xx"'
    assert told[f"sampan_http_request_seconds_count{{{route}}}"] >= 2
    assert session["id"] not in reads(world).text


@pytest.mark.parametrize("address", ["http://10.1.2.3:8000", "http://sampan.cluster.local"])
def test_prometheus_asks_each_process_by_its_address(make_world: Any, address: str) -> None:
    world = make_world(METRICS_TOKEN=TOKEN)
    assert figures(reads(world, at=address).text)["sampan_database_up"] == 1
    assert reads(world, "wrong", at=address).status_code == 404


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "t", "é" * 24])
def test_to_everybody_else_there_is_no_such_address(make_world: Any, token: str) -> None:
    world = make_world(METRICS_TOKEN=TOKEN)
    unknown = Client(world.app).get("/nothing-here", base_url=PUBLIC)
    answer = reads(world, token.encode().decode("latin-1"))
    assert (answer.status_code, answer.text) == (404, unknown.text)


def test_without_the_setting_nobody_reads_them(make_world: Any) -> None:
    assert reads(make_world(), "").status_code == 404
