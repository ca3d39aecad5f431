"""Somebody calls too often: told so, told when to come back, and never at the cost of money."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import Client, TestResponse

from checkout.domain.rates import USUAL, Rate, read_rates
from tests.stories.cast import DESKTOP, PUBLIC, Merchant, World
from tests.stories.storefront import link, order
from tests.stories.test_reusable_links import FIXED, makes

SESSIONS = "/v1/checkout-sessions"
ELSEWHERE = "203.0.113.7"


def calls(
    world: World, method: str, path: str, key: str = "", address: str = ELSEWHERE, **options: Any
) -> TestResponse:
    """From somewhere in the world: callers on this machine are not counted in development."""
    headers = {"User-Agent": DESKTOP} | ({"Authorization": f"Bearer {key}"} if key else {})
    client = Client(world.app, use_cookies=False)
    return client.open(
        path, method=method, base_url=PUBLIC, headers=headers, environ_overrides={"REMOTE_ADDR": address}, **options
    )


def test_a_key_may_call_so_often_and_is_told_when_to_come_back(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="api=3/minute")
    bo = world.merchant("Bo's Tea")
    answers = [calls(world, "GET", SESSIONS, bo.told.api_key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"api";r=2;t=20', '"api";r=1;t=40', '"api";r=0;t=60', '"api";r=0;t=60',
    ]  # fmt: skip
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"api";q=3;w=60'}
    assert answers[-1].mimetype == "application/problem+json"
    assert answers[-1].headers["Retry-After"] == "20"

    world.clock.now += timedelta(seconds=19)
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 429
    world.clock.now += timedelta(seconds=1)
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 200
    cy = world.merchant("Cy's Shop")
    assert calls(world, "GET", SESSIONS, cy.told.api_key).status_code == 200


def test_opening_sessions_has_a_limit_of_its_own(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="create=1/minute")
    bo = world.merchant("Bo's Tea")
    first, second = (calls(world, "POST", SESSIONS, bo.told.api_key, json=bo.order()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 429)
    assert first.headers["RateLimit-Policy"] == '"api";q=1200;w=60, "create";q=1;w=60'
    assert calls(world, "GET", f"{SESSIONS}/{first.json['id']}", bo.told.api_key).status_code == 200  # type: ignore[index]


def test_guessing_keys_is_slowed_and_the_right_key_beside_it_is_not(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="bad_key=2/minute")
    bo = world.merchant("Bo's Tea")
    guesses = [calls(world, "GET", SESSIONS, f"sk_wrong{number}") for number in range(3)]
    assert [answer.status_code for answer in guesses] == [401, 401, 429]
    assert "RateLimit" not in guesses[-1].headers
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 200
    assert calls(world, "GET", SESSIONS, "sk_wrong", address="203.0.113.8").status_code == 401
    neighbours = [calls(world, "GET", SESSIONS, "sk_wrong", address=f"2001:db8::{n}") for n in range(3)]
    assert [answer.status_code for answer in neighbours] == [401, 401, 429]


def test_a_shopper_is_asked_to_wait_and_loses_nothing(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="shopper=1/minute")
    bo = world.merchant("Bo's Tea")
    session = bo.opens()
    path = f"/pay/{session['id']}"
    assert calls(world, "POST", path, data={"wallet": "alipay_hk"}).status_code == 303
    refused = calls(world, "POST", f"{path}/cancel")
    assert (refused.status_code, refused.mimetype) == (429, "text/html")
    assert "Please wait a moment" in refused.text
    assert int(refused.headers["Retry-After"]) == 60

    world.pays(session)
    for _ in range(5):  # none of these is ever counted
        assert calls(world, "POST", f"{path}/check").status_code == 303
        assert calls(world, "GET", f"{path}/status").status_code == 200
        assert calls(world, "GET", f"{path}/return").status_code == 303
    assert world.notifies() == [200]
    world.works()
    assert bo.reads(session)["status"] == "paid"


def ways_without_a_key(world: World, bo: Merchant) -> list[tuple[str, str, dict[str, str]]]:
    """Each way by which somebody without an API key opens sessions, or makes us draw and look up."""
    signed = link(order("APP1"), "key-of-APP1")
    kept = makes(world, bo, *FIXED)["url"].removeprefix(PUBLIC)
    return [
        ("GET", f"/checkout?{signed}", {}),
        ("HEAD", f"/checkout?{signed}", {}),
        ("POST", f"/checkout?{signed}", {}),
        ("GET", "/checkout", {}),
        ("GET", f"/checkstand/?{signed}", {}),
        ("GET", "/checkstand/", {}),
        ("POST", "/checkstand/", {"link": f"{PUBLIC}/checkstand/#/?{signed}"}),
        ("GET", "/checkout/check", {}),
        ("POST", "/checkout/check", {"link": signed}),
        ("GET", kept, {}),
        ("POST", kept, {"once": "x" * 22}),
        ("GET", f"{kept}/poster", {}),
        ("GET", "/l/nobody-made-this", {}),
        ("GET", f"/q/{bo.opens()['id']}", {}),
        ("GET", "/q/cs_nobody", {}),
    ]


def test_every_way_without_a_key_is_counted_and_whoever_must_wait_gets_a_page(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="link=1/minute")
    bo = world.merchant("Bo's Tea")
    for number, (method, path, form) in enumerate(ways_without_a_key(world, bo)):
        sent: dict[str, Any] = {"data": form, "address": f"198.51.100.{number}"}
        assert calls(world, method, path, **sent).status_code < 429, path
        refused = calls(world, method, path, **sent)
        assert (refused.status_code, refused.mimetype, refused.headers["Retry-After"]) == (429, "text/html", "60"), path
        assert method == "HEAD" or "Please wait a moment" in refused.text
        assert method == "HEAD" or re.search(r"<b data-support-code><span>\w{3}</span><span>\w{3}</span>", refused.text)


def test_all_ways_share_one_count_and_pages_of_payments_have_none(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="link=3/minute")
    bo = world.merchant("Bo's Tea")
    answers = [calls(world, method, path, data=form) for method, path, form in ways_without_a_key(world, bo)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 3 + [True] * (len(answers) - 3)
    page = answers[0].headers["Location"]
    assert [calls(world, "GET", page).status_code for _ in range(5)] == [200] * 5
    world.clock.now += timedelta(seconds=20)
    assert calls(world, "GET", "/checkout/check").status_code == 200


def test_callers_on_this_machine_are_not_counted_in_development(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="api=1/minute,shopper=1/minute")
    bo = world.merchant("Bo's Tea")
    answers = [bo.api("GET", SESSIONS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[-1].headers["RateLimit"] == '"api";r=1;t=0'


def test_limits_can_be_switched_off(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="off")
    bo = world.merchant("Bo's Tea")
    answers = [calls(world, "GET", SESSIONS, bo.told.api_key) for _ in range(3)]
    assert {(answer.status_code, answer.headers.get("RateLimit")) for answer in answers} == {(200, None)}


def test_a_store_that_fails_lets_calls_through(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="api=1/minute")
    bo = world.merchant("Bo's Tea")
    with world.parts.engine.connect() as connection:
        connection.execute(text("ALTER TABLE rate_limit RENAME TO gone"))
        connection.commit()
    answers = [calls(world, "GET", SESSIONS, bo.told.api_key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_a_clock_that_was_set_back_keeps_nobody_out(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="api=1/minute")
    bo = world.merchant("Bo's Tea")
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 200
    world.clock.now -= timedelta(hours=1)
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 200
    assert calls(world, "GET", SESSIONS, bo.told.api_key).status_code == 429


def test_each_answer_has_a_name_and_takes_a_safe_one_from_its_caller(bo: Merchant, capsys: Any) -> None:
    made = bo.api("GET", SESSIONS).headers
    assert made["Request-Id"] == made["X-Request-Id"]
    assert made["Request-Id"].startswith("req_")
    assert bo.api("GET", SESSIONS).headers["Request-Id"] != made["Request-Id"]
    assert bo.api("GET", SESSIONS, X_Request_Id="4bf92f35-77b3-4da6").headers["Request-Id"] == "4bf92f35-77b3-4da6"
    for unsafe in ("short", "a b c d e f g h", "x" * 65, "sk_0123456789abcdef", "<script>alert(1)</script>"):
        assert bo.api("GET", SESSIONS, X_Request_Id=unsafe).headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(("written", "name", "rate"), [
    ("on", "api", USUAL["api"]),
    ("api=10/second", "api", Rate(10, 1)),
    ("api=10/second, link=5/hour", "link", Rate(5, 3600)),
    ("api=10/second", "link", USUAL["link"]),
    ("api=off", "api", None),
    ("off", "shopper", None),
])  # fmt: skip
def test_a_figure_changes_what_it_names_and_nothing_else(written: str, name: str, rate: Rate | None) -> None:
    assert read_rates(written).get(name) == rate
