"""A webhook goes over TLS to the host that the merchant named, and to no other."""

from pathlib import Path

import pytest
import trustme

from checkout.services.webhooks import Answer, WebhookSender
from tests.services.endpoints import BODY, NOON, SECRET, Listen, headers_and_body, listen, saying, server_tls

__all__ = ["listen"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


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
