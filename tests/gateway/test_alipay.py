"""Alipay's open platform, as its own texts describe the wire: what we send, whom we believe, what never leaks."""

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from werkzeug.wrappers import Request, Response

from checkout.domain.errors import GatewayError, GatewayGarbled, GatewayRefused, GatewayUnreachable
from checkout.gateway.alipay import Alipay, App
from checkout.gateway.transport import Transport
from tests.wsgi import session_to

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
USER, CODE = "2088102150477652", "4b203fe6c11548bcabd8da5bb087a83b"
NODE = {"access_token": "publicpBa869cad0990e4e17a57ecf7c5469a4b2", "user_id": USER, "expires_in": 300}
GATEWAY = "https://openapi.alipay.com/gateway.do"


@cache
def key(whose: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def signature(text: str, whose: str = "alipay") -> str:
    return base64.b64encode(key(whose).sign(text.encode(), PKCS1v15(), SHA256())).decode()


def answer(node: dict[str, Any], *, name: str = "alipay_system_oauth_token_response", sign: str | None = None) -> str:
    """As Alipay writes it: its name first, its signature over the object's text last."""
    inner = json.dumps(node)
    return f'{{"{name}":{inner},"sign":"{signature(inner) if sign is None else sign}"}}'


class Wire:
    """Answers every call with one text, and keeps what was asked."""

    def __init__(self, said: str, status: int = 200) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._said, self._status = said, status

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append((request.url, dict(parse_qsl(request.get_data(as_text=True)))))
        return Response(self._said, self._status, mimetype="application/json")(environ, start_response)

    def alipay(self, *, trusts: str | None = "alipay") -> Alipay:
        known = key(trusts).public_key() if trusts else None
        return door(session_to(self), known)


def door(http: requests.Session, known: Any = None) -> Alipay:
    app = App("2021001", key("app"), "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm", GATEWAY, known)
    return Alipay(app, Transport(http))


def test_the_shopper_is_asked_at_alipays_own_address() -> None:
    asked = Wire("").alipay().authorise_url(redirect_uri="https://pay.example/alipay/callback", state="s-1_")
    assert asked == (
        "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?app_id=2021001&scope=auth_base"
        "&redirect_uri=https%3A%2F%2Fpay.example%2Falipay%2Fcallback&state=s-1_"
    )


def test_a_code_is_exchanged_by_a_call_that_our_key_signed() -> None:
    wire = Wire(answer(NODE))
    assert wire.alipay().user_id(CODE, now=NOW) == USER
    ((url, sent),) = wire.asked
    assert url == GATEWAY
    signed = sent.pop("sign")
    assert sent == {
        "app_id": "2021001",
        "method": "alipay.system.oauth.token",
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-03-10 12:00:00",  # Beijing's clock
        "version": "1.0",
        "grant_type": "authorization_code",
        "code": CODE,
    }
    text = (
        f"app_id=2021001&charset=utf-8&code={CODE}&format=JSON&grant_type=authorization_code"
        "&method=alipay.system.oauth.token&sign_type=RSA2&timestamp=2026-03-10 12:00:00&version=1.0"
    )
    key("app").public_key().verify(base64.b64decode(signed), text.encode(), PKCS1v15(), SHA256())


@pytest.mark.parametrize("said", [
    answer(NODE, sign=signature(json.dumps(NODE), "stranger")),
    answer(NODE, sign=""),
    answer(NODE, sign="not base64!"),
    answer(NODE | {"user_id": "2088000000000009"}, sign=signature(json.dumps(NODE))),
    json.dumps({"alipay_system_oauth_token_response": NODE}),
    # A signed object inside, another one outside: the text that was signed is not the one that is read.
    f'{{"note":{{"alipay_system_oauth_token_response":{json.dumps(NODE)}}},"alipay_system_oauth_token_response":'
    f'{json.dumps(NODE | {"user_id": "2088000000000009"})},"sign":"{signature(json.dumps(NODE))}"}}',
])  # fmt: skip
def test_with_alipays_key_only_alipay_is_believed(said: str) -> None:
    with pytest.raises(GatewayGarbled, match="signature"):
        Wire(said).alipay().user_id(CODE, now=NOW)


def test_without_alipays_key_tls_vouches() -> None:
    assert Wire(json.dumps({"alipay_system_oauth_token_response": NODE})).alipay(trusts=None).user_id(CODE, now=NOW)


def test_blanks_and_unicode_in_the_signed_text_are_kept() -> None:
    inner = '{ "user_id" : "2088102150477652", "nick":"\\u4e2d文" }'
    said = f'{{ "alipay_system_oauth_token_response" : {inner} , "sign" : "{signature(inner)}" }}'
    assert Wire(said).alipay().user_id(CODE, now=NOW) == USER


def test_alipays_refusal_is_told_by_its_codes() -> None:
    node = {"code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.code-invalid", "sub_msg": f"授权码 {CODE}"}
    with pytest.raises(GatewayRefused) as refused:
        Wire(answer(node, name="error_response")).alipay().user_id(CODE, now=NOW)
    assert str(refused.value) == "40002 isv.code-invalid"


@pytest.mark.parametrize("node", [
    {}, {"user_id": ""}, {"user_id": 2088102150477652.5}, {"user_id": f"{USER}1"}, {"user_id": f"1{USER[1:]}"},
    {"user_id": "\uff12088102150477652"}, {"user_id": [USER]}, {"alipay_user_id": USER}, {"open_id": "074a1CcTG1Lelx"},
])  # fmt: skip
def test_only_a_user_id_is_one(node: dict[str, Any]) -> None:
    with pytest.raises(GatewayGarbled):
        Wire(answer(node)).alipay().user_id(CODE, now=NOW)


@pytest.mark.parametrize("said", ["", "<html>", "[]", "null", '{"alipay_system_oauth_token_response":[]}', "{" * 9000])
def test_rubbish_is_rubbish(said: str) -> None:
    with pytest.raises(GatewayGarbled):
        Wire(said).alipay().user_id(CODE, now=NOW)


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_any_other_status_is_no_answer(status: int) -> None:
    with pytest.raises(GatewayUnreachable):
        Wire(answer(NODE), status).alipay().user_id(CODE, now=NOW)


@pytest.mark.parametrize(
    "said", [answer(NODE, sign="x"), answer({"user_id": USER + "0"}), "[]", answer({"open_id": USER})]
)
def test_no_error_and_no_repr_tells_the_code_or_who_it_was(said: str) -> None:
    alipay = Wire(said).alipay()
    with pytest.raises(GatewayError) as failed:
        alipay.user_id(CODE, now=NOW)
    told = f"{failed.value!r} {failed.value.__cause__!r} {alipay._app!r}"
    assert not [secret for secret in (CODE, USER, "PrivateKey") if secret in told]
