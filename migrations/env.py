"""Alembic's way in: always on a connection that we give it, so that both databases take the same road."""

from alembic import context

from checkout.store import oversight  # noqa: F401 - its tables too
from checkout.store.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
