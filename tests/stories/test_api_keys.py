"""Keys for a shop's servers: several, each for what it needs, rotated while the till is ringing."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event, select
from werkzeug.test import Client

from checkout.domain.api_keys import ALL_SCOPES
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from checkout.store.telling import ApiKey
from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.test_endpoints import only_sqlite

PLACE = "/v1/api-keys"
SESSION = {"amount": 8800, "currency": "HKD", "reference": "A-1", "return_url": "https://shop.example/"}


def makes(bo: Merchant, *scopes: str, name: str = "till", **wishes: Any) -> tuple[Merchant, str]:
    """Bo, calling with a key of his own making; and the id of it."""
    answer = bo.api("POST", PLACE, {"name": name, "scopes": list(scopes or ALL_SCOPES)} | wishes)
    assert answer.status_code == 201, answer.text
    made = answer.json or {}
    return replace(bo, told=replace(bo.told, api_key=made["key"])), made["id"]


def keys(bo: Merchant) -> list[dict[str, Any]]:
    return list(bo.api("GET", PLACE).json["data"])  # type: ignore[index]


def cli(world: World, *words: str) -> Any:
    return world.app.test_cli_runner().invoke(args=["merchant", *words])


CALLS = {
    ("GET", "/v1/checkout-sessions"): "read",
    ("GET", "/v1/events"): "read",
    ("GET", "/v1/events/evt_x"): "read",
    ("GET", "/v1/refunds"): "read",
    ("GET", "/v1/refunds/rf_x"): "read",
    ("GET", "/v1/checkout-sessions/cs_x"): "read",
    ("POST", "/v1/checkout-sessions"): "write",
    ("POST", "/v1/checkout-sessions/cs_x/cancel"): "write",
    ("POST", "/v1/events/evt_x/redeliver"): "write",
    ("POST", "/v1/events/redeliver"): "write",
    ("POST", "/v1/checkout-sessions/cs_x/refunds"): "refunds",
    ("GET", PLACE): "admin",
    ("POST", PLACE): "admin",
    ("DELETE", f"{PLACE}/key_x"): "admin",
    ("GET", "/v1/webhook-endpoints"): "admin",
    ("POST", "/v1/webhook-endpoints"): "admin",
    ("GET", "/v1/webhook-endpoints/we_x"): "admin",
    ("PATCH", "/v1/webhook-endpoints/we_x"): "admin",
    ("DELETE", "/v1/webhook-endpoints/we_x"): "admin",
    ("POST", "/v1/webhook-endpoints/we_x/rotate-secret"): "admin",
    ("POST", "/v1/webhook-endpoints/we_x/enable"): "admin",
    ("POST", "/v1/webhook-endpoints/we_x/test"): "admin",
    ("POST", "/v1/webhook-keys/rotate"): "admin",
}


@only_sqlite
def test_a_key_does_what_its_scope_says_and_nothing_else(bo: Merchant) -> None:
    by_scope = {scope: makes(bo, scope)[0] for scope in ALL_SCOPES}
    for (method, path), needed in CALLS.items():
        for scope, holder in by_scope.items():
            answer = holder.api(method, path, {} if method in ("POST", "PATCH") else None)
            assert (answer.status_code == 403) == (scope != needed), (method, path, scope)
            if scope != needed:
                assert answer.mimetype == "application/problem+json"
                assert f"`{needed}`" in answer.json["detail"]  # type: ignore[index]


@only_sqlite
def test_every_call_of_the_api_asks_for_a_scope(world: World) -> None:
    """A route that is new needs a row above, or it would be open to every key."""
    known = {(method, path.replace("_x", "_")) for method, path in CALLS}
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/") or rule.endpoint == "docs.openapi":
            continue
        prefix = {
            "event_id": "evt_", "key_id": "key_", "endpoint_id": "we_", "refund_id": "rf_", "session_id": "cs_",
        }  # fmt: skip
        path = rule.rule
        for name, start in prefix.items():
            path = path.replace(f"<{name}>", start)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (method, path) in known


def test_a_key_is_shown_once_and_kept_nowhere(world: World, bo: Merchant) -> None:
    till, key_id = makes(bo, "read", "write")
    plain = till.told.api_key
    shown = {key["id"]: key for key in keys(bo)}[key_id]
    assert (shown["scopes"], shown["hint"], shown["live"]) == (["read", "write"], plain[-4:], True)
    assert plain not in json.dumps(keys(bo))
    with world.parts.sessions() as db:
        rows = [str(vars(row)) for table in (ApiKey, AuditEntry, MerchantRow) for row in db.scalars(select(table))]
    assert not [row for row in rows if plain in row or bo.told.api_key in row]


def test_a_key_is_rotated_while_the_till_is_ringing_and_no_call_is_refused(world: World, bo: Merchant) -> None:
    till, answers = [bo], []
    rang, stop = threading.Semaphore(0), threading.Event()

    def rings() -> None:
        while not stop.is_set():
            answers.append(till[0].api("GET", "/v1/checkout-sessions").status_code)
            rang.release()

    with ThreadPoolExecutor(1) as ringing:
        ringing.submit(rings)
        old = next(key["id"] for key in keys(bo) if key["main"])
        successor, _ = makes(bo)
        for holder in (bo, successor):  # the shop puts the new key in place, in its own time
            till[0] = holder
            assert all(rang.acquire(timeout=10) for _ in range(5))
        stop.set()
    assert successor.api("DELETE", f"{PLACE}/{old}").status_code == 204
    assert set(answers) == {200}
    assert bo.api("GET", "/v1/checkout-sessions").status_code == 401
    assert successor.api("POST", "/v1/checkout-sessions", SESSION).status_code == 201


def test_unknown_and_revoked_keys_are_answered_alike_and_a_mistyped_one_is_told_so(world: World, bo: Merchant) -> None:
    till, key_id = makes(bo, "read")
    bo.api("DELETE", f"{PLACE}/{key_id}")
    stranger = replace(bo, told=replace(bo.told, api_key="sk_of-somebody-else"))
    revoked, unknown = (one.api("GET", "/v1/checkout-sessions") for one in (till, stranger))
    assert (revoked.status_code, revoked.data) == (unknown.status_code, unknown.data)
    assert revoked.status_code == 401
    good = till.told.api_key
    changed = good[:10] + ("x" if good[10] != "x" else "y") + good[11:]
    for wrong in (changed, good[:-1], good + "0", good[:46] + "_"):
        answer = replace(bo, told=replace(bo.told, api_key=wrong)).api("GET", "/v1/checkout-sessions")
        assert (answer.status_code, "mistyped" in answer.json["detail"]) == (401, True)  # type: ignore[index]
    keyless = world.shopper({"url": "/"}).asks("GET", "/v1/checkout-sessions")
    assert keyless.status_code == 401


@only_sqlite
@pytest.mark.parametrize("key", ["é", "sk_" + "é" * 50, "sk_" + "0" * 9000, '"', "Basic x"])
def test_whatever_comes_as_a_key_is_401_and_no_trouble(bo: Merchant, key: str) -> None:
    sent = replace(bo, told=replace(bo.told, api_key=key.encode().decode("latin-1")))
    assert sent.api("GET", "/v1/checkout-sessions").status_code == 401


@only_sqlite
def test_a_key_in_an_address_is_refused_and_an_incident(bo: Merchant, caplog: pytest.LogCaptureFixture) -> None:
    answer = bo.api("GET", f"/v1/checkout-sessions?api_key={bo.told.api_key}")
    assert answer.status_code == 400
    assert bo.told.api_key not in answer.text
    assert "an API key was sent in an address" in caplog.text
    assert bo.told.api_key not in caplog.text


def test_the_last_use_is_noted_once_an_hour(world: World, bo: Merchant) -> None:
    def used() -> Any:
        with world.parts.sessions() as db:
            return db.scalar(select(ApiKey.last_used_at).where(ApiKey.main))

    first = world.clock.now
    for minutes, noted in ((0, 0), (59, 0), (60, 60)):
        world.clock.now = first + timedelta(minutes=minutes)
        bo.api("GET", "/v1/checkout-sessions").close()  # as every server does when it has sent the answer
        assert used() == first + timedelta(minutes=noted)


@only_sqlite
def test_a_call_does_not_wait_for_its_key_to_be_noted(world: World, bo: Merchant) -> None:
    """Somebody writes for long: who only reads is answered at once, and the note is for another time."""
    event.listen(world.parts.engine, "connect", lambda dbapi, _: dbapi.execute("PRAGMA busy_timeout=60000"))
    world.parts.engine.dispose()
    with world.parts.engine.connect() as other:
        other.exec_driver_sql("UPDATE merchant SET name = name")
        answers: list[Any] = []
        caller = threading.Thread(target=lambda: answers.append(read_without_closing(world, bo)))
        caller.start()
        caller.join(30)
        assert answers == [200], "the answer was there while the other one was still writing"
        other.rollback()


def read_without_closing(world: World, bo: Merchant) -> int:
    """As a server sends it: the status and the body first, and what is to be done afterwards at the end."""
    sent: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/v1/checkout-sessions", "HTTP_HOST": "pay.sampan.example",
        "wsgi.url_scheme": "https", "SERVER_NAME": "x", "SERVER_PORT": "443", "QUERY_STRING": "",
        "HTTP_AUTHORIZATION": f"Bearer {bo.told.api_key}",
    }  # fmt: skip
    body = world.app.wsgi_app(environ, cast(Any, lambda status, *_: sent.append(status)))
    b"".join(body)
    return int(sent[0][:3])


@only_sqlite
def test_a_key_lives_as_long_as_it_was_wished(world: World, bo: Merchant) -> None:
    till, key_id = makes(bo, "read", expires_in=7)
    world.clock.now += timedelta(days=7, seconds=-1)
    assert till.api("GET", "/v1/checkout-sessions").status_code == 200
    world.clock.now += timedelta(seconds=1)
    assert till.api("GET", "/v1/checkout-sessions").status_code == 401
    assert {key["id"]: key["live"] for key in keys(bo)}[key_id] is False


@only_sqlite
def test_two_live_keys_of_one_kind_are_the_most(bo: Merchant) -> None:
    makes(bo)
    assert bo.api("POST", PLACE, {"name": "third", "scopes": list(ALL_SCOPES)}).status_code == 409
    _, first = makes(bo, "read")
    makes(bo, "read")
    refused = bo.api("POST", PLACE, {"name": "third", "scopes": ["read"]})
    assert (refused.status_code, first in refused.json["detail"]) == (409, True)  # type: ignore[index]
    bo.api("DELETE", f"{PLACE}/{first}")
    makes(bo, "read")


@only_sqlite
def test_nobody_makes_a_key_that_may_do_more_and_nobody_locks_themselves_out(bo: Merchant) -> None:
    clerk, key_id = makes(bo, "admin")
    refused = clerk.api("POST", PLACE, {"name": "more", "scopes": ["admin", "refunds"]})
    assert (refused.status_code, "`refunds`" in refused.json["detail"]) == (403, True)  # type: ignore[index]
    [main] = [key["id"] for key in keys(bo) if key["main"]]
    assert clerk.api("DELETE", f"{PLACE}/{main}").status_code == 204
    assert clerk.api("DELETE", f"{PLACE}/{main}").status_code == 204, "once is enough"
    last = clerk.api("DELETE", f"{PLACE}/{key_id}")
    assert (last.status_code, "make another one first" in last.json["detail"]) == (409, True)  # type: ignore[index]


@only_sqlite
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"scopes": ["read"]}, "name"),
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["read", "read"]}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": ["read"], "expires_in": 0}, "expires_in"),
        ({"name": "x\u0000", "scopes": ["read"]}, "name"),
    ],
)
def test_a_wish_for_a_key_that_makes_no_sense_is_refused(bo: Merchant, wish: dict[str, Any], field: str) -> None:
    answer = bo.api("POST", PLACE, wish)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json["errors"]] == [field]  # type: ignore[index]


def test_nobody_sees_or_revokes_another_shops_keys(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    _, key_id = makes(bo, "read")
    assert cy.api("DELETE", f"{PLACE}/{key_id}").status_code == 404
    assert [key["main"] for key in keys(cy)] == [True]
    assert len(keys(bo)) == 2
    assert cy.api("GET", "/v1/checkout-sessions").json["data"] == []  # type: ignore[index]


# --- the operator


def test_the_operator_lists_adds_and_revokes_keys(world: World, bo: Merchant) -> None:
    where = bo.told.merchant_id
    added = json.loads(cli(world, "key", "add", where, "--name", "till", "--scope", "read", "--json").stdout)
    assert set(added) == {"merchant_id", "key_id", "api_key"}
    till = replace(bo, told=replace(bo.told, api_key=added["api_key"]))
    assert till.api("GET", "/v1/checkout-sessions").status_code == 200
    listed = cli(world, "key", "list", where).output
    assert all(word in listed for word in (added["key_id"], "live", "till", "main", "read"))
    assert added["api_key"] not in listed
    assert cli(world, "key", "revoke", where, added["key_id"]).exit_code == 0
    assert till.api("GET", "/v1/checkout-sessions").status_code == 401
    assert "revoked" in cli(world, "key", "list", where).output
    assert cli(world, "key", "revoke", where, "key_nobody").exit_code == 1
    assert cli(world, "key", "add", "m_nobody", "--name", "x").exit_code == 1


@only_sqlite
def test_the_key_of_the_environment_may_be_any_and_may_be_changed_and_changed_back(
    make_world: Callable[..., World],
) -> None:
    keys_of_old = ["any words that somebody chose", "sk_" + "x" * 50, "any words that somebody chose"]
    for place, key in enumerate(keys_of_old):
        world = make_world(QFPAY_APP_CODE="APP1", QFPAY_CLIENT_KEY="key-of-APP1", MERCHANT_API_KEY=key)
        released = world.app.test_cli_runner().invoke(args=["db", "upgrade"])
        assert released.exit_code == 0, released.output
        for other in set(keys_of_old):
            answer = Client(world.app).get(
                "/v1/checkout-sessions", base_url=PUBLIC, headers={"Authorization": f"Bearer {other}"}
            )
            assert answer.status_code == (200 if other == key else 401), place
