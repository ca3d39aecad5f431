"""Alembic's way in: always on a connection that we give it, so that both databases take the same road."""

from typing import Any

from alembic import context

from checkout.crash_points import crash_point
from checkout.store import links, oversight, passkeys, people, searching, telling  # noqa: F401 - its tables too
from checkout.store.models import Base


def applied(**_: Any) -> None:
    crash_point("migration.applied")


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    on_version_apply=applied,
)
with context.begin_transaction():
    context.run_migrations()
crash_point("migration.before_commit")
connection.commit()
crash_point("migration.committed")
