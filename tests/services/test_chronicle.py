"""The audit log: every entry holds the hash of the one before, on both databases, whoever writes at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.services import chronicle
from checkout.services.chronicle import BEGINNING, PAGE, broken_links, write_down
from checkout.store.engine import make_engine, reading_engine, writing_sessions
from checkout.store.oversight import AuditEntry
from tests.stories.conftest import database_url, empty_books

__all__ = ["database_url", "empty_books"]

NOON = datetime(2026, 3, 10, 4, 0, 0, 123456, tzinfo=UTC)
WRITERS, EACH = 8, 12


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def note(db: Session, action: str = "looked", *, now: datetime = NOON, **details: chronicle.Detail) -> None:
    write_down(db, actor="operator", action=action, subject="cs_1", details=details, now=now)


def wrong(engine: Engine) -> list[str]:
    """As `flask audit` would see it: over a connection that only reads."""
    with Session(reading_engine(engine)) as db:
        return [f"{subject} {words}" for subject, words in broken_links(db)]


@pytest.fixture
def written(engine: Engine) -> Engine:
    """Five entries in a row."""
    with writing_sessions(engine)() as db:
        for number in range(5):
            note(db, f"step {number}", now=NOON + timedelta(seconds=number), amount=number, reason="茶 was cold")
        db.commit()
    return engine


def test_each_entry_holds_the_hash_of_the_one_before(written: Engine) -> None:
    with writing_sessions(written)() as db:
        entries = list(db.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert [entry.id for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [BEGINNING, *(entry.hash for entry in entries[:-1])]
    assert (entries[1].at, entries[1].details) == (NOON + timedelta(seconds=1), {"amount": 1, "reason": "茶 was cold"})
    assert wrong(written) == []


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit_log SET at = '2026-03-10 04:00:09' WHERE id = 3",
        "UPDATE audit_log SET actor = 'nobody' WHERE id = 3",
        "UPDATE audit_log SET action = 'slept' WHERE id = 3",
        "UPDATE audit_log SET subject = 'cs_2' WHERE id = 3",
        """UPDATE audit_log SET details = '{"amount": 9}' WHERE id = 3""",
        "UPDATE audit_log SET previous = 'x' WHERE id = 3",
        "UPDATE audit_log SET hash = 'x' WHERE id = 3",
    ],
    ids=["at", "actor", "action", "subject", "details", "previous", "hash"],
)
def test_an_entry_that_was_edited_is_named(written: Engine, edit: str) -> None:
    with written.begin() as connection:
        connection.execute(text(edit))
    assert any(found.startswith("audit_log/3 was changed") for found in wrong(written))


@pytest.mark.parametrize("number", [1, 3])
def test_an_entry_that_was_taken_out_is_missed(written: Engine, number: int) -> None:
    with written.begin() as connection:
        connection.execute(text("DELETE FROM audit_log WHERE id = :id"), {"id": number})
    assert wrong(written) == [f"audit_log/{number + 1} follows entry {number - 1}: what stood between them is missing"]


def test_an_entry_with_a_hash_of_its_own_does_not_fit_what_follows(written: Engine) -> None:
    """Whoever rewrites one entry, hash and all, must rewrite every later one too."""
    with written.begin() as connection:
        row = dict(connection.execute(select(AuditEntry.__table__).where(AuditEntry.id == 3)).mappings().one())
        row.pop("hash")
        row["actor"] = "nobody"
        connection.execute(
            text("UPDATE audit_log SET actor = 'nobody', hash = :hash WHERE id = 3"), {"hash": chronicle._hash_of(row)}
        )
    assert wrong(written) == ["audit_log/4 names another entry than 3 as the one before it"]


def test_what_is_undone_was_never_written_down(engine: Engine) -> None:
    with writing_sessions(engine)() as db:
        note(db, "thought better of it")
        db.rollback()
        note(db, "did it")
        db.commit()
        assert [entry.action for entry in db.scalars(select(AuditEntry))] == ["did it"]
    assert wrong(engine) == []


def test_many_writers_at_once_make_one_chain(engine: Engine) -> None:
    sessions = writing_sessions(engine)

    def write(writer: int) -> None:
        for number in range(EACH):
            with sessions() as db:
                note(db, f"writer {writer}", number=number)
                db.commit()

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
    with sessions() as db:
        assert list(db.scalars(select(AuditEntry.id).order_by(AuditEntry.id))) == list(range(1, WRITERS * EACH + 1))
    assert wrong(engine) == []


def test_a_writer_that_takes_no_lock_cannot_fork_the_chain(written: Engine) -> None:
    with writing_sessions(written)() as db:
        last = db.get_one(AuditEntry, 5)
        fork = {"at": NOON, "actor": "x", "action": "x", "subject": "x", "details": {}, "hash": "y"}
        db.add(AuditEntry(id=9, previous=last.previous, **fork))
        with pytest.raises(IntegrityError):
            db.flush()


def test_a_log_longer_than_a_page_is_read_to_its_end(engine: Engine) -> None:
    with writing_sessions(engine)() as db:
        for number in range(PAGE + 5):
            note(db, f"step {number}")
        db.commit()
    assert wrong(engine) == []
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_log SET action = 'slept' WHERE id = :id"), {"id": PAGE + 4})
    assert [found.split()[0] for found in wrong(engine)] == [f"audit_log/{PAGE + 4}"]


def test_the_empty_log_is_whole(engine: Engine) -> None:
    assert wrong(engine) == []
