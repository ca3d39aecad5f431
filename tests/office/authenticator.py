"""An authenticator in software, as honest or dishonest as a test wants it: P-256 keys, no attestation."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN, SITE = "https://pay.sampan.example", "pay.sampan.example"
PRESENT, VERIFIED, BRINGS_A_KEY = 1, 4, 64


def text_of(some: bytes) -> str:
    return urlsafe_b64encode(some).decode().rstrip("=")


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")


@dataclass
class Key:
    """One passkey as its authenticator keeps it."""

    handle: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    secret: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    uses: int = 0

    def as_cose(self) -> bytes:
        point = self.secret.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})


@dataclass
class Lie:
    """What a dishonest one says instead. The honest values stand here."""

    origin: str = ORIGIN
    site: str = SITE
    flags: int = PRESENT | VERIFIED
    kind: str = ""
    challenge: str = ""
    framed: bool = False
    handle: str | None = ""
    id: bytes = b""
    alias: bytes = b""
    secret: ec.EllipticCurvePrivateKey | None = None
    step: int = 1
    spoil: str = ""


class Authenticator:
    """`makes` and `uses` answer what the site asks, as the page's script would send it."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def makes(self, options: dict[str, Any], lie: Lie | None = None) -> str:
        lie = lie or Lie()
        assert options["rp"]["id"] == SITE
        assert options["authenticatorSelection"]["userVerification"] == "required"
        key = Key(options["user"]["id"], id=lie.id or secrets.token_bytes(32))
        self.keys.append(key)
        attested = bytes(16) + len(key.id).to_bytes(2, "big") + key.id + key.as_cose()
        said = self._data(lie, lie.flags | BRINGS_A_KEY, 0) + attested
        whole = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": said})
        client = self._client(lie, "webauthn.create", options["challenge"])
        response = {"clientDataJSON": client, "attestationObject": whole}
        return self._spelled(lie.alias or key.id, response, lie.spoil, transports=["internal", "hybrid", "of-tomorrow"])

    def uses(self, options: dict[str, Any], lie: Lie | None = None) -> str:
        lie, key = lie or Lie(), self.keys[-1]
        assert options["rpId"] == SITE
        assert options["userVerification"] == "required"
        key.uses += lie.step
        data = self._data(lie, lie.flags, key.uses)
        client = self._client(lie, "webauthn.get", options["challenge"])
        signed = (lie.secret or key.secret).sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {"clientDataJSON": client, "authenticatorData": data, "signature": signed}
        handle = key.handle if lie.handle == "" else lie.handle
        return self._spelled(lie.id or key.id, response, lie.spoil, **({"userHandle": handle} if handle else {}))

    def _data(self, lie: Lie, flags: int, uses: int) -> bytes:
        return hashlib.sha256(lie.site.encode()).digest() + bytes([flags]) + uses.to_bytes(4, "big")

    def _client(self, lie: Lie, kind: str, challenge: str) -> bytes:
        said = {"type": lie.kind or kind, "challenge": lie.challenge or challenge, "origin": lie.origin}
        return json.dumps(said | {"crossOrigin": lie.framed}).encode()

    def _spelled(self, name: bytes, response: dict[str, bytes], spoil: str, **more: Any) -> str:
        if spoil:  # one bit of one part, after it was signed
            last = response[spoil][-1:]
            response[spoil] = response[spoil][:-1] + bytes([last[0] ^ 1])
        spelled = {part: text_of(some) for part, some in response.items()}
        return json.dumps(
            {"id": text_of(name), "rawId": text_of(name), "type": "public-key", "response": spelled | more}
        )
