"""F53 to F58: the merchant's server in every kind of trouble, its secrets and keys changed while money is moving."""

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import time_machine
import trustme
from sqlalchemy import func, select, text
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.wrappers import Request, Response

from checkout import crash_points
from checkout.background import KEYS_KEPT, Worker
from checkout.services.deliveries import GONE, LEASE
from checkout.services.keys import forget_keys
from checkout.services.webhook_secrets import signing_secrets_of
from checkout.services.webhooks import MAX_ANSWER, WebhookSender
from checkout.store.models import CheckoutSession, Delivery, IdempotencyKey
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from tests.servers import HttpServer, free_port, wait_until
from tests.services.test_webhooks import (
    PUBLIC_IP,
    Listen,
    Say,
    dialled,
    dripping,
    hanging_up,
    huge,
    listen,
    saying,
    server_tls,
)
from tests.stories.cast import GATEWAY, Inbox, Merchant, World

__all__ = ["dialled", "listen"]

OK = "HTTP/1.1 204 No Content\n\n"
DAY = 86_400


def command(world: World, *words: str) -> Any:
    result = world.app.test_cli_runner().invoke(args=["merchant", *words])
    assert result.exit_code == 0, result.output
    return result


def cancels(bo: Merchant, reference: str = "A-1001") -> dict[str, Any]:
    """The quickest news there is: a session is opened and cancelled."""
    session = bo.opens(reference=reference)
    assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    return session


def moves_to(world: World, bo: Merchant, url: str) -> None:
    command(world, "enable-webhook", bo.told.merchant_id, "--url", url)


def from_environment(make_world: Callable[..., World], **changes: str) -> World:
    """A deployment whose one merchant stands in its settings, after its release phase."""
    settings = {
        "QFPAY_APP_CODE": "APP1", "QFPAY_CLIENT_KEY": "key-of-APP1", "QFPAY_BASE_URL": GATEWAY,
        "MERCHANT_API_KEY": "sk_of_the_environment", "MERCHANT_WEBHOOK_SECRET": "whsec_" + "B" * 43 + "=",
    }  # fmt: skip
    world = make_world(**(settings | changes))
    result = world.app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert result.exit_code == 0, result.output
    return world


def cancels_by_key(world: World, reference: str = "A-1001") -> None:
    """The same quick news, by the merchant of the environment."""
    client, sent = world.app.test_client(), {"Authorization": "Bearer sk_of_the_environment"}
    order = {"amount": 8800, "currency": "HKD", "reference": reference, "return_url": "https://shop.example/thanks"}
    session = client.post("/v1/checkout-sessions", json=order, headers=sent).get_json()
    assert client.post(f"/v1/checkout-sessions/{session['id']}/cancel", headers=sent).status_code == 200


def deliveries(world: World) -> list[Delivery]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(Delivery).order_by(Delivery.id)))


def statuses(world: World) -> list[str]:
    return [delivery.status for delivery in deliveries(world)]


def path_of(world: World, bo: Merchant) -> str:
    return next(path for path, inbox in world.inboxes.items() if inbox is bo.inbox)


def answers_with(world: World, bo: Merchant, answer: Callable[[], Response]) -> list[datetime]:
    """Bo's server answers like this; when it was called, by the clock that stands still."""
    called: list[datetime] = []

    def endpoint(environ: Any, start_response: Any) -> Any:
        Request(environ).get_data()
        called.append(world.clock.now)
        return answer()(environ, start_response)

    world.inboxes[path_of(world, bo)] = endpoint  # type: ignore[assignment]
    return called


def in_a_hurry(world: World, **changes: Any) -> None:
    """The same worker, with less than 15 seconds for one try, or with another resolver."""
    options = {"loopback_allowed": True, "seconds": 0.4} | changes
    world.posting = replace(world.posting, sender=WebhookSender(**options))


# F53: the endpoint ----------------------------------------------------------------------------------------------------

TROUBLES: dict[str, tuple[Say, str]] = {
    "500": (saying("HTTP/1.1 500 Broken\nContent-Length: 0\n\n"), "answered 500"),
    "301": (saying("HTTP/1.1 301 Moved\nLocation: /x\nContent-Length: 0\n\n"), "redirects are not followed"),
    "302": (saying("HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0\n\n"), "redirects are not followed"),
    "307": (saying("HTTP/1.1 307 Again\nLocation: /x\nContent-Length: 0\n\n"), "redirects are not followed"),
    "429": (saying("HTTP/1.1 429 Slow\nContent-Length: 0\n\n"), "answered 429"),
    "drips": (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"), "took longer than"),
    "drips headers": (dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "), "took longer than"),
    "hangs up": (hanging_up, "closed the connection"),
    "speaks no HTTP": (saying("hello\n\n"), "closed the connection|did not answer in HTTP|could not be reached"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_f53_an_endpoint_in_trouble_is_called_again_until_it_has_heard(
    world: World, bo: Merchant, listen: Listen, trouble: str
) -> None:
    say, words = TROUBLES[trouble]
    answer: list[Say] = [say]

    def answers(conn: socket.socket) -> None:
        answer[0](conn)

    endpoint = listen(answers)
    moves_to(world, bo, f"http://127.0.0.1:{endpoint.port}/hook")
    in_a_hurry(world)
    cancels(bo)
    world.works()
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.tries) == ("due", 1)
    assert any(word in (delivery.error or "") for word in words.split("|")), delivery.error
    answer[0] = saying(OK)
    in_a_hurry(world, seconds=15)  # no hurry: what is in order must be heard however slow this machine is
    world.passes(5)
    assert statuses(world) == ["done"]
    assert endpoint.connections == 2


def test_f53_an_endpoint_that_is_down_hears_everything_when_it_is_back(
    world: World, bo: Merchant, listen: Listen
) -> None:
    moves_to(world, bo, f"http://127.0.0.1:{free_port()}/hook")
    for reference in "123":
        cancels(bo, reference)
        world.passes(60, step=5)
    assert {delivery.error for delivery in deliveries(world)} == {"refused the connection"}
    moves_to(world, bo, world.hooks.url + path_of(world, bo))
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()] == ["1", "2", "3"], "the oldest first"
    assert statuses(world) == ["done"] * 3


def test_f53_a_bad_certificate_is_a_failure_and_nothing_is_said_to_it(
    world: World, bo: Merchant, listen: Listen
) -> None:
    endpoint = listen(saying(OK), server_tls(trustme.CA(), "127.0.0.1"))
    moves_to(world, bo, f"https://127.0.0.1:{endpoint.port}/hook")
    cancels(bo)
    world.works()
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.error) == ("due", "its TLS certificate is not valid")
    assert b"".join(endpoint.heard) == b""


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_f53_any_2xx_is_a_yes(world: World, bo: Merchant, status: int) -> None:
    bo.inbox.answers = [status]
    cancels(bo)
    world.works()
    assert statuses(world) == ["done"]


def test_f53_ten_megabytes_of_answer_are_a_yes_of_which_little_is_read(
    world: World, bo: Merchant, listen: Listen
) -> None:
    endpoint = listen(huge)
    moves_to(world, bo, f"http://127.0.0.1:{endpoint.port}/hook")
    cancels(bo)
    world.works()
    [delivery] = deliveries(world)
    assert delivery.status == "done"
    assert delivery.answer_excerpt == "a" * 512


def test_f53_no_more_than_4_kib_of_an_answer_are_waited_for(world: World, bo: Merchant, listen: Listen) -> None:
    """The endpoint announces ten megabytes, sends 4 KiB, and then nothing until the connection closes."""

    def stalls(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"a" * MAX_ANSWER)
        conn.recv(1)

    endpoint = listen(stalls)
    moves_to(world, bo, f"http://127.0.0.1:{endpoint.port}/hook")
    in_a_hurry(world, seconds=2)  # sooner than the endpoint's own patience ends
    cancels(bo)
    world.works()
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.error) == ("done", None)


def test_f53_one_try_takes_15_seconds_at_most(world: World) -> None:
    assert world.parts.sender.seconds == 15
    assert timedelta(seconds=2 * world.parts.sender.seconds) < LEASE, "nobody else tries it meanwhile"


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("wait", [600, DAY, 3 * DAY])
def test_f53_retry_after_is_obeyed_up_to_a_day(world: World, bo: Merchant, form: str, wait: int) -> None:
    moment = format_datetime(world.clock.now + timedelta(seconds=wait), usegmt=True)
    busy = Response(status=429, headers={"Retry-After": str(wait) if form == "seconds" else moment})
    called = answers_with(world, bo, lambda: busy if len(called) == 1 else Response(status=204))
    cancels(bo)
    world.works()
    obeyed = min(wait, DAY)
    world.clock.now += timedelta(seconds=obeyed - 2)
    world.works()
    assert len(called) == 1
    world.passes(2)
    assert [(at - called[0]).total_seconds() for at in called[1:]] == [pytest.approx(obeyed, abs=1)]
    assert statuses(world) == ["done"]


def test_f53_an_endpoint_that_is_gone_is_called_no_more_and_misses_nothing(world: World, bo: Merchant) -> None:
    bo.inbox.answers = [500, 410]
    for reference in "12":
        cancels(bo, reference)
        world.works()
    world.passes(60, step=5)  # "1" answered 500, then "2" or "1" was answered 410: from here on nobody calls
    for reference in "345":
        cancels(bo, reference)
        world.works()
    world.passes(4 * DAY, step=3600)
    assert len(bo.inbox.heard) == 2
    assert sorted(statuses(world)) == ["blocked"] * 4 + ["dead"]
    assert {delivery.error for delivery in deliveries(world)} == {GONE, "answered 410"}
    assert world.violations() == []
    with world.parts.sessions() as db:
        assert db.get_one(MerchantRow, bo.told.merchant_id).webhook_gone_at is not None

    enabled = command(world, "enable-webhook", bo.told.merchant_id)
    assert "5 deliveries" in enabled.output
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()[2:]] == ["1", "2", "3", "4", "5"], "the oldest first"
    assert statuses(world) == ["done"] * 5
    cancels(bo, "6")
    world.works()
    assert bo.heard()[-1]["data"]["reference"] == "6"
    with world.parts.sessions() as db:
        log = db.execute(select(AuditEntry.actor, AuditEntry.action).where(AuditEntry.action.like("webhook_%"))).all()
    assert [tuple(entry) for entry in log] == [("worker", "webhook_disabled"), ("operator", "webhook_enabled")]


def test_f53_a_gone_endpoint_that_has_moved_is_not_given_up(world: World, bo: Merchant) -> None:
    """While the old address is saying 410, the operator types the new one: the news goes there, at once."""
    new = world.hooks.url + path_of(world, bo)
    asked, moved = threading.Event(), threading.Event()

    def gone(environ: Any, start_response: Any) -> Any:
        asked.set()
        moved.wait(10)
        return Response(status=410)(environ, start_response)

    world.inboxes["/old"] = gone  # type: ignore[assignment]
    moves_to(world, bo, world.hooks.url + "/old")
    cancels(bo)
    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(world.works)
        assert asked.wait(10)
        moves_to(world, bo, new)
        moved.set()
        working.result()
    world.works()
    assert len(bo.heard()) == 1
    assert statuses(world) == ["done"]
    with world.parts.sessions() as db:
        assert db.get_one(MerchantRow, bo.told.merchant_id).webhook_gone_at is None


def test_f53_another_address_in_the_environment_enables_the_webhook_there(
    make_world: Callable[..., World], hooks: HttpServer, inboxes: dict[str, Inbox]
) -> None:
    old, new = Inbox(answers=[410]), Inbox()
    inboxes["/old"], inboxes["/new"] = old, new
    for path, heard in (("/old", (1, 0)), ("/old", (1, 0)), ("/new", (1, 3))):
        world = from_environment(make_world, MERCHANT_WEBHOOK_URL=hooks.url + path)
        if path == "/old":
            for reference in "12" if not old.heard else "3":
                cancels_by_key(world, reference)
                world.works()
        world.works()
        assert (len(old.heard), len(new.heard)) == heard, "a release that changes nothing enables nothing"
    assert [json.loads(request.get_data())["data"]["reference"] for request in new.heard] == ["1", "2", "3"]


def test_f53_what_was_given_up_on_can_be_sent_again_by_hand(world: World, bo: Merchant) -> None:
    bo.inbox.answers = [500] * 10
    cancels(bo, "old")
    for _ in range(20):
        if due := deliveries(world)[0].next_at:
            world.clock.now = max(due, world.clock.now)
            world.works()
    assert statuses(world) == ["dead"]
    assert "0 deliveries" in command(world, "enable-webhook", bo.told.merchant_id).output
    late = command(world, "enable-webhook", bo.told.merchant_id, "--since", f"{world.clock.now:%Y-%m-%d}")
    assert "0 deliveries" in late.output
    assert "1 deliveries" in command(world, "enable-webhook", bo.told.merchant_id, "--since", "2026-03-10").output
    world.works()
    assert statuses(world) == ["done"]
    assert len({request.headers["webhook-id"] for request in bo.inbox.heard}) == 1


HANGING, NEWS = 50, 15


def test_f53_fifty_endpoints_that_hang_delay_nobody_else(world: World) -> None:
    """I21: real sockets, the real worker. The healthy endpoint hears of each event as quickly as if it were alone."""
    released = threading.Event()

    def hangs(environ: Any, start_response: Any) -> Any:
        released.wait(120)
        return Response(status=204)(environ, start_response)

    healthy, others = world.merchant("Cy's Shop"), [world.merchant(f"Shop {n}") for n in range(HANGING)]
    for other in others:
        world.inboxes[path_of(world, other)] = hangs  # type: ignore[assignment]
    sessions = [other.opens() for other in others]
    worker = Worker(replace(world.parts, sender=WebhookSender(loopback_allowed=True, seconds=100)))
    worker.start()
    try:
        alone = _how_long_news_takes(world, healthy)
        for other, session in zip(others, sessions, strict=True):
            other.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
        in_company = _how_long_news_takes(world, healthy)
        # Heard comes before written down: the last of the healthy ones may still be due for a moment.
        wait_until(lambda: statuses(world).count("due") == HANGING, 10, lambda: "they hang to the end")
    finally:
        released.set()
        worker.stop()
        wait_until(lambda: "delivery" not in {t.name for t in threading.enumerate()}, 30, lambda: "still delivering")
    assert in_company[-1] < alone[-1] + 1.0, f"{alone[-1]:.2f} s alone, {in_company[-1]:.2f} s beside those that hang"
    world.clock.now += LEASE
    world.works()
    assert set(statuses(world)) == {"done"}


def _how_long_news_takes(world: World, bo: Merchant) -> list[float]:
    """Seconds from a commit until the endpoint hears of it, the shortest first; the last is the p99."""
    found = []
    for number in range(NEWS):
        heard_before = len(bo.inbox.heard)
        cancels(bo, str(number))
        began = time.monotonic()
        wait_until(lambda before=heard_before: len(bo.inbox.heard) > before, 20, lambda: "never heard")  # type: ignore[misc]
        found.append(time.monotonic() - began)
    return sorted(found)


# F54: killed after the endpoint's yes ---------------------------------------------------------------------------------


def test_f54_an_event_whose_yes_we_forgot_comes_again_with_the_same_id(world: World, bo: Merchant) -> None:
    cancels(bo)
    child = os.fork()
    if child == 0:
        world.parts.engine.dispose(close=False)
        crash_points.arm("delivery.sent")
        world.works()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(bo.inbox.heard) == 1
    world.works()
    assert len(bo.inbox.heard) == 1, "the lease of the dead still holds"
    world.passes(LEASE.total_seconds(), step=5)
    assert len(bo.heard()) == 2
    assert len({request.headers["webhook-id"] for request in bo.inbox.heard}) == 1
    assert statuses(world) == ["done"]


# F55: an endpoint inside ----------------------------------------------------------------------------------------------

INSIDE = [
    ["127.0.0.1"], ["10.0.0.1"], ["192.168.1.1"], ["172.16.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["fe80::1"],
    ["fd00:ec2::254"], ["::1"], ["::ffff:127.0.0.1"], ["::ffff:169.254.169.254"], ["64:ff9b::a9fe:a9fe"],
    [PUBLIC_IP, "10.0.0.1"], ["10.0.0.1", PUBLIC_IP],
]  # fmt: skip


@pytest.mark.parametrize("addresses", INSIDE, ids="+".join)
def test_f55_an_endpoint_inside_is_blocked_without_a_packet(
    world: World, bo: Merchant, dialled: list[str], addresses: list[str]
) -> None:
    moves_to(world, bo, "https://shop.example/hook")
    in_a_hurry(world, loopback_allowed=False, resolve=lambda *_: addresses)
    cancels(bo)
    world.passes(DAY, step=7200)
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.tries, delivery.answer_status) == ("blocked", 1, None)
    assert dialled == []
    assert not any(address in (delivery.error or "") for address in addresses), "our network is not for them to map"


def test_f55_a_name_that_changes_between_the_check_and_the_connection_gains_nothing(
    world: World, bo: Merchant, dialled: list[str]
) -> None:
    moves_to(world, bo, "https://shop.example/hook")
    lies = iter([[PUBLIC_IP], ["127.0.0.1"], ["127.0.0.1"]])
    in_a_hurry(world, loopback_allowed=False, resolve=lambda *_: next(lies))
    cancels(bo)
    world.works()
    assert dialled == [PUBLIC_IP], "resolved once, and connected to what was checked"
    assert statuses(world) == ["due"]
    world.passes(6)
    assert dialled == [PUBLIC_IP]
    assert statuses(world) == ["blocked"]


def test_f55_what_was_blocked_is_sent_when_the_endpoint_is_where_it_should_be(world: World, bo: Merchant) -> None:
    outside = world.posting
    moves_to(world, bo, "https://shop.example/hook")
    in_a_hurry(world, loopback_allowed=False, resolve=lambda *_: ["10.0.0.1"])
    for reference in "12":
        cancels(bo, reference)
        world.works()
    assert statuses(world) == ["blocked"] * 2
    world.posting = outside
    moves_to(world, bo, world.hooks.url + path_of(world, bo))
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()] == ["1", "2"]


@pytest.mark.parametrize("url", ["https://10.0.0.1/hook", "https://169.254.169.254/", "https://shop.example:22/"])
def test_f55_an_address_inside_is_not_even_registered(world: World, bo: Merchant, url: str) -> None:
    words = ["merchant", "enable-webhook", bo.told.merchant_id, "--url", url]
    refused = world.app.test_cli_runner().invoke(args=words)
    assert refused.exit_code == 1
    assert "--url must" in refused.output


# F56: the webhook secret ----------------------------------------------------------------------------------------------


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


# F57: a creation repeated ---------------------------------------------------------------------------------------------


def creates(bo: Merchant, key: str = "k", **wishes: Any) -> Any:
    return bo.api("POST", "/v1/checkout-sessions", bo.order(**wishes), Idempotency_Key=key)


def how_many_sessions(world: World) -> int:
    with world.parts.sessions() as db:
        return db.scalar(select(func.count()).select_from(CheckoutSession)) or 0


@pytest.mark.parametrize("hours", [0, 25, 7 * 24 - 1])
def test_f57_the_same_key_and_body_get_the_first_answer(world: World, bo: Merchant, hours: int) -> None:
    first = creates(bo)
    world.clock.now += timedelta(hours=hours)
    with world.parts.sessions() as db:
        forget_keys(db, world.clock() - KEYS_KEPT)
    again = creates(bo)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert how_many_sessions(world) == 1


@pytest.mark.parametrize("hours", [0, 25])
def test_f57_the_same_key_with_another_body_is_refused(world: World, bo: Merchant, hours: int) -> None:
    creates(bo)
    world.clock.now += timedelta(hours=hours)
    refused = creates(bo, amount=8801)
    assert refused.status_code == 422
    assert how_many_sessions(world) == 1


def test_f57_a_key_is_forgotten_after_seven_days_and_not_before(world: World, bo: Merchant) -> None:
    creates(bo)
    for age, kept in ((KEYS_KEPT, 1), (KEYS_KEPT + timedelta(seconds=1), 0)):
        with world.parts.sessions() as db:
            forget_keys(db, world.clock() + age - KEYS_KEPT)
            assert db.scalar(select(func.count()).select_from(IdempotencyKey)) == kept


THREADS = 32


def test_f57_thirty_two_at_once_are_one_session(world: World, bo: Merchant) -> None:
    start = threading.Barrier(THREADS)

    def create(_: int) -> Any:
        start.wait(30)
        return creates(bo)

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(create, range(THREADS)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code != 201)
    assert how_many_sessions(world) == 1
    assert creates(bo).status_code == 201


def test_f57_thirty_two_with_other_bodies_at_once_are_one_session_and_refusals(world: World, bo: Merchant) -> None:
    start = threading.Barrier(THREADS)

    def create(number: int) -> Any:
        start.wait(30)
        return creates(bo, amount=8800 + number)

    with ThreadPoolExecutor(THREADS) as threads:
        answers = [answer.status_code for answer in threads.map(create, range(THREADS))]
    assert answers.count(201) == 1
    assert set(answers) <= {201, 409, 422, 503}
    assert how_many_sessions(world) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_f57_while_the_first_is_running_the_others_are_told_when_to_come_back(world: World, bo: Merchant) -> None:
    """On SQLite they wait in line instead: it has one writer."""
    running = {"m": bo.told.merchant_id, "now": world.clock()}
    with world.parts.engine.connect() as first:
        first.execute(
            text(
                "INSERT INTO idempotency (merchant_id, key, fingerprint, status_code, answer, created_at)"
                " VALUES (:m, 'k', 'f', 201, '{}', :now)"
            ),
            running,
        )
        answer = creates(bo)
        first.rollback()
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    assert creates(bo).status_code == 201


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_f57_a_lock_on_the_session_is_not_told_as_a_key_in_use(world: World, bo: Merchant) -> None:
    session = bo.opens()
    path = f"/v1/checkout-sessions/{session['id']}/refunds"
    with world.parts.engine.connect() as other:
        other.execute(text("UPDATE session SET version = version WHERE id = :id"), {"id": session["id"]})
        answer = bo.api("POST", path, {}, Idempotency_Key="k")
        other.rollback()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


# F58: the API key -----------------------------------------------------------------------------------------------------


def test_f58_a_replaced_key_is_refused_at_once_and_open_payments_settle(world: World, bo: Merchant) -> None:
    session, unpaid = bo.opens(), bo.opens(reference="B", amount=9900)
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    told = json.loads(command(world, "replace-key", bo.told.merchant_id, "--json").stdout)
    assert set(told) == {"merchant_id", "api_key"}
    for method, path in (("GET", f"/v1/checkout-sessions/{session['id']}"), ("GET", "/v1/checkout-sessions")):
        assert bo.api(method, path).status_code == 401
    assert creates(bo).status_code == 401

    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]

    bo.told = replace(bo.told, api_key=told["api_key"])
    assert bo.reads(session)["status"] == "paid"
    assert bo.api("POST", f"/v1/checkout-sessions/{unpaid['id']}/cancel").json["status"] == "cancelled"  # type: ignore[index]
    refund = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="r")
    assert refund.status_code == 201
    world.passes(10)
    assert bo.heard()[-1]["type"] == "refund.succeeded"


def test_f58_the_key_and_every_secret_are_printed_once_and_written_down_nowhere(world: World, bo: Merchant) -> None:
    secrets = [bo.told.api_key, bo.told.webhook_secret, "key-of-APP1", rotates(world, bo)]
    secrets.append(json.loads(command(world, "replace-key", bo.told.merchant_id, "--json").stdout)["api_key"])
    with world.parts.sessions() as db:
        entries = [json.dumps([e.actor, e.action, e.subject, e.details]) for e in db.scalars(select(AuditEntry))]
        row = str(vars(db.get_one(MerchantRow, bo.told.merchant_id)))
    assert [json.loads(entry)[:2] for entry in entries] == [
        ["operator", "merchant_added"],
        ["operator", "webhook_secret_rotated"],
        ["operator", "api_key_replaced"],
    ]
    assert not [secret for secret in secrets if secret in row or any(secret in entry for entry in entries)]
