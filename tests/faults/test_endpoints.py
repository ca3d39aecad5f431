"""F53: the merchant's endpoint in every kind of trouble, and what it hears all the same."""

import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest
import trustme
from werkzeug.wrappers import Response

from checkout.services.deliveries import LEASE
from checkout.services.webhooks import MAX_ANSWER
from tests.faults.shops import DAY, OK, answers_with, cancels, deliveries, in_a_hurry, moves_to, path_of, statuses
from tests.servers import free_port
from tests.services.endpoints import (
    Listen,
    Say,
    dripping,
    hanging_up,
    huge,
    listen,
    saying,
    server_tls,
)
from tests.stories.cast import Merchant, World

__all__ = ["listen"]


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
    in_a_hurry(world, seconds=0.4 if "drips" in trouble else 15)  # who need not wait for the end need not hurry
    cancels(bo)
    world.works()
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.tries) == ("due", 1)
    assert any(word in (delivery.error or "") for word in words.split("|")), delivery.error
    answer[0] = saying(OK)
    in_a_hurry(world, seconds=15)
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
        conn.settimeout(60)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"a" * MAX_ANSWER)
        conn.recv(1)

    endpoint = listen(stalls)
    moves_to(world, bo, f"http://127.0.0.1:{endpoint.port}/hook")
    in_a_hurry(world, seconds=10)  # sooner than the endpoint's own patience ends
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
