"""What pretend Alipay knows: the apps at its open platform, and the codes that it gave out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from .store import Store

TOKEN_PATH = "/alipay/gateway.do"  # noqa: S105 - where tokens are asked for, none itself
CODE_LIVES = timedelta(minutes=3)  # the shortest of the lives that Alipay documents


class Oddity(StrEnum):
    """What may happen to a shopper whom Alipay is asked about."""

    REFUSES = "refuses"  # comes back without a code
    WRONG_STATE = "wrong_state"  # comes back with another state
    STAYS = "stays"  # never comes back: an error page of Alipay's
    OPEN_ID_ONLY = "open_id_only"  # as newer apps have it: no user_id
    NO_SUCH_CODE = "no_such_code"  # the code has been used by somebody else
    FALSE_SIGNATURE = "false_signature"  # the answer was not signed by Alipay


@dataclass(frozen=True)
class AlipayApp:
    """An app of a merchant: its public key, and the one address that shoppers may come back to."""

    public_key: RSAPublicKey
    redirect_uri: str


@dataclass(frozen=True)
class Platform:
    """Apps by their id. With a key of its own it signs its answers."""

    apps: Mapping[str, AlipayApp]
    key: RSAPrivateKey | None = field(default=None, repr=False)


class Visits:
    """The shoppers whom Alipay was asked about, in the ledger's own file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def set_next(self, oddity: Oddity) -> None:
        """What happens to the next one. Several wait in line."""
        with self._store.writing() as db:
            db.execute("INSERT INTO alipay_script (oddity) VALUES (?)", (oddity,))

    def take_next(self) -> Oddity | None:
        with self._store.writing() as db:
            row = db.execute("SELECT * FROM alipay_script ORDER BY id LIMIT 1").fetchone()
            if row is None:
                return None
            db.execute("DELETE FROM alipay_script WHERE id = ?", (row["id"],))
            return Oddity(row["oddity"])

    def give_code(self, app_id: str, oddity: Oddity | None, now: datetime) -> str:
        """A code for a shopper of our invention."""
        code, user_id = secrets.token_hex(16), f"2088{secrets.randbelow(10**12):012d}"
        with self._store.writing() as db:
            row = (code, app_id, user_id, now.timestamp(), oddity)
            db.execute("INSERT INTO alipay_code (code, app_id, user_id, made_at, oddity) VALUES (?, ?, ?, ?, ?)", row)
        return code

    def take_code(self, code: str, app_id: str, now: datetime) -> tuple[str, Oddity | None] | None:
        """The user id behind a code, once, within its life, for the app that it was given to."""
        with self._store.writing() as db:
            taken = db.execute(
                """UPDATE alipay_code SET used = 1 WHERE code = ? AND app_id = ? AND used = 0 AND made_at > ?
                   RETURNING user_id, oddity""",
                (code, app_id, (now - CODE_LIVES).timestamp()),
            ).fetchall()
        return next(((row["user_id"], Oddity(row["oddity"]) if row["oddity"] else None) for row in taken), None)

    def user_ids(self) -> list[str]:
        """All that were ever told or could have been, oldest first: what a test searches logs and books for."""
        with self._store.reading() as db:
            return [row["user_id"] for row in db.execute("SELECT user_id FROM alipay_code ORDER BY rowid")]
