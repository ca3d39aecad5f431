"""Alipay's RSA2: SHA256withRSA over sorted parameters, as its open platform signs calls and answers."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

PrivateKey: TypeAlias = RSAPrivateKey
PublicKey: TypeAlias = RSAPublicKey

SHORTEST_KEY = 2048  # bits; Alipay issues nothing shorter for RSA2
_ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")


def read_private_key(text: str) -> RSAPrivateKey:
    """A key as Alipay's tools write it: PKCS#1 or PKCS#8, PEM or its base64 alone. Raises ValueError."""
    try:
        key = load_der_private_key(_der(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is no RSA private key in PKCS#1 or PKCS#8") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SHORTEST_KEY:
        raise ValueError(f"must be an RSA key of at least {SHORTEST_KEY} bits")
    return key


def read_public_key(text: str) -> RSAPublicKey:
    """The key that Alipay shows for its own answers. Raises ValueError."""
    try:
        key = load_der_public_key(_der(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is no RSA public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < SHORTEST_KEY:
        raise ValueError(f"must be an RSA key of at least {SHORTEST_KEY} bits")
    return key


def _der(text: str) -> bytes:
    # Settings hold line ends as the two characters \n, because most platforms take one line only.
    bare = _ARMOUR.sub("", text.replace("\\n", "\n"))
    return base64.b64decode("".join(bare.split()), validate=True)


def sign(params: Mapping[str, str], key: RSAPrivateKey) -> str:
    """`sign` for a call: all parameters but itself and empty ones, sorted, raw, joined by &."""
    return base64.b64encode(key.sign(_text(params).encode(), PKCS1v15(), SHA256())).decode()


def verifies(said: bytes, signature: str, key: RSAPublicKey) -> bool:
    """Whether Alipay signed exactly these bytes of its answer."""
    try:
        key.verify(base64.b64decode(signature, validate=True), said, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _text(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "sign" and params[name])
