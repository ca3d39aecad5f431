"""Secrets at rest: AES-GCM under keys from SECRET_KEY, each bound to the row it belongs to (safety.md S15)."""

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class CannotOpen(Exception):
    """No key of SECRET_KEY opens this: the setting changed, or the bytes belong to another row."""


class Vault:
    """The first key seals, all of them open: rotation is putting a new key in front."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a vault needs at least one key")
        # One purpose, one key: the same SECRET_KEY signs cookies elsewhere.
        self._keys = [AESGCM(hashlib.sha256(b"sampan.vault.v1\0" + key.encode()).digest()) for key in keys]

    def seal(self, secret: bytes, *, owner: str) -> bytes:
        """Encrypt for one owner, such as `merchant/m_1/client_key`; nobody else's row can open it."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """Raises CannotOpen."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
            except (InvalidTag, ValueError):  # ValueError: too short to be sealed by anybody
                continue
        raise CannotOpen(owner)
