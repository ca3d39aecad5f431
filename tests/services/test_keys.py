"""What the database says while a key is in use by somebody else, and what it says of itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from checkout.domain.errors import KeyInUse
from checkout.services.forgetting import AT_ONCE
from checkout.services.keys import LOCK_TIMEOUT, Answer, Stamp, forget_keys, once
from checkout.store.engine import make_engine, writing_sessions
from checkout.store.models import Budget, IdempotencyKey
from tests.store.test_moves import a_merchant
from tests.stories.cast import NOON
from tests.stories.conftest import empty_books

__all__ = ["empty_books"]

STAMP = Stamp.of("m_1", "k-1", {"amount": 8800})


@pytest.fixture
def db(empty_books: Path, tmp_path: Path) -> Iterator[Session]:
    copy = tmp_path / "books.db"
    copy.write_bytes(empty_books.read_bytes())
    engine = make_engine(f"sqlite:///{copy}")
    with writing_sessions(engine)() as session:
        yield session
    engine.dispose()


class Told(Exception):
    """As PostgreSQL refuses a statement: its driver names the reason in `sqlstate`."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("statement", "sqlstate", "raised"),
    [
        ("INSERT INTO idempotency", LOCK_TIMEOUT, KeyInUse),  # somebody else's transaction holds the key
        ("INSERT INTO idempotency", "53300", OperationalError),  # the database is in trouble: no matter of keys
        ("INSERT INTO budget", LOCK_TIMEOUT, OperationalError),  # held is what the request needs beside its key
    ],
)
def test_only_a_key_that_somebody_holds_is_in_use(
    db: Session, statement: str, sqlstate: str, raised: type[Exception]
) -> None:
    def refuses(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.startswith(statement):
            raise OperationalError(text, {}, Told(sqlstate))

    def effect() -> Answer:
        db.add(Budget(credential="host/APP1", tokens=1, filled_at=NOON))
        return Answer(201, "{}")

    event.listen(db.get_bind(), "before_cursor_execute", refuses)
    with pytest.raises(raised, match="still running; try again" if raised is KeyInUse else None):
        once(db, STAMP, effect, NOON)
    db.rollback()
    assert [*db.scalars(select(IdempotencyKey)), *db.scalars(select(Budget))] == []


def test_old_keys_are_forgotten_however_many_they_are_and_young_ones_are_kept(db: Session) -> None:
    merchant, before = a_merchant(db), NOON - timedelta(days=7)
    ages = [before - timedelta(seconds=1)] * (2 * AT_ONCE + 1) + [before, NOON]
    rows = [
        {
            "merchant_id": merchant.id, "key": f"k-{number}", "fingerprint": "f", "status_code": 201, "answer": "{}",
            "created_at": created_at,
        }
        for number, created_at in enumerate(ages)
    ]  # fmt: skip
    db.execute(insert(IdempotencyKey), rows)
    db.commit()
    forget_keys(db, before)
    assert db.scalar(select(func.count()).select_from(IdempotencyKey)) == 2
    assert set(db.scalars(select(IdempotencyKey.created_at))) == {before, NOON}


def test_old_keys_are_forgotten_a_thousand_at_a_time(db: Session) -> None:
    empty = {"merchant_id": a_merchant(db).id, "fingerprint": "f", "status_code": 201, "answer": "{}"}
    old = [empty | {"key": f"k-{number}", "created_at": NOON} for number in range(2 * AT_ONCE + 1)]
    db.execute(insert(IdempotencyKey), old)
    db.commit()
    left: list[int] = []

    @event.listens_for(db, "after_commit")
    def _(_session: Session) -> None:
        with db.get_bind().engine.connect() as other:  # another connection sees what is committed, and no more
            left.append(other.scalar(select(func.count()).select_from(IdempotencyKey)) or 0)

    forget_keys(db, NOON + timedelta(hours=1))
    assert left == [AT_ONCE + 1, 1, 0]
