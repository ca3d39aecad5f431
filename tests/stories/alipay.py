"""Ada inside Alipay's app: what the app and Alipay's servers do for her, one step at a time."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask
from werkzeug.test import Client, TestResponse

from sandbox import AlipayApp, Oddity, Platform, Visits
from tests.stories.cast import GATEWAY, PUBLIC, Shopper, World

APP_ID = "2021003100000001"
AUTHORIZE = f"{GATEWAY}/alipay/authorize"
TOKEN = "/alipay/gateway.do"
INSIDE = (
    "Mozilla/5.0 (Linux; U; Android 14; zh-CN; 23127PN0CC Build/UKQ1.230804.001) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/4.0 Chrome/100.0.4896.58 Mobile Safari/537.36 AliApp(AP/10.5.88.8000) AlipayClient/10.5.88.8000"
)


@cache
def key_of(whose: str) -> rsa.RSAPrivateKey:
    """One key each for `app`, `alipay` and strangers, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem(whose: str) -> str:
    return key_of(whose).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@cache
def public_pem(whose: str) -> str:
    return key_of(whose).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def settings() -> dict[str, str]:
    return {
        "ALIPAY_APP_ID": APP_ID,
        "ALIPAY_PRIVATE_KEY": private_pem("app"),
        "ALIPAY_PUBLIC_KEY": public_pem("alipay"),
        "ALIPAY_AUTH_URL": AUTHORIZE,
        "ALIPAY_GATEWAY_URL": f"{GATEWAY}{TOKEN}",
    }


def world_with_alipay(make_world: Callable[..., World], **more: str) -> World:
    world = make_world(**settings() | more)
    opens_inside_alipay(world.sandbox)
    return world


def opens_inside_alipay(sandbox: Flask) -> None:
    """The app of our settings is known at the sandbox's Alipay."""
    app = AlipayApp(key_of("app").public_key(), f"{PUBLIC}/alipay/callback")
    known = sandbox.extensions["sandbox"]
    sandbox.extensions["sandbox"] = replace(known, platform=Platform({APP_ID: app}, key_of("alipay")))


@dataclass
class Inside(Shopper):
    """Ada, whose browser is Alipay's own."""

    agent: str = INSIDE

    def is_led_to(self) -> str | None:
        """Where the page's script would go, silently, to ask who she is."""
        found = re.search(r'data-authorise="([^"]+)"', self.page())
        return html.unescape(found[1]) if found else None

    def is_told_apart(self, asked: str | None = None) -> str:
        """Alipay's authorise page: sends her back at once, to this address of ours."""
        url = asked or self.is_led_to()
        assert url, "the page asks nobody"
        answer = Client(self.world.sandbox).get(f"{urlsplit(url).path}?{urlsplit(url).query}", base_url=GATEWAY)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])

    def arrives(self, address: str, **headers: str) -> TestResponse:
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{PUBLIC}/alipay/callback"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.asks("GET", f"{parts.path}?{parts.query}", headers=named)

    def enters(self) -> TestResponse:
        """The page, Alipay, and back, without a tap."""
        return self.arrives(self.is_told_apart())

    def sheet(self) -> str | None:
        """The trade that the bridge would be called with."""
        found = re.search(r'data-trade="([^"]+)"', self.page())
        return found[1] if found else None


def arguments(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


def visits(world: World) -> Visits:
    return Visits(world.ledger.store)


def next_visit(world: World, oddity: Oddity) -> None:
    visits(world).set_next(oddity)
