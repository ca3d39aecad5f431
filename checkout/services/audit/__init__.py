"""The invariants of safety.md section 2 as queries over the books: each returns the rows that break it.

Silent on healthy books at any instant, also while processes work and after any of them was killed:
every check looks at what one transaction writes together, and all of them look at one snapshot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from checkout.domain.vault import Vault
from checkout.services.audit import endings, evidence, matters, news, owners, payments, refunds
from checkout.services.audit.register import CHECKS
from checkout.store.engine import READ_ONLY

__all__ = ["CHECKS", "ELSEWHERE", "THEMES", "Violation", "audit", "names", "open_matters"]

THEMES = (payments, endings, evidence, news, owners, refunds)  # each puts its checks into the register

# What no row can show, and where it is shown instead.
ELSEWHERE = {
    "I21": "one merchant's trouble delays no other's: tests/hostile/test_lanes.py, bench/results.md",
    "I24": "no call inside a transaction: tests/hostile/test_nothing_open.py",
    "I27": "the database's clock decides: tests/store/test_clock.py",
    "I29": "the gateway's books and ours: tests/stories/test_reconcile.py; what differs is counted below",
}


@dataclass(frozen=True)
class Violation:
    invariant: str
    subject: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def names() -> list[str]:
    return sorted(CHECKS, key=lambda name: int(name.removeprefix("I")))


def audit(db: Session, vault: Vault | None = None) -> list[Violation]:
    """Every violation in the books as they stood at one instant; an empty list is the proof.

    Reads only, and takes as long as it takes. What `db` has not committed is rolled back, for it is not in the
    books. With the vault every kept word of the gateway is opened too, and compared with its digest.
    """
    with _one_instant(db):
        found = [Violation(name, subject, said) for name in names() for subject, said in CHECKS[name](db)]
        if vault is not None:
            found += [Violation("I26", subject, said) for subject, said in evidence.unreadable_words(db, vault)]
        return found


def open_matters(db: Session, now: datetime) -> dict[str, int]:
    """What breaks no invariant and still waits for a person, counted: no line for what is not there."""
    with _one_instant(db):
        return matters.count(db, now)


@contextmanager
def _one_instant(db: Session) -> Iterator[None]:
    """Two tables read at two moments would tell of differences that never were."""
    db.rollback()
    try:
        if db.get_bind().dialect.name == "sqlite":
            db.connection(execution_options=READ_ONLY)
        else:
            db.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
            for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                db.execute(text(f"SET LOCAL {limit} = 0"))
        yield
    finally:
        db.rollback()
