"""Alipay's OAuth in our words: where a shopper is asked, and whom Alipay says it was (qfpay.md 3.7)."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from checkout.domain import rsa2
from checkout.domain.errors import GatewayGarbled, GatewayRefused, GatewayUnreachable
from checkout.gateway.fields import txdtm
from checkout.gateway.records import Fields, read_json, text
from checkout.gateway.transport import SentNothing, SentUnanswered, Transport

SILENT = "auth_base"  # tells who it is, and asks the shopper nothing
SECONDS = 5.0  # of a shopper who sees an empty screen meanwhile
METHOD = "alipay.system.oauth.token"
_ANSWER, _REFUSAL = "alipay_system_oauth_token_response", "error_response"
_USER_ID = re.compile(r"2088[0-9]{12}", re.ASCII)


@dataclass(frozen=True)
class App:
    """An app at Alipay's open platform. Without `alipay_key`, Alipay's own, TLS alone vouches for its answers."""

    app_id: str
    key: rsa2.PrivateKey = field(repr=False)
    auth_url: str
    gateway_url: str
    alipay_key: rsa2.PublicKey | None = field(default=None, repr=False)


class Alipay:
    """One app's door to Alipay. Nothing here writes a user id or a code into a log, an error or a repr."""

    def __init__(self, app: App, transport: Transport) -> None:
        self._app = app
        self._transport = transport

    @property
    def app_id(self) -> str:
        return self._app.app_id

    def authorise_url(self, *, redirect_uri: str, state: str) -> str:
        """Where the shopper's browser goes, and comes back from without having noticed."""
        asked = {"app_id": self._app.app_id, "scope": SILENT, "redirect_uri": redirect_uri, "state": state}
        return f"{self._app.auth_url}{'&' if '?' in self._app.auth_url else '?'}{urlencode(asked)}"

    def user_id(self, auth_code: str, *, now: datetime) -> str:
        """Exchange a code, which works once, for the 2088… number that QFPay calls `openid`.

        Raises GatewayUnreachable, GatewayGarbled, or GatewayRefused with Alipay's own code.
        """
        params = {
            "app_id": self._app.app_id,
            "method": METHOD,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": txdtm(now),  # Beijing's clock is Hong Kong's
            "version": "1.0",
            "grant_type": "authorization_code",
            "code": auth_code,
        }
        params["sign"] = rsa2.sign(params, self._app.key)
        try:
            answer = self._transport.post(self._app.gateway_url, params, {}, seconds=SECONDS)
        except (SentNothing, SentUnanswered) as fault:
            raise GatewayUnreachable(str(fault)) from fault
        if answer.status != 200:
            raise GatewayUnreachable(f"http {answer.status}")
        return self._read(answer.body)

    def _read(self, body: bytes) -> str:
        said = read_json(body)
        if isinstance(refusal := said.get(_REFUSAL), dict):
            raise GatewayRefused(text(refusal, "code") or "none", _harmless(text(refusal, "sub_code")))
        told = said.get(_ANSWER)
        if not isinstance(told, dict):
            raise GatewayGarbled("Alipay's answer tells no user")
        key = self._app.alipay_key
        if key and not rsa2.verifies(_raw(body.decode("utf-8-sig"), _ANSWER, told), text(said, "sign"), key):
            raise GatewayGarbled("the signature of Alipay's answer does not fit")
        # `alipay_user_id` is an older number of another form, `open_id` a newer one: QFPay knows neither.
        found = text(told, "user_id")
        if not _USER_ID.fullmatch(found):
            newer = bool(text(told, "open_id"))
            raise GatewayGarbled("Alipay tells only its open_id" if newer else "Alipay's answer tells no user_id")
        return found


def _harmless(sub_code: str) -> str:
    return sub_code if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sub_code, re.ASCII) else ""


def _raw(source: str, name: str, told: Fields) -> bytes:
    """The object under this name as it was written, since the text is what Alipay signs; empty if it means another."""
    start = source.index("{", source.index(f'"{name}"'))
    read, end = json.JSONDecoder().raw_decode(source, start)
    return source[start:end].encode() if read == told else b""
