"""F1 to F4 and F7: the gateway cannot be reached, or does not answer, while a payment is created."""

import json
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from werkzeug.test import Client
from werkzeug.wrappers import Response

from sandbox import Scenario, Trouble
from tests.faults.wires import PAYMENT, QUERY, UNANSWERED, Serve, asked_about, instead, mended, on_the_wire
from tests.gateway.faults import (
    FaultServer,
    Script,
    after_hello,
    at_once,
    deaf_port,
    hangs,
    refusing_port,
    resets,
    says,
)
from tests.gateway.test_create_payment import ANSWER
from tests.stories.cast import Merchant, Shopper, World

FAILED = "The payment did not go through"
PROMPT = 10.0  # seconds after which a shopper has a way on at the latest
SILENCE = 2.0  # seconds: whoever does not answer at all need not be waited for longer


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def tls_with(authority: trustme.CA, name: str = "localhost", **dates: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **dates).configure_cert(context)
    return context


# --- F1: provably not sent


def not_sent_and_tried_again(world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]) -> None:
    """What follows from any fault before the first byte: an honest end of this try, at once, and a next one."""
    attempt = world.attempt(session)
    assert (attempt.status, attempt.failure, attempt.target) == ("failed", "unavailable", None)
    assert ada.sees() == FAILED
    assert set(ada.may_pick()) == {"alipay", "alipay_hk"}
    assert bo.reads(session)["status"] == "open"
    world.passes(120, step=20)
    assert asked_about(world, attempt.out_trade_no) == 0, "what was provably never sent needs no question"

    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"
    assert [order.out_trade_no for order in world.ledger.orders()] == [world.attempt(session).out_trade_no]


@pytest.mark.parametrize("fault", ["no name", "refused", "nobody accepts"])
def test_f01_without_a_connection_the_shopper_has_a_way_on_at_once(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], fault: str
) -> None:
    with ExitStack() as held:
        ports = {"refused": refusing_port, "nobody accepts": deaf_port}
        port = held.enter_context(ports[fault]()) if fault in ports else None
        url = f"https://127.0.0.1:{port}" if port else "https://gateway.invalid"
        with on_the_wire(world, bo, url, seconds=SILENCE):
            began = time.monotonic()
            assert ada.picks("alipay_hk").status_code == 303
            assert time.monotonic() - began < PROMPT
    not_sent_and_tried_again(world, bo, ada, session)


YEARS_AGO: dict[str, Any] = {
    "not_before": datetime(2020, 1, 1, tzinfo=UTC),
    "not_after": datetime(2021, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("fault", ["another authority", "expired", "another host", "broken handshake", "no TLS at all"])
def test_f01_without_proper_tls_nothing_is_said_and_nothing_is_downgraded(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], fault: str, serve: Serve,
    authority: trustme.CA, ca_file: str,
) -> None:  # fmt: skip
    yes = says(json.dumps(ANSWER).encode())
    server = {
        "another authority": lambda: serve(yes, tls_with(trustme.CA())),
        "expired": lambda: serve(yes, tls_with(authority, **YEARS_AGO)),
        "another host": lambda: serve(yes, tls_with(authority, "elsewhere.example")),
        "broken handshake": lambda: serve(at_once(after_hello(resets))),
        "no TLS at all": lambda: serve(at_once(says(b"{}"))),
    }[fault]()
    with on_the_wire(world, bo, server.url.replace("http:", "https:"), ca_file=ca_file):
        assert ada.picks("alipay_hk").status_code == 303
    assert server.heard == [], "not one byte of a request may reach whom we do not trust"
    assert server.connections == 1
    not_sent_and_tried_again(world, bo, ada, session)


def test_f01_proper_tls_is_spoken_to(
    world: World, bo: Merchant, ada: Shopper, serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    """So that the tests above fail for what they say, and not because this server can never be reached."""
    server = serve(says(b"{}"), tls_with(authority))
    with on_the_wire(world, bo, server.url, ca_file=ca_file):
        ada.picks("alipay_hk")
    assert len(server.heard) == 1


def test_f01_too_many_calls_is_not_sent_and_tried_again(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.ledger.inject(PAYMENT, Trouble.HTTP_429, 1)
    ada.picks("alipay_hk")
    not_sent_and_tried_again(world, bo, ada, session)


# --- F2, F3: no answer


def test_f02_a_lost_request_is_unknown_and_another_number_may_be_tried(
    world: World, bo: Merchant, session: dict[str, Any], serve: Serve
) -> None:
    ada = world.shopper(session)
    with on_the_wire(world, bo, serve(hangs).url, seconds=SILENCE):
        ada.picks("alipay_hk")
    first = world.attempt(session)
    assert (first.status, ada.sees()) == ("unknown", UNANSWERED)

    world.passes(4)
    assert asked_about(world, first.out_trade_no) >= 1, "it is asked about by its number"
    ada.picks("alipay_hk")
    second = world.attempt(session)
    assert second.out_trade_no != first.out_trade_no
    assert ada.stage() == "scan"
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"

    asked = asked_about(world, first.out_trade_no)
    world.passes((first.ends_at - world.clock()).total_seconds() + 120, step=20)
    watched = world.attempts(session)[0]
    assert asked_about(world, first.out_trade_no) > asked, "the old number is watched on"
    assert watched.status == "closed"
    assert watched.answered_at
    assert watched.answered_at >= watched.ends_at, "to the end of its life"


def test_f02_unknown_stays_unknown_while_only_time_passes(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], serve: Serve
) -> None:
    with on_the_wire(world, bo, serve(hangs).url, seconds=SILENCE):
        ada.picks("alipay_hk")
    world.ledger.inject(QUERY, Trouble.DROP, 100_000)
    world.passes(2 * 3600, step=60)
    assert world.attempt(session).status == "unknown"
    assert bo.reads(session)["status"] == "open"


def through(world: World, server: Callable[[], FaultServer], keep: Callable[[int], int]) -> Script:
    """The gateway does what is asked; of its answer so many bytes come back, then the connection is reset."""

    def script(connection: Any, over: Any) -> None:
        head, _, body = server().heard[-1].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        answer = Client(world.sandbox).post(lines[0].split(" ")[1], data=body, headers=headers, base_url="https://x")
        whole = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer.data)}\r\n\r\n".encode() + answer.data
        connection.settimeout(2)
        connection.sendall(whole[: keep(len(whole))])
        resets(connection, over)

    return script


CUTS = {
    "nothing": lambda _: 0,
    "half a status line": lambda _: 8,
    "the head": lambda _: 40,
    "half": lambda size: size // 2,
    "all but a byte": lambda size: size - 1,
}


@pytest.mark.parametrize("keep", CUTS.values(), ids=CUTS)
def test_f03_a_lost_answer_shows_no_code_and_its_payment_counts(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], serve: Serve, keep: Callable[[int], int]
) -> None:
    server = serve(through(world, lambda: server, keep))
    with on_the_wire(world, bo, server.url):
        ada.picks("alipay_hk")
    orphan = world.attempt(session)
    assert (orphan.status, orphan.target, ada.sees()) == ("unknown", None, UNANSWERED)
    assert "data-qr" not in ada.page()
    world.ledger.pay(orphan.out_trade_no)
    world.passes(10)
    assert ada.sees() == "Paid"
    assert [payment["role"] for payment in bo.reads(session)["payments"]] == ["accepted"]


def test_f03_an_orphan_paid_after_its_successor_is_surplus_and_goes_back(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.next(Scenario.LOST_ANSWER)
    ada.picks("alipay_hk")
    orphan = world.attempt(session).out_trade_no
    world.passes(4)
    ada.picks("alipay")
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"
    world.ledger.pay(orphan)
    world.passes(180)
    told = bo.reads(session)
    assert [payment["role"] for payment in told["payments"]] == ["accepted", "surplus"]
    assert [(refund["cause"], refund["status"]) for refund in told["refunds"]] == [("surplus", "succeeded")]


# --- F4: HTTP 5xx


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
@pytest.mark.parametrize("effect", [True, False], ids=["with effect", "without"])
def test_f04_a_server_error_is_unknown_and_never_failed(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], status: int, effect: bool
) -> None:
    instead(world, PAYMENT, lambda: Response("Internal Server Error", status), effect=effect)
    ada.picks("alipay_hk")
    mended(world)
    attempt = world.attempt(session)
    assert (attempt.status, ada.sees()) == ("unknown", UNANSWERED)
    if effect:
        world.ledger.pay(attempt.out_trade_no)
        world.passes(10)
        assert ada.sees() == "Paid"
    else:
        world.passes(3600, step=30)
        assert world.attempt(session).status == "closed"
        assert bo.reads(session)["status"] == "expired"
    assert "attempt.failed" not in [news["type"] for news in bo.heard()]


# --- F7: a drip


def drips_once_a_second(connection: Any, over: Any) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    for _ in range(30):
        if over.wait(1):
            return
        connection.sendall(b" ")


@pytest.mark.parametrize("seconds", [1.5, 10.0])
def test_f07_a_drip_ends_with_the_deadline_and_the_thread_is_free(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], serve: Serve, seconds: float
) -> None:
    with on_the_wire(world, bo, serve(drips_once_a_second).url, seconds=seconds):
        began = time.monotonic()
        assert ada.picks("alipay_hk").status_code == 303
        assert seconds <= time.monotonic() - began <= seconds + 5  # a drip would last for half a minute
    assert (world.attempt(session).status, ada.sees()) == ("unknown", UNANSWERED)
    ada.says_paid()  # the same thread serves on
    world.passes(4)
    assert asked_about(world, world.attempt(session).out_trade_no) >= 1
