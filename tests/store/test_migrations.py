"""Models and migrations tell the same story, on both databases."""

import re
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from checkout.store import links, oversight, passkeys, people, searching, telling  # noqa: F401 - its tables too
from checkout.store.migrating import alembic_config, newest, upgrade
from checkout.store.models import Base


def revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def shape(engine: Engine) -> dict[str, Any]:
    """Every table with its columns, keys and indexes, partial ones with their condition."""
    found = inspect(engine)
    return {
        table: (
            sorted(str({**column, "type": str(column["type"])}) for column in found.get_columns(table)),
            str(found.get_pk_constraint(table)),
            sorted(map(str, found.get_foreign_keys(table))),
            sorted(map(str, found.get_unique_constraints(table))),
            sorted(
                str({k: v for k, v in index.items() if k != "dialect_options"}) for index in found.get_indexes(table)
            ),
            sorted(_condition(index) for index in found.get_indexes(table)),
        )
        for table in sorted(found.get_table_names())
        if table != "alembic_version"
    }


def _condition(index: Any) -> str:
    options = index.get("dialect_options", {})
    text = next((str(value) for name, value in options.items() if name.endswith("_where")), "")
    return f"{index['name']} {re.sub(r'[()]', '', text)}"


def test_migrations_make_what_the_models_say(books: Engine) -> None:
    with books.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_make_the_same_tables_as_the_models_would(empty: Engine) -> None:
    """Also where Alembic does not look: conditions of partial indexes, order of key columns."""
    upgrade(empty)
    migrated = shape(empty)
    Base.metadata.drop_all(empty)
    Base.metadata.create_all(empty)
    assert migrated == shape(empty)
    assert "accepted" in str(migrated["payment"])


def test_upgrading_twice_is_harmless(empty: Engine) -> None:
    upgrade(empty)
    before = shape(empty)
    upgrade(empty)
    assert shape(empty) == before
    with empty.connect() as connection:
        assert revision(connection) == newest()


def test_an_empty_database_has_no_revision(empty: Engine) -> None:
    with empty.connect() as connection:
        assert revision(connection) is None


def test_migrations_are_one_line_without_branches() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert newest() == scripts.get_heads()[0]
