"""The register of checks: what a check is, and the two words that all of them are written with."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import JSON, ColumnElement, Executable, String, cast, func
from sqlalchemy.orm import InstrumentedAttribute, Session

Findings = Iterator[tuple[str, str]]
Check = Callable[[Session], Findings]
CHECKS: dict[str, Check] = {}

# Moments of one transaction may be read some time apart, and who waits for a lock writes down the earlier one.
CLOCKS_DIFFER = timedelta(seconds=60)


def invariant(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def each(db: Session, query: Executable, sentence: str) -> Findings:
    """One finding for each row: its first column is the subject, the others fill the sentence's gaps."""
    for subject, *gaps in db.execute(query):
        yield subject, sentence.format(*gaps)


def within(db: Session, column: InstrumentedAttribute[str], *path: str) -> ColumnElement[str]:
    """A value inside JSON text, as text, which the database digs out itself."""
    if db.get_bind().dialect.name == "sqlite":
        return cast(func.json_extract(column, "$." + ".".join(path)), String)
    return func.json_extract_path_text(cast(column, JSON), *path)
