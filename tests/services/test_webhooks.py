"""One webhook: signed, sent once, and never waited for too long."""

import json
import socket
import threading
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from checkout.services.webhooks import WebhookSender
from tests.services.endpoints import (
    BODY,
    NOON,
    OLD_SECRET,
    PUBLIC_IP,
    SECRET,
    Listen,
    Say,
    dripping,
    hanging_up,
    headers_and_body,
    huge,
    listen,
    post,
    saying,
)

__all__ = ["listen"]


def test_the_merchant_can_verify_what_it_gets(listen: Listen) -> None:
    bo = listen(saying("HTTP/1.1 204 No Content\n\n"))

    answer = post(f"http://127.0.0.1:{bo.port}/hook?shop=bo", now=datetime.now(UTC))

    headers, body = headers_and_body(bo.heard[0])
    assert answer.ok
    assert answer.status == 204
    assert bo.heard[0].startswith(b"POST /hook?shop=bo HTTP/1.1\r\n")
    assert Webhook(SECRET).verify(body, headers) == json.loads(BODY)
    assert headers["host"] == f"127.0.0.1:{bo.port}"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "evt_1"


def test_while_a_secret_is_changed_both_of_them_verify(listen: Listen) -> None:
    bo = listen(saying("HTTP/1.1 200 OK\nContent-Length: 0\n\n"))

    assert post(f"http://127.0.0.1:{bo.port}/", secrets=[SECRET, OLD_SECRET], now=datetime.now(UTC)).ok

    headers, body = headers_and_body(bo.heard[0])
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAA").verify(body, headers)


def test_a_time_in_another_zone_signs_the_same_moment(listen: Listen) -> None:
    bo = listen(saying("HTTP/1.1 200 OK\nContent-Length: 0\n\n"))
    hong_kong = datetime.fromisoformat("2026-03-01T20:00:00+08:00")

    for now in (NOON, hong_kong):
        post(f"http://127.0.0.1:{bo.port}/", now=now)

    first, second = (headers_and_body(heard)[0] for heard in bo.heard)
    assert first["webhook-signature"] == second["webhook-signature"]
    assert first["webhook-timestamp"] == str(int(NOON.timestamp()))


@pytest.mark.parametrize(
    ("status", "ok", "gone"),
    [
        ("200 OK", True, False),
        ("299 Yes", True, False),
        ("400 Bad", False, False),
        ("410 Gone", False, True),
        ("500 Broken", False, False),
    ],
)
def test_only_2xx_is_success_and_410_says_stop(listen: Listen, status: str, ok: bool, gone: bool) -> None:
    bo = listen(saying(f"HTTP/1.1 {status}\nContent-Length: 5\n\nhello"))

    answer = post(f"http://127.0.0.1:{bo.port}/")

    assert (answer.ok, answer.gone, answer.excerpt) == (ok, gone, "hello")
    assert answer.status == int(status[:3])
    assert not answer.blocked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(listen: Listen, status: int) -> None:
    elsewhere = listen(saying("HTTP/1.1 200 OK\n\n"))
    bo = listen(saying(f"HTTP/1.1 {status} Moved\nLocation: http://127.0.0.1:{elsewhere.port}/\nContent-Length: 0\n\n"))

    answer = post(f"http://127.0.0.1:{bo.port}/")

    assert not answer.ok
    assert answer.status == status
    assert answer.error
    assert elsewhere.connections == 0


def test_no_proxy_is_taken_from_the_environment(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = listen(saying("HTTP/1.1 200 OK\n\n"))
    bo = listen(saying("HTTP/1.1 204 No Content\n\n"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "")

    assert post(f"http://127.0.0.1:{bo.port}/").ok
    assert proxy.connections == 0


def test_a_busy_merchant_says_when_to_come_back(listen: Listen) -> None:
    bo = listen(saying("HTTP/1.1 429 Slow down\nRetry-After: 90\nContent-Length: 0\n\n"))

    assert post(f"http://127.0.0.1:{bo.port}/").retry_after == 90


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    ],
    ids=["status line", "headers", "body", "chunks", "redirect"],
)
def test_a_dripping_answer_is_cut_off_in_time(listen: Listen, first: bytes) -> None:
    bo = listen(dripping(first))

    answer = post(f"http://127.0.0.1:{bo.port}/", seconds=0.3)

    assert not answer.ok
    assert answer.error == "took longer than 0.3 s"
    assert 250 < answer.milliseconds < 5000


def test_a_dripping_tls_handshake_is_cut_off_in_time(listen: Listen) -> None:
    # A record header that announces 16 KiB of handshake, which then comes byte by byte.
    bo = listen(dripping(b"\x16\x03\x03\x40\x00"))

    answer = post(f"https://127.0.0.1:{bo.port}/", seconds=0.3)

    assert answer.error == "took longer than 0.3 s"
    assert answer.milliseconds < 5000


def test_a_name_that_takes_too_long_to_resolve_is_given_up() -> None:
    released = threading.Event()

    def slow(_host: str, _port: int) -> list[str]:
        released.wait(15)
        return [PUBLIC_IP]

    sender = WebhookSender(loopback_allowed=False, seconds=0.2, resolve=slow)
    answer = sender.send("https://shop.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)
    released.set()

    assert answer.error == "took longer than 0.2 s"
    assert not answer.blocked
    assert answer.milliseconds < 5000


def test_a_huge_answer_is_read_for_4_kib_only(listen: Listen) -> None:
    bo = listen(huge)

    answer = post(f"http://127.0.0.1:{bo.port}/")

    assert answer.ok
    assert answer.excerpt == "a" * 512


def test_an_excerpt_holds_no_control_characters(listen: Listen) -> None:
    bo = listen(lambda conn: conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<b>\x00\x1b\xff\n\xe8\x8c"))

    assert post(f"http://127.0.0.1:{bo.port}/").excerpt == "<b>\ufffd\ufffd\ufffd\n\ufffd"


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (hanging_up, "closed the connection"),
        (saying("hello\n\n"), None),
        (saying("HTTP/1.1 abc\n\n"), None),
        (saying("HTTP/1.1 200 OK\n" + "X: y\n" * 200 + "\n"), None),
        (saying("HTTP/1.1 200 OK\nX: " + "y" * 70_000 + "\n\n"), None),
    ],
    ids=["hangs up", "not HTTP", "no status", "200 headers", "endless header"],
)
def test_nonsense_is_an_error_and_never_raises(listen: Listen, say: Say, words: str | None) -> None:
    bo = listen(say)

    answer = post(f"http://127.0.0.1:{bo.port}/")

    assert not answer.ok
    assert answer.error
    assert answer.status is None
    assert words is None or answer.error == words


def test_a_closed_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").error == "refused the connection"


def test_the_next_address_is_tried_when_one_cannot_be_reached(listen: Listen) -> None:
    bo = listen(saying("HTTP/1.1 204 No Content\n\n"))
    sender = WebhookSender(loopback_allowed=True, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])

    url = f"http://shop.localhost:{bo.port}/"
    assert sender.send(url, event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON).ok
    assert bo.connections == 1


def test_an_event_is_not_posted_to_a_second_address_once_the_first_has_heard_it(listen: Listen) -> None:
    bo = listen(hanging_up)
    sender = WebhookSender(loopback_allowed=True, resolve=lambda *_: ["127.0.0.1", "127.0.0.1"])

    url = f"http://shop.localhost:{bo.port}/"
    assert sender.send(url, event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON).error
    assert bo.connections == 1
