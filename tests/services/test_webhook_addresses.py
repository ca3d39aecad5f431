"""Where a webhook may not go, and that nothing is said there."""

import socket

import pytest
import urllib3.util.connection

from checkout.services.webhooks import WebhookSender
from tests.services.endpoints import BODY, NOON, PUBLIC_IP, SECRET, Listen, dialled, listen, saying

__all__ = ["dialled", "listen"]


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
