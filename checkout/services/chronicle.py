"""Who did what, when: a log that only grows, each row bound to the one before by a hash (safety.md I28, S43)."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from checkout.store.oversight import AuditEntry

log = logging.getLogger(__name__)

BEGINNING = "0" * 64  # what the first row names as the hash before it
THE_LOCK = 0x53414D50414E  # an advisory lock of PostgreSQL has a number for a name; nothing else of ours takes one

PAGE = 1000

OPERATOR, WORKER, ENVIRONMENT = "operator", "worker", "environment"
STRANGER = "stranger"  # who has not shown who they are

Detail = str | int | bool | None | Sequence[str]


def by_merchant(merchant_id: str) -> str:
    """The actor of what a merchant asked for with its API key."""
    return f"merchant/{merchant_id}"


def write_down(
    db: Session, *, actor: str, action: str, subject: str, details: Mapping[str, Detail], now: datetime
) -> None:
    """Append one entry in the caller's transaction, which commits it together with what it tells of.

    Call it late: from here to the commit nobody else can write one. Whoever locks a session or a merchant
    has done so before, so that the log is always the last lock and nobody waits in a circle. Never
    pass a secret, nor what a shopper or a merchant typed.
    """
    if db.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        db.execute(select(func.pg_advisory_xact_lock(THE_LOCK)))
    last = db.execute(select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).first()
    number, previous = (last[0] + 1, last[1]) if last else (1, BEGINNING)
    said: dict[str, Any] = {
        "id": number,
        "at": now,
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": dict(details),
        "previous": previous,
    }
    db.execute(insert(AuditEntry).values(**said, hash=_hash_of(said)))
    log.info("audit log: %s", action, extra={"entry": number, "actor": actor, "subject": subject})


def broken_links(db: Session) -> Iterator[tuple[str, str]]:
    """Each entry that was changed, or whose predecessor is not the one that it names, and what is wrong with it.

    What was cut off at the end leaves no trace in here: the lines that `write_down` logs tell how far it went.
    """
    number, hash_before = 0, BEGINNING
    while page := _page_after(db, number):
        for said in page:
            subject, hash_now = f"audit_log/{said['id']}", said.pop("hash")
            if hash_now != _hash_of(said):
                yield subject, "was changed after it was written: its hash is that of something else"
            if said["id"] != number + 1:
                yield subject, f"follows entry {number}: what stood between them is missing"
            elif said["previous"] != hash_before:
                yield subject, f"names another entry than {number} as the one before it"
            number, hash_before = said["id"], hash_now


def _page_after(db: Session, number: int) -> list[dict[str, Any]]:
    """As plain values: a log of years must not fill the memory, and a reading connection holds no cursor open."""
    rows = db.execute(select(AuditEntry.__table__).where(AuditEntry.id > number).order_by(AuditEntry.id).limit(PAGE))
    return [dict(row) for row in rows.mappings()]


def _hash_of(said: Mapping[str, Any]) -> str:
    """Over every field but the hash itself, in one spelling that both databases give back letter for letter."""
    spelled = {**said, "at": said["at"].astimezone(UTC).isoformat(timespec="microseconds")}
    return hashlib.sha256(json.dumps(spelled, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
