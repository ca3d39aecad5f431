"""Webhook signatures by Standard Webhooks, and why one does not fit."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HMAC_SECRET, PUBLIC_KEY = "whsec_", "whpk_"
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")
TOLERANCE = 300  # seconds: what the libraries for Standard Webhooks accept
MILLISECONDS = 10**11  # no timestamp in seconds is that great for three thousand years


def new_key_pair() -> tuple[bytes, str]:
    """An Ed25519 key: 32 private bytes, and the public half as receivers write it, `whpk_…`."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw(), PUBLIC_KEY + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def sign_v1a(private_key: bytes, event_id: str, timestamp: int, body: str) -> str:
    signature = Ed25519PrivateKey.from_private_bytes(private_key).sign(f"{event_id}.{timestamp}.{body}".encode())
    return "v1a," + base64.b64encode(signature).decode()


@dataclass(frozen=True)
class Verdict:
    """Whether a receiver would accept it; `reason` is one or two sentences for its developer."""

    ok: bool
    reason: str


def judge(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> Verdict:
    """Verify as a receiver does and, where that fails, find out why. `secret` is `whsec_…` or `whpk_…`."""
    given = {name.lower().strip(): value.strip() for name, value in headers.items()}
    if problem := _wrong_headers(given) or _wrong_secret(secret) or _wrong_prefix(given["webhook-signature"], secret):
        return Verdict(False, problem)
    if not _fits(given, body, secret):
        return Verdict(False, _why_not(given, body, secret))
    age = round(now.timestamp()) - int(given["webhook-timestamp"])
    if abs(age) > TOLERANCE:
        when = f"{age} s old" if age > 0 else f"{-age} s in the future"
        return Verdict(
            False,
            f"The signature is right, but its timestamp is {when}, and receivers allow {TOLERANCE} s. "
            "Either the receiver's clock is wrong, or this is an old request that was kept or replayed.",
        )
    return Verdict(True, "The signature is right.")


def _wrong_headers(given: Mapping[str, str]) -> str | None:
    if missing := [name for name in NAMES if not given.get(name)]:
        return (
            f"The header {' and '.join(missing)} is missing. A proxy or a framework may drop or rename headers; "
            "PHP shows them as HTTP_WEBHOOK_ID and so on."
        )
    timestamp = given["webhook-timestamp"]
    if not (timestamp.isascii() and timestamp.isdigit()):
        return "webhook-timestamp is no whole number of Unix seconds; it must be used exactly as it came."
    if len(timestamp) > 15 or int(timestamp) > MILLISECONDS:
        return "webhook-timestamp is in milliseconds; we send whole seconds, so something has changed it."
    return None


def _wrong_secret(secret: str) -> str | None:
    if secret.startswith("sk_"):
        return "This is an API key. The webhook secret begins with whsec_."
    if secret != secret.strip():
        return "The secret has blanks or a line end around it; remove them."
    prefix = next((one for one in (HMAC_SECRET, PUBLIC_KEY) if secret.startswith(one)), None)
    if prefix is None:
        return "The secret does not begin with whsec_ (or whpk_ for Ed25519); use it as it was shown."
    try:
        key = base64.b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error:
        return f"What follows {prefix} is not base64: the secret was cut off or changed when it was copied."
    if prefix == PUBLIC_KEY and len(key) != 32:
        return "This public key does not have 32 bytes: it was cut off when it was copied."
    return None


def _wrong_prefix(header: str, secret: str) -> str | None:
    wanted = "v1a" if secret.startswith(PUBLIC_KEY) else "v1"
    found = sorted({part.partition(",")[0] for part in header.split()})
    if wanted in found:
        return None
    if not set(found) & {"v1", "v1a"}:
        return "webhook-signature holds neither v1, nor v1a, : it is not as we sent it, or another service sent it."
    other = "webhook secret" if wanted == "v1a" else "public key"
    return (
        f"webhook-signature holds {' and '.join(found)}, but this secret checks {wanted}. Let the endpoint send "
        f"{wanted} too (its field `signatures`), or check with the {other}."
    )


def _fits(given: Mapping[str, str], body: bytes, secret: str) -> bool:
    text = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode() + body
    if secret.startswith(PUBLIC_KEY):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix(PUBLIC_KEY)))
        return any(_verifies(public, signature, text) for signature in _signatures(given, "v1a"))
    key = base64.b64decode(secret.removeprefix(HMAC_SECRET))
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest())
    return any(hmac.compare_digest(expected, signature.encode()) for signature in _signatures(given, "v1"))


def _signatures(given: Mapping[str, str], version: str) -> Sequence[str]:
    parts = (part.partition(",") for part in given["webhook-signature"].split())
    return [signature for name, _, signature in parts if name == version]


def _verifies(public: Ed25519PublicKey, signature: str, text: bytes) -> bool:
    try:
        public.verify(base64.b64decode(signature, validate=True), text)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _why_not(given: Mapping[str, str], body: bytes, secret: str) -> str:
    """Try what receivers do to bodies; what then fits is what was done to this one."""
    if not body:
        return "The body is empty: something has read it before. Keep the raw bytes and verify those."
    for words, other in (
        ("has blanks or line ends around it that we did not send", body.strip()),
        ("begins with a byte order mark that we did not send", body.removeprefix(b"\xef\xbb\xbf")),
        ("was decoded as Latin-1 on its way", _from_latin_1(body)),
        ("was parsed and written again", _as_we_write(body)),
    ):
        if other is not None and other != body and _fits(given, other, secret):
            return f"The secret is right, but the body {words}. Verify the raw bytes of the request."
    return (
        "The secret or the body is another one. Look whether the secret is that of the endpoint which was called "
        "(each has its own), whether it was rotated over a day ago, and whether anything changes bodies on the way."
    )


def _from_latin_1(body: bytes) -> bytes | None:
    try:
        return body.decode().encode("latin-1")
    except UnicodeError:
        return None


def _as_we_write(body: bytes) -> bytes | None:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
