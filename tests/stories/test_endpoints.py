"""Several places that hear a shop's news: each with its own filter, its own secrets, its own troubles."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.wrappers import Request

from checkout.services.chronicle import by_merchant
from checkout.store.models import Delivery
from checkout.store.oversight import AuditEntry
from checkout.store.telling import Endpoint
from tests.stories.cast import Inbox, Merchant, World
from tests.stories.test_event_log import again, cancels, log

PLACE = "/v1/webhook-endpoints"
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # where no two write at once


def adds(bo: Merchant, path: str, **wishes: Any) -> tuple[dict[str, Any], Inbox]:
    """One more endpoint, with a server behind it."""
    where = f"{path}/{id(bo.world)}"
    bo.world.inboxes[where] = inbox = Inbox()
    answer = bo.api("POST", PLACE, {"url": bo.world.hooks.url + where} | wishes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {}), inbox


def shown(bo: Merchant) -> list[dict[str, Any]]:
    return list(bo.api("GET", PLACE).json["data"])  # type: ignore[index]


def references(inbox: Inbox) -> list[str]:
    return [json.loads(request.get_data())["data"]["reference"] for request in inbox.heard]


def verifies(secret: str, request: Request) -> bool:
    """As a server does that uses Standard Webhooks' own library, at the moment when it was called."""
    with time_machine.travel(datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC), tick=False):
        try:
            Webhook(secret).verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError:
            return False
    return True


def test_each_endpoint_hears_what_it_asked_for_signed_with_its_own_secret(world: World, bo: Merchant) -> None:
    books, books_inbox = adds(bo, "/books")
    alarm, alarm_inbox = adds(bo, "/alarm", types=["checkout_session.review_opened", "attempt.failed"])
    cancels(bo)
    world.works()
    assert references(bo.inbox) == references(books_inbox) == ["A-1001"]
    assert alarm_inbox.heard == []
    assert [verifies(secret, books_inbox.heard[0]) for secret in (books["secret"], bo.told.webhook_secret)] == [
        True,
        False,
    ]
    assert bo.inbox.heard[0].headers["webhook-id"] == books_inbox.heard[0].headers["webhook-id"]
    bo.heard()
    assert {one["endpoint"] for one in log(bo)[0]["deliveries"]} == {one["id"] for one in shown(bo)} - {alarm["id"]}


def test_an_endpoint_that_fails_delays_no_other_of_the_same_shop(world: World, bo: Merchant) -> None:
    _, healthy = adds(bo, "/healthy")
    bo.inbox.answers = [500] * 20
    for reference in "123":
        cancels(bo, reference)
        world.works()
    assert references(healthy) == ["1", "2", "3"]
    world.passes(3600, step=60)
    bo.inbox.answers = []
    world.passes(5 * 3600, step=600)
    assert sorted(set(references(bo.inbox))) == ["1", "2", "3"]
    assert references(healthy) == ["1", "2", "3"]


def test_an_endpoint_that_is_gone_is_given_up_alone_and_misses_nothing(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/leaves")
    inbox.answers = [410]
    cancels(bo, "1")
    world.works()
    assert [(one["main"], one["enabled"]) for one in shown(bo)] == [(True, True), (False, False)]
    cancels(bo, "2")
    world.works()
    assert (references(bo.inbox), references(inbox)) == (["1", "2"], ["1"])
    states = {one["status"]: one["error"] for event in log(bo) for one in event["deliveries"]}
    assert states["held"] == "held back: the endpoint has answered 410 Gone"
    answer = bo.api("POST", f"{PLACE}/{made['id']}/enable")
    assert (answer.json["enabled"], answer.json["queued"]) == (True, 2)  # type: ignore[index]
    world.works()
    assert references(inbox) == ["1", "1", "2"]


def test_what_happens_while_an_endpoint_is_switched_off_waits_for_it(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/pauses")
    where = f"{PLACE}/{made['id']}"
    assert bo.api("PATCH", where, {"enabled": False}).json["enabled"] is False  # type: ignore[index]
    cancels(bo, "1")
    world.works()
    assert (references(bo.inbox), inbox.heard) == (["1"], [])
    assert bo.api("PATCH", where, {"enabled": True}).json["enabled"] is True  # type: ignore[index]
    world.works()
    assert references(inbox) == ["1"]


def test_a_deleted_endpoint_is_called_no_more_and_the_log_remembers_it(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/deleted")
    inbox.answers = [500]
    cancels(bo)
    world.works()
    assert bo.api("DELETE", f"{PLACE}/{made['id']}").status_code == 204
    world.passes(60, step=5)
    assert len(inbox.heard) == 1
    assert [one["id"] for one in shown(bo)] == [one["id"] for one in shown(bo) if one["main"]]
    [lost] = [one for one in log(bo)[0]["deliveries"] if one["endpoint"] == made["id"]]
    assert (lost["status"], lost["error"]) == ("held", "held back: the endpoint was deleted")
    assert bo.api("GET", f"{PLACE}/{made['id']}").status_code == 404


def test_an_address_that_comes_back_brings_its_past_along(world: World, bo: Merchant) -> None:
    """One delivery for each event and address, whoever has it: so an event is never sent there twice at once."""
    made, inbox = adds(bo, "/comes-back")
    cancels(bo, "1")
    world.works()
    bo.api("DELETE", f"{PLACE}/{made['id']}")
    [first] = shown(bo)
    moved = bo.api("PATCH", f"{PLACE}/{first['id']}", {"url": made["url"]})
    assert moved.status_code == 200
    cancels(bo, "2")
    world.works()
    [event] = [event for event in log(bo) if event["data"]["reference"] == "1"]
    assert [(one["endpoint"], one["url"]) for one in event["deliveries"]] == [(first["id"], made["url"])]
    assert again(bo, event).status_code == 202
    world.works()
    assert references(inbox) == ["1", "2", "1"]
    with world.parts.sessions() as db:
        assert len(list(db.scalars(select(Delivery)))) == 2


def test_two_endpoints_never_share_an_address(world: World, bo: Merchant) -> None:
    made, _ = adds(bo, "/one")
    [first] = [one for one in shown(bo) if one["main"]]
    for answer in (
        bo.api("POST", PLACE, {"url": made["url"]}),
        bo.api("POST", PLACE, {"url": first["url"]}),
        bo.api("PATCH", f"{PLACE}/{first['id']}", {"url": made["url"]}),
    ):
        assert answer.status_code == 409
    words = ["merchant", "enable-webhook", bo.told.merchant_id, "--url", made["url"]]
    refused = world.app.test_cli_runner().invoke(args=words)
    assert (refused.exit_code, "another endpoint" in refused.output) == (1, True)


# --- secrets


def test_a_secret_is_rotated_with_deliveries_in_flight_and_none_is_rejected(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/rotates")
    inbox.answers = [500, 503] * 5  # so that what was made before the rotation ends after it
    for number in range(5):
        cancels(bo, str(number))
        world.works()
    answer = bo.api("POST", f"{PLACE}/{made['id']}/rotate-secret")
    new = answer.json["secret"]  # type: ignore[index]
    assert new != made["secret"]
    before = len(inbox.heard)
    for number in range(5, 10):
        cancels(bo, str(number))
        world.passes(1800, step=60)
    during = inbox.heard[before:]
    assert len(during) >= 10
    assert all(verifies(secret, request) for secret in (made["secret"], new) for request in during)
    assert not any(verifies(bo.told.webhook_secret, request) for request in during)
    assert bo.api("POST", f"{PLACE}/{made['id']}/rotate-secret").status_code == 409
    assert bo.api("POST", f"{PLACE}/{made['id']}/rotate-secret", {"again": True}).status_code == 200
    world.clock.now += timedelta(days=1)
    cancels(bo, "after")
    world.works()
    assert [verifies(secret, inbox.heard[-1]) for secret in (made["secret"], new)] == [False, False]
    with world.parts.sessions() as db:
        assert db.get_one(Endpoint, made["id"]).former_secret_sealed is None, "erased, not only unused"
    bo.heard()  # the first endpoint's own secret has not changed meanwhile


def test_the_first_endpoints_secret_is_the_one_that_signs_the_way_back(world: World, bo: Merchant) -> None:
    [first] = shown(bo)
    session = bo.opens()
    ada = world.shopper(session)
    ada.cancels()
    before = ada.way_back()
    adds(bo, "/other")
    assert ada.way_back() == before
    bo.api("POST", f"{PLACE}/{first['id']}/rotate-secret")
    assert ada.way_back() != before


def test_no_answer_shows_a_secret_twice(world: World, bo: Merchant) -> None:
    made, _ = adds(bo, "/secret")
    where = f"{PLACE}/{made['id']}"
    answers = [
        bo.api("GET", PLACE),
        bo.api("GET", where),
        bo.api("PATCH", where, {"types": []}),
        bo.api("GET", "/v1/events"),
    ]
    answers.append(bo.api("POST", f"{where}/test"))
    assert not [answer for answer in answers if made["secret"] in answer.text]
    with world.parts.sessions() as db:
        assert made["secret"].encode() not in db.get_one(Endpoint, made["id"]).webhook_secret_sealed
        said = [(entry.actor, entry.action) for entry in db.scalars(select(AuditEntry).order_by(AuditEntry.id))]
        assert made["secret"] not in str([entry.details for entry in db.scalars(select(AuditEntry))])
    me = by_merchant(bo.told.merchant_id)
    assert said[1:] == [(me, "webhook_added"), (me, "webhook_changed")]


# --- Ed25519


def public_key(bo: Merchant, endpoint: dict[str, Any]) -> Ed25519PublicKey:
    """As a stranger finds it, without a key of the API."""
    path = endpoint["public_keys_url"].removeprefix("https://pay.sampan.example")
    answer = bo.world.shopper({"url": "/"}).asks("GET", path)
    [key] = answer.json["keys"]  # type: ignore[index]
    assert key["algorithm"] == "ed25519"
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"].removeprefix("whpk_")))


def signed_by(key: Ed25519PublicKey, request: Request) -> bool:
    text = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.get_data()
    signatures = [one.removeprefix("v1a,") for one in request.headers["webhook-signature"].split() if one[:4] == "v1a,"]
    for signature in signatures:
        try:
            key.verify(base64.b64decode(signature), text)
        except InvalidSignature:
            continue
        return True
    return False


@pytest.mark.parametrize("signatures", [["v1", "v1a"], ["v1a"]])
def test_an_endpoint_may_verify_with_a_public_key(world: World, bo: Merchant, signatures: list[str]) -> None:
    made, inbox = adds(bo, "/public", signatures=signatures)
    cancels(bo)
    world.works()
    [request] = inbox.heard
    assert signed_by(public_key(bo, made), request)
    assert verifies(made["secret"], request) == ("v1" in signatures)
    bo.heard()
    assert "v1a," not in bo.inbox.heard[0].headers["webhook-signature"], "only where it is wanted"


def test_one_shops_signature_is_worth_nothing_at_anothers(world: World, bo: Merchant) -> None:
    """Else whoever has a shop of their own could send its signed news to somebody else's server."""
    cy = world.merchant("Cy's Shop")
    mine, _ = adds(bo, "/mine", signatures=["v1a"])
    theirs, inbox = adds(cy, "/theirs", signatures=["v1a"])
    cancels(cy)
    world.works()
    assert signed_by(public_key(cy, theirs), inbox.heard[0])
    assert not signed_by(public_key(bo, mine), inbox.heard[0])


@only_sqlite
def test_who_has_no_public_key_is_not_there(world: World, bo: Merchant) -> None:
    ada = world.shopper({"url": "/"})
    for merchant_id in (bo.told.merchant_id, "m_nobody"):
        assert ada.asks("GET", f"/.well-known/webhook-keys/{merchant_id}.json").status_code == 404


# --- a test


@pytest.mark.parametrize("status", [204, 500])
def test_a_test_event_is_answered_at_once_and_stands_in_the_log(world: World, bo: Merchant, status: int) -> None:
    made, inbox = adds(bo, "/test", types=["payment.late"])
    inbox.answers = [status]
    answer = bo.api("POST", f"{PLACE}/{made['id']}/test")
    assert answer.status_code == 200
    [event] = log(bo)
    assert {**event, "deliveries": 0} == {**answer.json, "deliveries": 0}  # type: ignore[dict-item]
    [delivery] = event["deliveries"]
    assert (delivery["status"], delivery["answer_status"]) == ("delivered" if status == 204 else "failed", status)
    assert json.loads(inbox.heard[0].get_data())["type"] == event["type"] == "endpoint.test"
    assert verifies(made["secret"], inbox.heard[0])
    assert log(bo, type="endpoint.test") == [event]
    assert log(bo, type="payment.late") == []
    assert again(bo, event).status_code == 409
    world.works()
    assert len(inbox.heard) == 1
    assert bo.inbox.heard == []


@only_sqlite
def test_tests_are_not_a_way_to_hammer_anybody(world: World, bo: Merchant) -> None:
    [first] = shown(bo)
    where = f"{PLACE}/{first['id']}/test"
    answers = [bo.api("POST", where) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert len(bo.inbox.heard) == 10
    world.clock.now += timedelta(seconds=61)
    assert bo.api("POST", where).status_code == 200
