"""Models and migrations tell the same story, on both databases."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, bindparam, inspect, text
from sqlalchemy.orm import Session

from checkout.domain.roles import StaffRole
from checkout.store import links, oversight, passkeys, people, searching, telling  # noqa: F401 - its tables too
from checkout.store.migrating import alembic_config, newest, upgrade
from checkout.store.models import Base
from checkout.store.types import Moment


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


def migrate(engine: Engine, step: str, revision: str) -> None:
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, step)(config, revision)


THEN = datetime(2026, 3, 3, 12, tzinfo=UTC)
PEOPLE = {"pe_in": "a digest", "pe_one": None, "pe_two": None, "pe_moved": None, "pe_late": None}
# Whose, which shop's, and the day of March on which.
MEMBERS = [
    ("pe_in", "m_a", 3), ("pe_in", "m_b", 3), ("pe_one", "m_a", 3), ("pe_two", "m_a", 3), ("pe_two", "m_b", 4),
    ("pe_moved", "m_b", 4), ("pe_late", "m_b", 4),
]  # fmt: skip
LINKS = [("pe_in", 3), ("pe_one", 3), ("pe_two", 3), ("pe_moved", 3), ("pe_late", 5)]


def people_of_old(connection: Connection) -> None:
    def put(table: str, **row: Any) -> None:
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        typed = [bindparam(name, type_=Moment()) for name in row if name.endswith("_at")]
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})").bindparams(*typed), row)  # noqa: S608 - ours

    for shop in ("m_a", "m_b"):
        put("merchant", id=shop, name=shop, app_code=shop, client_key_sealed=b"", base_url="", sign_type="sha256",
            wallets="[]", return_origins="[]", options="{}", from_environment=False,
            api_key_digest=shop, webhook_secret_sealed=b"", created_at=THEN)  # fmt: skip
    for person, digest in PEOPLE.items():
        put("person", id=person, email=person, password_digest=digest, totp_step=0, created_at=THEN)
    for person, shop, day in MEMBERS:
        put("membership", person_id=person, merchant_id=shop, role="owner", created_at=THEN.replace(day=day))
    for person, day in LINKS:
        made = THEN.replace(day=day)
        put("invitation", digest=f"link of {person}", person_id=person, created_at=made,
            ends_at=made + timedelta(days=7))  # fmt: skip


def test_who_has_arrived_stays_and_a_link_is_the_shops_that_made_it(empty: Engine) -> None:
    migrate(empty, "upgrade", "0010")
    with empty.begin() as connection:
        people_of_old(connection)
    upgrade(empty)
    with Session(empty) as db:
        assert {(one.person_id, one.merchant_id) for one in db.query(people.Membership)} == {
            ("pe_in", "m_a"), ("pe_in", "m_b"),
        }  # fmt: skip
        links = {one.digest: one for one in db.query(people.Invitation)}
        for person, shop in (("pe_in", None), ("pe_one", "m_a"), ("pe_late", "m_b")):
            kept = links.pop(f"link of {person}")
            assert (kept.merchant_id, kept.role) == (shop, StaffRole.OWNER if shop else None)
        assert all(one.ends_at <= THEN.replace(day=4) for one in links.values()), "a link that several may have made"
        assert {(one.person_id, one.merchant_id) for one in links.values()} == {
            ("pe_two", "m_a"), ("pe_two", "m_b"), ("pe_moved", "m_b"),
        }  # fmt: skip
    migrate(empty, "downgrade", "0010")
    with empty.connect() as connection:
        assert connection.scalars(text("SELECT digest FROM invitation")).all() == ["link of pe_in"]
        assert connection.scalar(text("SELECT count(*) FROM membership")) == 2
    upgrade(empty)
