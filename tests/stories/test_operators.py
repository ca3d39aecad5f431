"""What operators type and platforms ask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app import create_app
from checkout.services.merchants import Introduction
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from config import Config
from tests.stories.cast import GATEWAY, Inbox, Merchant, Shopper, World


def run(world: World, *words: str) -> Any:
    return world.app.test_cli_runner().invoke(args=list(words))


def own_id(world: World) -> str:
    with world.parts.sessions() as db:
        return str(db.scalar(select(MerchantRow.id).where(MerchantRow.from_environment)))


def test_a_merchant_is_added_and_told_its_keys_once(world: World) -> None:
    result = run(
        world, "merchant", "add", "--name", "Bo", "--app-code", "A", "--client-key", "K", "--json",
        "--wallet", "alipay", "--return-origin", "https://shop.example", "--webhook-url", "https://shop.example/hook",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert set(told) == {"merchant_id", "api_key", "webhook_secret", "notify_url"}
    assert told["notify_url"] == f"https://pay.sampan.example/notify/{told['merchant_id']}"
    with world.parts.sessions() as db:
        row = db.get_one(MerchantRow, told["merchant_id"])
        stored = f"{vars(row)}"
    assert (row.wallets, row.return_origins, row.base_url) == (
        ["alipay"],
        ["https://shop.example"],
        "https://openapi-hk.qfapi.com",
    )
    assert told["api_key"] not in stored
    assert told["webhook_secret"] not in stored


@pytest.mark.parametrize(
    ("option", "value"),
    [("--wallet", "paypal"), ("--wallet", "alipay_hk:USD"), ("--wallet", ["alipay", "alipay"]),
     ("--wallet", ["alipay:HKD", "alipay_hk", "alipay:USD"]), ("--return-origin", "https://shop.example/path"),
     ("--base-url", "gopher://x"), ("--webhook-url", "not a url"), ("--mchid", "x" * 17), ("--name", " ")],
)  # fmt: skip
def test_a_wrong_word_is_named(world: World, option: str, value: str | list[str]) -> None:
    words = {"--name": "Bo", "--app-code": "A", "--client-key": "K"} | {option: value}
    given = [(name, one) for name, told in words.items() for one in ([told] if isinstance(told, str) else told)]
    result = run(world, "merchant", "add", *[word for pair in given for word in pair])
    assert result.exit_code != 0
    assert option in result.output
    with world.parts.sessions() as db:
        assert db.execute(text("SELECT count(*) FROM merchant")).scalar() == 0


def test_what_only_the_books_can_tell_about_the_settings_ends_the_release_with_a_sentence(
    make_world: Callable[..., World],
) -> None:
    settings = {"QFPAY_APP_CODE": "APP1", "QFPAY_CLIENT_KEY": "key-of-APP1", "MERCHANT_API_KEY": "sk_of_bo"}
    assert run(make_world(**settings), "db", "upgrade").exit_code == 0
    taken = "https://shop.example/second"
    bo = Merchant(make_world(), Introduction(own_id(make_world()), "sk_of_bo", "", ""), Inbox())
    assert bo.api("POST", "/v1/webhook-endpoints", {"url": taken}).status_code == 201

    refused = run(make_world(**settings, MERCHANT_WEBHOOK_URL=taken), "db", "upgrade")
    told = "Set MERCHANT_WEBHOOK_URL to another address: it is the address of another endpoint of this merchant."
    assert (refused.exit_code, refused.output) == (1, f"Error: {told}\n")


def test_a_key_of_somebody_else_ends_the_release_with_a_sentence(make_world: Callable[..., World]) -> None:
    cy = make_world().merchant("Cy")
    settings = {"QFPAY_APP_CODE": "APP9", "QFPAY_CLIENT_KEY": "key", "MERCHANT_API_KEY": cy.told.api_key}
    refused = run(make_world(**settings), "db", "upgrade")
    told = "Set MERCHANT_API_KEY to another key: this API key is in use by another merchant."
    assert (refused.exit_code, refused.output) == (1, f"Error: {told}\n")
    assert cy.api("GET", "/v1/checkout-sessions").status_code == 200


def test_credentials_are_checked_by_a_signed_question(world: World, bo: Merchant) -> None:
    good = run(world, "merchant", "check", bo.told.merchant_id)
    assert (good.exit_code, "work" in good.output) == (0, True)
    added = run(
        world, "merchant", "add", "--name", "X", "--app-code", "APP1", "--client-key", "wrong",
        "--base-url", GATEWAY, "--json",
    )  # fmt: skip
    bad = run(world, "merchant", "check", json.loads(added.stdout)["merchant_id"])
    assert bad.exit_code == 1
    assert "1108" in bad.output
    assert run(world, "merchant", "check", "m_nobody").exit_code == 1


@pytest.mark.parametrize("words", [["rotate-secret"], ["replace-key"], ["enable-webhook"]])
def test_a_merchant_that_is_not_there_is_said_to_be_not_there(world: World, words: list[str]) -> None:
    result = run(world, "merchant", *words, "m_nobody")
    assert (result.exit_code, result.output) == (1, "Error: There is no merchant m_nobody.\n")


def test_new_keys_are_printed_for_people_too(world: World, bo: Merchant) -> None:
    assert "api_key         sk_" in run(world, "merchant", "replace-key", bo.told.merchant_id).output
    assert "webhook_secret  whsec_" in run(world, "merchant", "rotate-secret", bo.told.merchant_id).output


def test_a_webhook_without_an_address_cannot_be_enabled(world: World) -> None:
    bo = world.merchant(webhooks=False)
    refused = run(world, "merchant", "enable-webhook", bo.told.merchant_id)
    assert (refused.exit_code, "no webhook address" in refused.output) == (1, True)
    assert run(world, "merchant", "enable-webhook", bo.told.merchant_id, "--url", "ftp://x").exit_code == 1


def test_who_did_what_to_money_stands_in_the_audit_log(world: World, bo: Merchant) -> None:
    bos = f"merchant/{bo.told.merchant_id}"
    paid, cancelled, given_up = bo.opens(reference="1"), bo.opens(reference="2"), bo.opens(reference="3")
    ada = world.shopper(paid)
    ada.picks("alipay_hk")
    world.passes(1)
    ada.picks("alipay")
    for attempt in world.attempts(paid):
        world.ledger.pay(attempt.out_trade_no)
    world.passes(60)
    [surplus] = bo.reads(paid)["refunds"]
    wish = {"amount": 800, "reason": "Ada's cup, of porcelain"}
    refund = bo.api("POST", f"/v1/checkout-sessions/{paid['id']}/refunds", wish, Idempotency_Key="r").json["id"]  # type: ignore[index]
    bo.api("POST", f"/v1/checkout-sessions/{cancelled['id']}/cancel")
    world.shopper(given_up).cancels()
    world.passes(10)
    with world.parts.sessions() as db:
        entries = list(db.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert [(entry.actor, entry.action, entry.subject) for entry in entries[1:]] == [
        ("worker", "refund_requested", surplus["id"]),
        (bos, "refund_requested", refund),
        (bos, "session_cancelled", cancelled["id"]),
    ]
    assert [entry.details for entry in entries[1:3]] == [
        {"session": paid["id"], "amount": 8800, "currency": "HKD", "cause": "surplus"},
        {"session": paid["id"], "amount": 800, "currency": "HKD", "cause": "merchant"},
    ]


def test_cancelling_what_is_over_is_written_down_nowhere(world: World, bo: Merchant) -> None:
    session = bo.opens()
    for _ in range(3):
        bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    world.works()
    with world.parts.sessions() as db:
        actions = list(db.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["merchant_added", "session_cancelled"]


def test_the_audit_is_clean_and_notices_a_lie(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    clean = run(world, "audit", "--json")
    assert (clean.exit_code, json.loads(clean.stdout)) == (0, {"violations": []})
    with world.parts.sessions() as db:
        db.execute(text("UPDATE session SET status = 'paid'"))
        db.commit()
    lied = run(world, "audit", "--json")
    assert lied.exit_code == 1
    assert {violation["invariant"] for violation in json.loads(lied.stdout)["violations"]} == {"I5", "I18"}
    with world.parts.sessions() as db:
        db.execute(text("UPDATE session SET status = 'open'"))
        db.commit()


def test_the_platform_is_told_what_works(world: World) -> None:
    client = world.app.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    with world.parts.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable", "database": "needs migrations"})
    with world.parts.engine.begin() as connection:  # a newer release has migrated; we are still there
        connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("words", [
    ["merchant", "add", "--name", "Bo", "--app-code", "A", "--client-key", "K"], ["merchant", "check", "m_1"],
    ["audit"], ["review", "list"], ["reconcile"], ["difference", "list"],
])  # fmt: skip
def test_a_command_before_the_migrations_says_what_to_run(tmp_path: Path, words: list[str]) -> None:
    app = create_app(Config.from_env({"DATABASE_URL": f"sqlite:///{tmp_path}/new.db", "SECRET_KEY": "s" * 40}))
    told = app.test_cli_runner().invoke(args=words)
    sentence = "Error: The database is not up to date: run `flask --app app db upgrade`.\n"
    assert (told.exit_code, told.output) == (1, sentence)


@pytest.mark.parametrize("words", [["db", "upgrade"], ["audit"], ["merchant", "check", "m_1"]])
@pytest.mark.parametrize(("url", "named"), [
    ("sqlite:////nowhere/x.db",                   "sqlite:////nowhere/x.db (unable to open database file)."),
    ("postgresql://u:hunter2@127.0.0.1:1/x",      "postgresql+psycopg://u:***@127.0.0.1:1/x (connection failed: "),
    ("postgresql://u:p@hunter2@127.0.0.1:1/x",    "write each @ of the password in the postgresql+psycopg address"),
    ("postgresql://127.0.0.1:1/x?password=hunter2", "postgresql+psycopg://127.0.0.1:1/x (connection failed: "),
])  # fmt: skip
def test_a_command_that_cannot_reach_the_database_says_where_it_looked(url: str, named: str, words: list[str]) -> None:
    app = create_app(Config.from_env({"DATABASE_URL": url, "SECRET_KEY": "s" * 40}))
    told = app.test_cli_runner().invoke(args=words)
    sentence = f"Error: The database cannot be reached; look at DATABASE_URL: {named}"
    assert (told.exit_code, told.stderr[: len(sentence)]) == (1, sentence)
    assert told.output.count("\n") == 1
    assert "hunter2" not in told.output


def test_a_command_whose_key_was_sealed_by_another_secret_names_the_setting(make_world: Callable[..., World]) -> None:
    bo = make_world().merchant()
    told = run(make_world(SECRET_KEY="t" * 40), "merchant", "check", bo.told.merchant_id)
    sealed = f"merchant/{bo.told.merchant_id}/client_key"
    sentence = f"SECRET_KEY does not open {sealed}: put the key that sealed it behind the new one, after a comma."
    assert (told.exit_code, told.stderr) == (1, f"Error: {sentence}\n")
    both = run(make_world(SECRET_KEY=f"{'t' * 40},{'s' * 40}"), "merchant", "check", bo.told.merchant_id)
    assert "SECRET_KEY" not in both.output


def test_a_command_between_two_releases_says_what_to_run(world: World) -> None:
    with world.parts.engine.begin() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        connection.execute(text("ALTER TABLE merchant RENAME TO elsewhere"))
    unknown = run(world, "merchant", "check", "m_1")
    with world.parts.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    behind = run(world, "merchant", "check", "m_1")
    with world.parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO merchant"))
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    assert isinstance(unknown.exception, DBAPIError), "what else is wrong is not hidden"
    assert (behind.exit_code, "db upgrade" in behind.output) == (1, True)


def test_without_its_tables_the_page_says_so_and_promises_nothing(world: World, ada: Shopper) -> None:
    with world.parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE merchant RENAME TO elsewhere"))
    answer = ada.asks("GET", ada.path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "do not pay again" in answer.text
    assert "merchant" not in answer.text
    with world.parts.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO merchant"))
    assert ada.asks("GET", ada.path).status_code == 200
