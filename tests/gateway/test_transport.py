"""The door over `requests` against real sockets that misbehave: always in time, and right about what was sent."""

import errno
import gzip
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
import requests
import trustme

from checkout.gateway.transport import MAX_BODY, Answer, SentNothing, SentUnanswered, Transport
from tests.gateway.faults import (
    FaultServer,
    Script,
    after_hello,
    at_once,
    deaf_port,
    drips,
    hangs,
    in_turn,
    refusing_port,
    resets,
    says,
)
from tests.wsgi import session_to

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOTAL, CONNECT = 2.0, 1.5
SLACK = 5.0  # a loaded machine; a drip that outlives the deadline would last until the test's own end
OK = b'{"respcd":"0000"}'

Serve = Callable[..., FaultServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:
        yield lambda script, tls=None: servers.enter_context(FaultServer(script, tls))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_for(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def transport(ca_file: str | None = None) -> Transport:
    return Transport(total_seconds=TOTAL, connect_seconds=CONNECT, ca_file=ca_file)


def post(url: str, door: Transport | None = None) -> Answer:
    return (door or transport()).post(url + "/trade/v1/payment", {"goods_name": "測試 1"}, {"X-QF-APPCODE": "A"})


@contextmanager
def in_time(seconds: float = TOTAL) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + SLACK


def test_a_form_goes_out_and_the_answer_comes_back(serve: Serve) -> None:
    server = serve(says(OK, "200 OK", "X-QF-SIGN: ABC"))
    assert post(server.url) == Answer(200, OK, "ABC")
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /trade/v1/payment http/1.1"
    assert body == b"goods_name=%E6%B8%AC%E8%A9%A6+1"
    assert "content-type: application/x-www-form-urlencoded; charset=utf-8" in lines
    assert "accept-encoding: identity" in lines
    assert "x-qf-appcode: a" in lines


def test_connections_are_kept(serve: Serve) -> None:
    server, door = serve(says(OK)), transport()
    assert [post(server.url, door).body for _ in range(3)] == [OK] * 3
    assert server.connections == 1


def test_a_connection_that_was_closed_in_the_meantime_is_replaced(serve: Serve) -> None:
    server, door = serve(says(OK, "200 OK", "Connection: close")), transport()
    assert [post(server.url, door).body for _ in range(2)] == [OK] * 2
    assert server.connections == 2


@pytest.mark.parametrize("status", [201, 204, 400, 404, 429, 500, 503])
def test_every_status_is_an_answer(serve: Serve, status: int) -> None:
    assert post(serve(says(b"", f"{status} X")).url).status == status


# Nothing was sent, and we can prove it.


def test_a_name_without_address_is_not_sent() -> None:
    with pytest.raises(SentNothing):
        post("https://gateway.invalid")


def test_a_refused_connection_is_not_sent() -> None:
    with refusing_port() as port, pytest.raises(SentNothing):
        post(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "fault", [ConnectionResetError(errno.ECONNRESET, "reset"), BrokenPipeError(errno.EPIPE, "gone")]
)
def test_a_connection_that_breaks_while_it_is_made_is_not_sent(monkeypatch: pytest.MonkeyPatch, fault: OSError) -> None:
    """To urllib3 these are signs of a server that has answered: it goes on to read, from a socket that is not there."""
    monkeypatch.setattr(socket.socket, "connect", Mock(side_effect=fault))
    with pytest.raises(SentNothing):
        Transport().post("http://127.0.0.1:9/", {}, {})


def test_a_connection_that_nobody_accepts_is_not_sent() -> None:
    with deaf_port() as port, in_time(CONNECT), pytest.raises(SentNothing):
        post(f"http://127.0.0.1:{port}")


def test_all_addresses_of_a_name_share_one_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf_port() as port:
        one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [one] * 8)
        with in_time(CONNECT), pytest.raises(SentNothing):
            post(f"http://localhost:{port}")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://", "http://[::1", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_not_sent(url: str) -> None:
    with pytest.raises(SentNothing):
        post(url)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at_once(after_hello(resets)), id="reset"),
        pytest.param(at_once(after_hello(lambda connection, _over: connection.close())), id="closed"),
        pytest.param(at_once(says(OK)), id="speaks plain HTTP"),
        pytest.param(at_once(after_hello(hangs)), id="silent"),
        pytest.param(at_once(drips(b"\x16\x03\x03\x40\x00", b"\x00")), id="drips its handshake"),
    ],
)
def test_a_handshake_that_fails_is_not_sent(serve: Serve, script: Script) -> None:
    url = serve(script).url.replace("http:", "https:")
    with in_time(), pytest.raises(SentNothing):
        post(url)


def test_a_certificate_is_always_verified(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    right, wrong_host = (serve(says(OK), tls_for(authority, name)) for name in ("localhost", "elsewhere.example"))
    assert post(right.url, transport(ca_file)).body == OK
    for server, door in ((right, transport()), (wrong_host, transport(ca_file))):
        heard = len(server.heard)
        with pytest.raises(SentNothing):
            post(server.url, door)
        assert len(server.heard) == heard


def test_the_environment_changes_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_port() as nowhere:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nowhere}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        assert post(serve(says(OK)).url).body == OK


# Sent, or perhaps sent: only an enquiry can tell.


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(hangs, id="black hole"),
        pytest.param(resets, id="reset after the request"),
        pytest.param(lambda connection, _over: connection.close(), id="closed after the request"),
        pytest.param(says(OK, length=len(OK) + 5), id="shorter than promised"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX-A: "), id="drips a header"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), id="drips headers"),
        pytest.param(
            drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"), id="drips 100 Continue"
        ),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), id="drips a body"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + OK, b" "), id="drips blanks after a body"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="drips chunks"),
        pytest.param(says(b"", "200 OK", "Transfer-Encoding: chunked", "X: y\r\n\r\nzz"), id="broken chunks"),
        pytest.param(at_once(lambda connection, _over: connection.sendall(b"\x00\xff" * 99)), id="not HTTP"),
    ],
)
def test_an_answer_that_does_not_come_whole_and_in_time_is_unanswered(serve: Serve, script: Script) -> None:
    with in_time(), pytest.raises(SentUnanswered):
        post(serve(script).url)


def test_a_drip_within_tls_ends_in_time(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    script = drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    with in_time(), pytest.raises(SentUnanswered):
        post(serve(script, tls_for(authority, "localhost")).url, transport(ca_file))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_drip_on_a_kept_connection_ends_in_time(serve: Serve, authority: trustme.CA, ca_file: str, tls: bool) -> None:
    script = in_turn(says(OK), drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"))
    server = serve(script, tls_for(authority, "localhost") if tls else None)
    door = transport(ca_file)
    assert post(server.url, door).body == OK
    with in_time(), pytest.raises(SentUnanswered):
        post(server.url, door)
    assert server.connections == 1


def test_a_call_may_be_given_less_time_than_usual(serve: Serve) -> None:
    with in_time(1.0), pytest.raises(SentUnanswered):
        transport().post(serve(hangs).url, {}, {}, seconds=1.0)


def test_a_deadline_ends_with_its_call(serve: Serve) -> None:
    server, door = serve(in_turn(hangs, says(OK), says(OK))), transport()
    with pytest.raises(SentUnanswered):
        door.post(server.url, {}, {}, seconds=1.0)
    assert post(server.url, door).body == OK
    assert post(server.url, door).body == OK


def test_an_answer_may_have_64_kib_and_no_more(serve: Serve) -> None:
    assert len(post(serve(says(b"x" * MAX_BODY)).url).body) == MAX_BODY
    with pytest.raises(SentUnanswered):
        post(serve(says(b"x" * (MAX_BODY + 1))).url)


def test_a_compressed_answer_is_capped_at_its_full_size(serve: Serve) -> None:
    bombs = {"gzip": gzip.compress(b"0" * 50_000_000), "deflate": zlib.compress(b"0" * 50_000_000)}
    for encoding, bomb in bombs.items():
        server = serve(says(bomb, "200 OK", f"Content-Encoding: {encoding}"))
        with in_time(), pytest.raises(SentUnanswered):
            post(server.url)


@pytest.mark.parametrize("location", ["/elsewhere", "http://[::1", "//", "javascript:x", "\x00"])
def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve, location: str) -> None:
    server = serve(says(b"moved", "302 Found", f"Location: {location}", "Set-Cookie: a=b"))
    assert post(server.url).status == 302
    assert len(server.heard) == 1


def test_the_body_of_a_redirect_is_capped_too(serve: Serve) -> None:
    with pytest.raises(SentUnanswered):
        post(serve(says(b"x" * (MAX_BODY + 1), "302 Found", "Location: /")).url)


def test_cookies_are_not_kept(serve: Serve) -> None:
    server, door = serve(says(OK, "200 OK", "Set-Cookie: a=b")), transport()
    post(server.url, door)
    post(server.url, door)
    assert b"cookie" not in server.heard[1].lower()


# An app in this process instead of a socket.


def test_a_wsgi_app_can_stand_for_the_gateway() -> None:
    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        start_response("200 OK", [("X-QF-SIGN", "S")])
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])), environ["PATH_INFO"].encode()]

    door = Transport(session_to(app))
    assert door.post("http://gateway.example/a/b", {"c": "d"}, {}) == Answer(200, b"c=d/a/b", "S")


def test_what_another_adapter_raises_counts_as_sent() -> None:
    def app(_environ: "WSGIEnvironment", _start_response: "StartResponse") -> list[bytes]:
        raise requests.ConnectionError

    with pytest.raises(SentUnanswered):
        Transport(session_to(app)).post("http://gateway.example/", {}, {})
