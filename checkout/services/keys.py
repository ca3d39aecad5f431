"""Idempotency keys: the first answer to a request, kept with its effect in one transaction."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import CheckoutError, KeyInUse, KeyReused
from checkout.services.forgetting import forget
from checkout.store import retrying
from checkout.store.models import IdempotencyKey

LOCK_TIMEOUT = "55P03"


class _KeyHeld(OperationalError):
    """Somebody else's transaction holds the key itself, and not just something that the request needs too."""


@dataclass(frozen=True)
class Answer:
    """What the merchant's API answers: the first time, and word for word each time after."""

    status_code: int
    body: str


@dataclass(frozen=True)
class Stamp:
    """A merchant's key, and a digest of what was asked under it."""

    merchant_id: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, merchant_id: str, key: str, asked: object) -> Self:
        """`asked` is the request as it was read, so that two spellings of one body are one."""
        return cls(merchant_id, key, hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest())


def once(db: Session, stamp: Stamp | None, effect: Callable[[], Answer], now: datetime) -> Answer:
    """Do it, keep the answer under the key, commit; or give the answer that the key has had.

    The unique key is the referee between two who ask at once. Raises KeyReused, KeyInUse, and
    whatever `effect` raises; then nothing was done. Without a key nobody can tell whether it was done
    when the answer of COMMIT is lost: the merchant is told so, and asks again or does it again.
    """
    try:
        return retrying.run(db, lambda: _do_once(db, stamp, effect, now), finds_itself=stamp is not None)
    except _KeyHeld:
        raise KeyInUse("the first request with this key is still running; try again in a second") from None


def _do_once(db: Session, stamp: Stamp | None, effect: Callable[[], Answer], now: datetime) -> Answer:
    if stamp and (first := first_answer(db, stamp)):
        return first
    try:
        answer = effect()
        if stamp:
            _remember(db, stamp, answer, now)
        crash_point("key.before_commit")
        db.commit()
        crash_point("key.committed")
    except (IntegrityError, CheckoutError):  # this key was used a moment ago, or the other one has taken what we wanted
        db.rollback()
        if stamp and (first := first_answer(db, stamp)):
            return first
        raise
    return answer


def first_answer(db: Session, stamp: Stamp) -> Answer | None:
    """What was answered under this key; None if nothing was yet. Raises KeyReused."""
    first = db.get(IdempotencyKey, (stamp.merchant_id, stamp.key), populate_existing=True)
    if first is None:
        return None
    if first.fingerprint != stamp.fingerprint:
        raise KeyReused("this Idempotency-Key stands for a request with another body; use a new key")
    return Answer(first.status_code, first.answer)


def _remember(db: Session, stamp: Stamp, answer: Answer, now: datetime) -> None:
    db.flush()  # what the effect has left: if that has to wait, it is not for the key
    db.add(
        IdempotencyKey(
            merchant_id=stamp.merchant_id,
            key=stamp.key,
            fingerprint=stamp.fingerprint,
            status_code=answer.status_code,
            answer=answer.body,
            created_at=now,
        )
    )
    try:
        db.flush()
    except OperationalError as error:
        if error.orig and getattr(error.orig, "sqlstate", None) == LOCK_TIMEOUT:
            raise _KeyHeld(error.statement, error.params, error.orig, hide_parameters=True) from error
        raise


def forget_keys(db: Session, before: datetime) -> None:
    """Drop first answers that are older than we promise to keep them, and commit (safety.md F57)."""
    forget(db, IdempotencyKey, IdempotencyKey.created_at < before)
