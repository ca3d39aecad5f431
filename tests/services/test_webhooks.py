"""One webhook: signed, sent to a checked address only, and never waited for too long."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
import urllib3.util.connection
from standardwebhooks import Webhook, WebhookVerificationError

from checkout.services.webhooks import RETRY_AFTER, Answer, WebhookSender, next_try, read_retry_after

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = json.dumps({"type": "checkout_session.paid", "data": {"description": "茶"}}, ensure_ascii=False)
PUBLIC_IP = "93.184.216.34"

Say = Callable[[socket.socket], None]


class Listener:
    """A merchant's endpoint on a real socket: keeps what it heard and says what the test wants."""

    def __init__(self, say: Say, tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.heard: list[bytes] = []
        self._say, self._tls = say, tls
        self._closing = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            conn, _ = self._socket.accept()
            if self._closing:
                conn.close()
                return
            self.connections += 1
            with contextlib.suppress(OSError), contextlib.closing(conn):
                self._answer(conn)

    def _answer(self, conn: socket.socket) -> None:
        conn.settimeout(3)
        if self._tls is None:
            self.heard.append(read_request(conn))
            self._say(conn)
            return
        with self._tls.wrap_socket(conn, server_side=True) as secure:
            self.heard.append(read_request(secure))
            self._say(secure)

    def close(self) -> None:
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


def read_request(conn: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := conn.recv(65536)):
            return received
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += conn.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(raw: str) -> Say:
    return lambda conn: conn.sendall(raw.replace("\n", "\r\n").encode())


def dripping(first: bytes) -> Say:
    """Never ends: a byte every 20 ms, so no timeout between two bytes ever fires."""

    def say(conn: socket.socket) -> None:
        conn.sendall(first)
        for _ in range(400):
            conn.sendall(b"x")
            time.sleep(0.02)

    return say


def hanging_up(conn: socket.socket) -> None:
    conn.close()


def huge(conn: socket.socket) -> None:
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
    for _ in range(160):
        conn.sendall(b"a" * 65536)


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    listeners: list[Listener] = []

    def start(say: Say, tls: ssl.SSLContext | None = None) -> Listener:
        listeners.append(Listener(say, tls))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def post(url: str, *, seconds: float = 5.0, secrets: Sequence[str] = (SECRET,), now: datetime = NOON) -> Answer:
    sender = WebhookSender(loopback_allowed=True, seconds=seconds)
    return sender.send(url, event_id="evt_1", body=BODY, secrets=secrets, now=now)


def headers_and_body(heard: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = heard.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, value in lines}, body


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
    assert 250 < answer.milliseconds < 1500


def test_a_dripping_tls_handshake_is_cut_off_in_time(listen: Listen) -> None:
    # A record header that announces 16 KiB of handshake, which then comes byte by byte.
    bo = listen(dripping(b"\x16\x03\x03\x40\x00"))

    answer = post(f"https://127.0.0.1:{bo.port}/", seconds=0.3)

    assert answer.error == "took longer than 0.3 s"
    assert answer.milliseconds < 1500


def test_a_name_that_takes_too_long_to_resolve_is_given_up() -> None:
    released = threading.Event()

    def slow(_host: str, _port: int) -> list[str]:
        released.wait(5)
        return [PUBLIC_IP]

    sender = WebhookSender(loopback_allowed=False, seconds=0.2, resolve=slow)
    answer = sender.send("https://shop.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)
    released.set()

    assert answer.error == "took longer than 0.2 s"
    assert not answer.blocked
    assert answer.milliseconds < 1500


def test_a_huge_answer_is_read_for_4_kib_only(listen: Listen) -> None:
    bo = listen(huge)

    answer = post(f"http://127.0.0.1:{bo.port}/")

    assert answer.ok
    assert answer.excerpt == "a" * 512
    assert answer.milliseconds < 2000


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


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def post_tls(port: int, ca_bundle: str | None) -> Answer:
    sender = WebhookSender(loopback_allowed=True, seconds=5, resolve=lambda *_: ["127.0.0.1"], ca_bundle=ca_bundle)
    url = f"https://shop.localhost:{port}/"
    return sender.send(url, event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)


def test_the_certificate_and_sni_are_those_of_the_name(listen: Listen, authority: trustme.CA, ca_bundle: str) -> None:
    asked_for: list[str | None] = []
    context = server_tls(authority, "shop.localhost")
    context.sni_callback = lambda _sock, name, _context: asked_for.append(name)
    bo = listen(saying("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), context)

    assert post_tls(bo.port, ca_bundle).ok
    assert asked_for == ["shop.localhost"]
    assert headers_and_body(bo.heard[0])[0]["host"] == f"shop.localhost:{bo.port}"


@pytest.mark.parametrize("name", ["other.localhost", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    listen: Listen, authority: trustme.CA, ca_bundle: str, name: str
) -> None:
    bo = listen(saying("HTTP/1.1 200 OK\n\n"), server_tls(authority, name))

    answer = post_tls(bo.port, ca_bundle)

    assert answer.error == "its TLS certificate is not valid"
    assert b"".join(bo.heard) == b""


def test_a_certificate_of_an_unknown_authority_is_refused(listen: Listen, authority: trustme.CA) -> None:
    bo = listen(saying("HTTP/1.1 200 OK\n\n"), server_tls(authority, "shop.localhost"))

    assert post_tls(bo.port, None).error == "its TLS certificate is not valid"
    assert b"".join(bo.heard) == b""


# Where it may not go --------------------------------------------------------------------------------------------------

# PORT becomes the port of a listener that must not be reached, NAME a name with a resolver that points to it.
FORBIDDEN_URLS = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "https://127.0.0.1/",
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://127.0.0.01:PORT/",
    "https://0x7f.1:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0x0.0x0.0x1:PORT/",
    "https://2130706433:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://017700000001:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://127.127.127.127:PORT/",
    "https://[::1]:PORT/",
    "https://[::]:PORT/",
    "https://[::127.0.0.1]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[ff02::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://localhost:PORT/",
    "http://localhost:PORT/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://shop.localhost/",
    "https://metadata/",
    "https://NAME/",
    "https://NAME:8443/",
    "https://169.254.169.254.nip.example/",
    "https://NAME:22/",
    "https://NAME:PORT/",
    "http://NAME/",
    "https://NAME@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT@NAME/",
    "https://NAME#@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\\@NAME/",
    "https://127.0.0.1:PORT%2f@NAME/",
    "https://127。0。0。1:PORT/",  # full stops that some resolvers read as dots
    "https://①②⑦.⓪.⓪.①:PORT/",
    "gopher://127.0.0.1:PORT/_x",
    "file:///etc/passwd",
    "ftp://127.0.0.1:PORT/",
    "unix:///var/run/docker.sock",
    "https:127.0.0.1:PORT",
    "//127.0.0.1:PORT/",
]


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that urllib3 was about to connect to. None is: this machine stays off the network."""
    seen: list[str] = []

    def refuse(address: tuple[str, int], *_args: object, **_named: object) -> socket.socket:
        seen.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib3.util.connection, "create_connection", refuse)
    return seen


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_nothing_inside_is_ever_called(listen: Listen, url: str) -> None:
    inside = listen(saying("HTTP/1.1 200 OK\n\n"))
    url = url.replace("PORT", str(inside.port)).replace("NAME", "evil.example")
    sender = WebhookSender(loopback_allowed=False, seconds=2, resolve=lambda *_: ["127.0.0.1"])

    answer = sender.send(url, event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)

    assert answer.blocked
    assert not answer.ok
    assert inside.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], [PUBLIC_IP, "127.0.0.1"], ["127.0.0.1", PUBLIC_IP], [PUBLIC_IP, "::ffff:10.0.0.1"], ["fe80::1%lo"]],
)
def test_one_forbidden_address_among_many_blocks(dialled: list[str], addresses: list[str]) -> None:
    sender = WebhookSender(loopback_allowed=False, resolve=lambda *_: addresses)

    answer = sender.send("https://evil.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)

    assert answer.blocked
    assert dialled == []
    assert not any(address in (answer.error or "") for address in addresses), "our network is not for them to map"


def test_a_name_that_changes_after_the_check_gains_nothing(dialled: list[str]) -> None:
    lies = iter([[PUBLIC_IP], ["127.0.0.1"], ["127.0.0.1"]])
    sender = WebhookSender(loopback_allowed=False, resolve=lambda *_: next(lies))

    first = sender.send("https://evil.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)
    second = sender.send("https://evil.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)

    assert dialled == [PUBLIC_IP], "resolved once, and connected to what was checked"
    assert not first.blocked
    assert second.blocked


def test_a_connection_that_ends_up_elsewhere_is_dropped_unspoken(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = listen(saying("HTTP/1.1 200 OK\n\n"))
    real = socket.create_connection
    monkeypatch.setattr(
        urllib3.util.connection, "create_connection", lambda *_args, **_named: real(("127.0.0.1", inside.port))
    )
    sender = WebhookSender(loopback_allowed=False, resolve=lambda *_: [PUBLIC_IP])

    assert sender.send("https://evil.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON).blocked
    assert b"".join(inside.heard) == b""


def test_plain_http_is_for_this_machine_only(dialled: list[str]) -> None:
    sender = WebhookSender(loopback_allowed=True, resolve=lambda *_: [PUBLIC_IP])

    assert sender.send("http://shop.localhost/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON).blocked
    assert dialled == []


def test_a_name_that_does_not_exist_is_an_error_and_not_blocked() -> None:
    def nowhere(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    sender = WebhookSender(loopback_allowed=False, resolve=nowhere)
    answer = sender.send("https://shop.example/", event_id="evt_1", body=BODY, secrets=[SECRET], now=NOON)

    assert answer.error == "its name could not be resolved"
    assert not answer.blocked


# When to try again ----------------------------------------------------------------------------------------------------

FAILED = Answer(status=500, error="answered 500")


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    tries = [next_try(n, FAILED, NOON, 0.0) for n in range(len(RETRY_AFTER))]

    assert [moment - NOON for moment in tries if moment] == list(RETRY_AFTER)
    assert sum(RETRY_AFTER, timedelta()) == timedelta(days=3, hours=3, minutes=35, seconds=5)
    assert next_try(len(RETRY_AFTER), FAILED, NOON, 0.0) is None


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 270), (0.0, 300), (1.0, 330)])
def test_jitter_moves_a_try_by_a_tenth(jitter: float, seconds: int) -> None:
    assert next_try(2, FAILED, NOON, jitter) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("tries", "retry_after", "seconds"),
    [(1, 90, 90), (1, 0, 5), (2, 90, 300), (1, 86_400, 86_400), (1, 999_999, 86_400), (1, None, 5)],
)
def test_a_merchant_may_ask_for_more_time_but_not_for_less(tries: int, retry_after: int | None, seconds: int) -> None:
    answer = Answer(status=503, error="answered 503", retry_after=retry_after)

    assert next_try(tries, answer, NOON, 0.0) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("answer", [Answer(status=204), Answer(status=410, error="answered 410")])
def test_what_is_delivered_or_unwanted_is_not_tried_again(answer: Answer) -> None:
    assert next_try(1, answer, NOON, 0.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 01 Mar 2027 12:00:00 GMT", 86_400),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: int | None) -> None:
    assert read_retry_after(value, NOON) == seconds
