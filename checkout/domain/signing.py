"""Signatures as QFPay defines them (qfpay.md section 2) and as we give them to merchants (interface.md section 4)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

SignType = Literal["sha256", "md5"]


def canonical(params: Mapping[str, str | None]) -> str:
    """The text a request signature covers: sent parameters only, in ASCII byte order, values raw."""
    sent = {name: value for name, value in params.items() if value not in (None, "") and name != "sign"}
    return "&".join(f"{name}={sent[name]}" for name in sorted(sent, key=str.encode))


def sign_request(params: Mapping[str, str | None], client_key: str, sign_type: SignType) -> str:
    """Sign what is sent to QFPay: MD5 in upper, SHA256 in lower hex, as their samples do."""
    return sign_text(canonical(params), client_key, sign_type)


def sign_text(text: str, client_key: str, sign_type: SignType) -> str:
    """Sign a text that was joined elsewhere: a storefront link may be signed in more than one way."""
    return digest((text + client_key).encode(), sign_type)


def digest(signed: bytes, sign_type: SignType) -> str:
    """Hash what already ends with the key."""
    if sign_type == "md5":
        return hashlib.md5(signed).hexdigest().upper()  # QFPay's rule, not a choice
    return hashlib.sha256(signed).hexdigest()


def sign_notification(body: bytes, client_key: str) -> str:
    """Sign a notification: MD5 over the raw body and the key, whatever algorithm requests use."""
    return hashlib.md5(body + client_key.encode()).hexdigest().upper()  # QFPay's rule, not a choice


def matches(expected: str, given: str | None) -> bool:
    """Compare two hex signatures in constant time and without regard to case. Never raises."""
    given_bytes = (given or "").encode("utf-8", "replace")
    return hmac.compare_digest(expected.lower().encode(), given_bytes.lower())


def sign_return(webhook_secret: str, *, session_id: str, reference: str, status: str, timestamp: int) -> str:
    """Sign the way back to the shop. `webhook_secret` is `whsec_…`; `timestamp` is Unix seconds."""
    key = base64.b64decode(webhook_secret.removeprefix("whsec_"))
    text = f"{session_id}.{reference}.{status}.{timestamp}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
