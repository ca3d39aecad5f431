"""API keys: how they look, how a mistyped one shows, and what each may do (safety.md S13)."""

import hashlib
import re
import secrets
import zlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from checkout.domain.ids import BASE62
from checkout.domain.orders import Strict, Text

PREFIX = "sk_"
RANDOM, CHECK = 43, 6  # characters of base62: 256 random bits, and a CRC-32
_OURS = re.compile(rf"({PREFIX}[0-9A-Za-z]{{{RANDOM}}})_([0-9A-Za-z]*)", re.ASCII)  # also with its end cut off
LOOKS_LIKE_A_KEY = re.compile(rf"{PREFIX}[0-9A-Za-z_-]{{40,}}", re.ASCII)


class Scope(StrEnum):
    """What a key may be used for; none contains another."""

    READ = "read"  # whatever changes nothing
    WRITE = "write"  # open and cancel sessions, send events again
    REFUNDS = "refunds"
    ADMIN = "admin"  # API keys and webhook endpoints


ALL_SCOPES = tuple(str(scope) for scope in Scope)


def _in_order(scopes: list[str]) -> list[str]:
    if len(set(scopes)) != len(scopes):
        raise PydanticCustomError("twice", "must name each scope once")
    return [scope for scope in ALL_SCOPES if scope in scopes]


class KeyWish(Strict):
    """The body of POST /v1/api-keys. `expires_in` is days; without it the key lives until it is revoked."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=100)]
    scopes: Annotated[
        list[Literal["read", "write", "refunds", "admin"]],
        Field(min_length=1, max_length=len(ALL_SCOPES), json_schema_extra={"uniqueItems": True}),
        AfterValidator(_in_order),
    ]
    expires_in: Annotated[int, Field(ge=1, le=3650)] | None = None


def new_api_key() -> str:
    random = PREFIX + "".join(secrets.choice(BASE62) for _ in range(RANDOM))
    return f"{random}_{_checksum(random)}"


def is_mistyped(key: str) -> bool:
    """Whether it was made by us and a character was lost or changed on its way here. Other keys cannot tell."""
    found = _OURS.fullmatch(key)
    return found is not None and _checksum(found[1]) != found[2]


def digest_of(key: str) -> str:
    """Keys have 256 random bits, so a fast digest is enough to store."""
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits
