"""F56: the webhook secret is changed while news is on its way."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import time_machine
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.wrappers import Request, Response

from checkout.services.webhook_secrets import signing_secrets_of
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from tests.faults.shops import DAY, cancels, cancels_by_key, command, from_environment, path_of, statuses
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant, World


class Receiver:
    """A merchant's server that knows one secret and uses Standard Webhooks' own library."""

    def __init__(self, secret: str) -> None:
        self.hook = Webhook(secret)

    def rejects(self, request: Request) -> bool:
        try:
            self.hook.verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError:
            return True
        return False


def rejected(secret: str, requests: list[Request]) -> int:
    """How many of them a receiver with only this secret turns down, each at the moment when it came."""
    receiver, refused = Receiver(secret), 0
    for request in requests:
        at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        with time_machine.travel(at, tick=False):
            refused += receiver.rejects(request)
    return refused


def rotates(world: World, bo: Merchant, *options: str) -> str:
    told = json.loads(command(world, "rotate-secret", bo.told.merchant_id, "--json", *options).stdout)
    assert set(told) == {"merchant_id", "webhook_secret"}
    return str(told["webhook_secret"])


def test_f56_a_secret_rotated_with_deliveries_in_flight_rejects_none(world: World, bo: Merchant) -> None:
    bo.inbox.answers = [500, 503] * 10  # so that deliveries made before the rotation end after it
    for number in range(10):
        cancels(bo, str(number))
        world.works()
    before = list(bo.inbox.heard)
    old, new = bo.told.webhook_secret, rotates(world, bo)
    assert rejected(old, before) == 0
    for number in range(10, 30):
        cancels(bo, str(number))
        world.passes(2 * 3600 if number > 20 else 20, step=20 if number < 20 else 1800)
    during = bo.inbox.heard[len(before) :]
    assert len(during) >= 30, "what was in flight, and what came since"
    assert (rejected(old, during), rejected(new, during)) == (0, 0)
    assert rejected("whsec_" + "A" * 44, during) == len(during), "and others are turned down"
    assert set(statuses(world)) == {"done"}

    world.clock.now += timedelta(days=1)
    cancels(bo, "after")
    world.works()
    assert (rejected(old, bo.inbox.heard[-1:]), rejected(new, bo.inbox.heard[-1:])) == (1, 0)
    assert len(bo.inbox.heard[-1].headers["webhook-signature"].split(" ")) == 1
    with world.parts.sessions() as db:
        row = db.get_one(MerchantRow, bo.told.merchant_id)
        assert (row.former_secret_sealed, row.former_secret_until) == (None, None), "erased, not only unused"


def test_f56_the_new_signature_stands_first_until_the_last_second_of_the_day(world: World, bo: Merchant) -> None:
    old, new = bo.told.webhook_secret, rotates(world, bo)
    rotated = world.clock.now
    for seconds, both in ((0, True), (DAY - 1, True), (DAY, False)):
        world.clock.now = rotated + timedelta(seconds=seconds)
        with world.parts.sessions() as db:
            row = db.get_one(MerchantRow, bo.told.merchant_id)
            assert signing_secrets_of(world.parts.vault, row, world.clock()) == [new, old][: 2 if both else 1]
        cancels(bo, str(seconds))
        world.works()
        request = bo.inbox.heard[-1]
        at, body = world.clock.now, request.get_data().decode()
        expected = [Webhook(secret).sign(request.headers["webhook-id"], at, body) for secret in (new, old)]
        assert request.headers["webhook-signature"].split(" ") == expected[: 2 if both else 1]


def test_f56_the_try_that_is_on_the_wire_while_the_secret_changes_is_not_rejected(world: World, bo: Merchant) -> None:
    asked, rotated = threading.Event(), threading.Event()
    heard: list[Request] = []

    def slow(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        heard.append(request)
        asked.set()
        rotated.wait(10)
        return Response(status=204)(environ, start_response)

    world.inboxes[path_of(world, bo)] = slow  # type: ignore[assignment]
    cancels(bo)
    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(world.works)
        assert asked.wait(10)
        rotates(world, bo)
        rotated.set()
        working.result()
    assert rejected(bo.told.webhook_secret, heard) == 0, "whoever is told the new secret still has the old one"
    assert statuses(world) == ["done"]


def test_f56_a_second_rotation_within_the_day_must_be_meant(world: World, bo: Merchant) -> None:
    first = rotates(world, bo)
    words = ["merchant", "rotate-secret", bo.told.merchant_id]
    refused = world.app.test_cli_runner().invoke(args=words)
    assert refused.exit_code == 1
    assert "signs until 2026-03-11 04:00 UTC" in refused.output
    second = rotates(world, bo, "--again")
    cancels(bo)
    world.works()
    assert [rejected(secret, bo.inbox.heard) for secret in (bo.told.webhook_secret, first, second)] == [1, 0, 0]


def test_f56_the_way_back_is_signed_with_the_new_secret_at_once(world: World, bo: Merchant) -> None:
    session = bo.opens()
    ada = world.shopper(session)
    ada.cancels()
    new = rotates(world, bo)
    sent = dict(parse_qsl(urlsplit(ada.way_back()).query))
    key = base64.b64decode(new.removeprefix("whsec_"))
    words = ".".join(sent[name] for name in ("session_id", "reference", "status", "timestamp"))
    assert sent["signature"] == hmac.new(key, words.encode(), hashlib.sha256).hexdigest()
    world.works()


def test_f56_another_secret_in_the_environment_is_the_same_rotation(
    make_world: Callable[..., World], hooks: HttpServer, inboxes: dict[str, Inbox]
) -> None:
    old, new = "whsec_" + "B" * 43 + "=", "whsec_" + "C" * 43 + "="
    inboxes["/environment"] = inbox = Inbox()
    for secret in (old, new, new):
        where = hooks.url + "/environment"
        world = from_environment(make_world, MERCHANT_WEBHOOK_SECRET=secret, MERCHANT_WEBHOOK_URL=where)
    cancels_by_key(world)
    world.works()
    assert [rejected(secret, inbox.heard) for secret in (old, new)] == [0, 0], "the third release rotated nothing"
    with world.parts.sessions() as db:
        log = db.execute(select(AuditEntry.actor, AuditEntry.action, AuditEntry.details).order_by(AuditEntry.id)).all()
    assert [tuple(entry) for entry in log[:2]] == [
        ("environment", "merchant_added", {"name": "Shop"}),
        ("environment", "merchant_changed", {"changed": ["webhook_secret"]}),
    ]
    assert sum(action.startswith("merchant_") for _, action, _ in log) == 2
