"""Dropping rows that have served: so many at a time that no statement runs into its time-out."""

from sqlalchemy import ColumnElement, delete, inspect, select, tuple_
from sqlalchemy.orm import Session

from checkout.store.models import Base

AT_ONCE = 1000


def forget(db: Session, table: type[Base], old: ColumnElement[bool]) -> None:
    """Delete all rows that are old, and commit after each thousand."""
    key = inspect(table).primary_key
    some = select(*key).where(old).limit(AT_ONCE).with_for_update(skip_locked=True)  # another worker forgets those
    forgetting = delete(table).where(tuple_(*key).in_(some)).returning(key[0])
    forgotten = AT_ONCE
    while forgotten == AT_ONCE:
        forgotten = len(db.execute(forgetting.execution_options(synchronize_session=False)).all())
        db.commit()
