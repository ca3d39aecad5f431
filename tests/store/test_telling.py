"""A shop that was there before keys and endpoints had tables of their own notices nothing of the change."""

from datetime import UTC, datetime
from typing import Any

from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from checkout.domain.api_keys import ALL_SCOPES, Scope, digest_of
from checkout.services.api_keys import holder_of
from checkout.services.hearers import hearers_of, wants
from checkout.store.migrating import alembic_config, upgrade
from checkout.store.models import Merchant

NOON = datetime(2026, 3, 10, 4, tzinfo=UTC)
KEY = "sk_as-it-was-made-before"


def migrate(engine: Engine, step: str, revision: str) -> None:
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, step)(config, revision)


def as_before(digest: str) -> dict[str, Any]:
    return {"id": "m_ABCDEFGHIJKLMNOPQRSTUV", "digest": digest, "sealed": b"x", "now": NOON.replace(tzinfo=None)}


def test_the_key_and_the_endpoint_of_old_go_on(empty: Engine) -> None:
    migrate(empty, "upgrade", "0003")
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO merchant (id, name, app_code, client_key_sealed, base_url, sign_type, wallets,"
                " return_origins, options, api_key_digest, webhook_url, webhook_secret_sealed, from_environment,"
                " created_at)"
                " VALUES (:id, 'Bo', 'APP1', :sealed, 'https://a.example', 'sha256', '[]', '[]', '{}', :digest,"
                " 'https://bo.example/hook', :sealed, FALSE, :now)"
            ),
            as_before(digest_of(KEY)),
        )
    upgrade(empty)
    with Session(empty) as db:
        for scope in Scope:
            holder = holder_of(db, KEY, scope, NOON)
        assert (holder.key.id, holder.key.main) == ("key_ABCDEFGHIJKLMNOPQRSTUV", True)
        assert tuple(holder.key.scopes) == ALL_SCOPES
        [first] = hearers_of(db, holder.merchant.id)
        assert isinstance(first, Merchant)
        assert (first.webhook_types, first.webhook_signatures, first.webhook_off_at) == ([], ["v1"], None)
        assert wants(first, "checkout_session.paid")
    migrate(empty, "downgrade", "0003")
    upgrade(empty)
    with Session(empty) as db:
        assert holder_of(db, KEY, Scope.ADMIN, NOON).merchant.name == "Bo"
