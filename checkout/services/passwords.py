"""Passwords at rest: argon2id, made anew when its parameters have changed (safety.md S27)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from checkout.domain.passwords import normal

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A digest of nothing that anybody knows: an address without a password takes as long as one with.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$96juOj5vDEvnKzQHAj9ZYg$+7ohpAX08xDh4lU4vH63hfPo6npx0fESGVytvufD0hY"


def digest_of(password: str) -> str:
    return _HASHER.hash(normal(password))


def is_password(digest: str | None, password: str) -> bool:
    """Whether it is. Takes as long for None, which nobody's password is."""
    try:
        _HASHER.verify(digest or _NOBODYS, normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return digest is not None


def is_outdated(digest: str) -> bool:
    """It was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(digest)
