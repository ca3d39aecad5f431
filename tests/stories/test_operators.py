"""What operators type and platforms ask."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app import create_app
from checkout.services import attempts
from checkout.services.merchants import Introduction
from checkout.services.webhook_secrets import signing_secrets_of
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from config import Config
from sandbox import Credential, Scenario
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


ENVIRONMENT = {
    "QFPAY_APP_CODE": "APP1",
    "QFPAY_CLIENT_KEY": "key-of-APP1",
    "QFPAY_BASE_URL": GATEWAY,
    "MERCHANT_API_KEY": "sk_of_bo",
}


OTHER_ACCOUNT = {"QFPAY_APP_CODE": "APP2", "QFPAY_CLIENT_KEY": "key-of-APP2"}


def of_the_environment(world: World, api_key: str = "sk_of_bo") -> Merchant:
    return Merchant(world, Introduction(own_id(world), api_key, "", ""), Inbox())


def addresses(world: World) -> list[str]:
    told = of_the_environment(world).api("GET", "/v1/webhook-endpoints").json
    assert told
    return [hears["url"] for hears in told["data"]]


def signs_with(world: World) -> str:
    with world.parts.sessions() as db:
        return signing_secrets_of(world.parts.vault, db.get_one(MerchantRow, own_id(world)), world.clock())[0]


def test_a_key_and_a_secret_that_leaked_do_not_come_back_with_the_next_release(
    make_world: Callable[..., World],
) -> None:
    """Found when every release put back what the environment had said all along."""
    settings = ENVIRONMENT | {"MERCHANT_WEBHOOK_SECRET": "whsec_" + "A" * 43 + "="}
    world = make_world(**settings)
    assert run(world, "db", "upgrade").exit_code == 0
    merchant_id = own_id(world)
    key = json.loads(run(world, "merchant", "replace-key", merchant_id, "--json").stdout)["api_key"]
    secret = json.loads(run(world, "merchant", "rotate-secret", merchant_id, "--json").stdout)["webhook_secret"]
    assert run(world, "db", "upgrade").exit_code == 0
    answers = [of_the_environment(world, given).api("GET", "/v1/events").status_code for given in ("sk_of_bo", key)]
    assert (answers, signs_with(world)) == ([401, 200], secret)

    another = {"MERCHANT_API_KEY": "sk_chosen_anew", "MERCHANT_WEBHOOK_SECRET": "whsec_" + "D" * 43 + "="}
    renewed = make_world(**settings | another)
    assert run(renewed, "db", "upgrade").exit_code == 0
    answers = [
        of_the_environment(world, given).api("GET", "/v1/events").status_code for given in (key, "sk_chosen_anew")
    ]
    assert (answers, signs_with(world)) == ([401, 200], another["MERCHANT_WEBHOOK_SECRET"])


@pytest.mark.parametrize("said", [{}, {"MERCHANT_WEBHOOK_URL": "https://shop.example/old"}])
def test_an_address_for_webhooks_outlives_the_next_release(
    make_world: Callable[..., World], said: dict[str, str]
) -> None:
    """Found when a release took it away, or put the old one back, and the shop heard of no payment any more."""
    world = make_world(**ENVIRONMENT, **said)
    assert run(world, "db", "upgrade").exit_code == 0
    moved = run(world, "merchant", "enable-webhook", own_id(world), "--url", "https://shop.example/new")
    assert moved.exit_code == 0, moved.output
    assert run(world, "db", "upgrade").exit_code == 0
    assert addresses(world) == ["https://shop.example/new"]


def test_an_address_that_was_moved_outlives_the_setting_it_replaced(make_world: Callable[..., World]) -> None:
    """Found when taking the old address out of the environment took the new one away."""
    world = make_world(**ENVIRONMENT, MERCHANT_WEBHOOK_URL="https://shop.example/old")
    assert run(world, "db", "upgrade").exit_code == 0
    assert addresses(world) == ["https://shop.example/old"]
    moved = run(world, "merchant", "enable-webhook", own_id(world), "--url", "https://shop.example/new")
    assert moved.exit_code == 0, moved.output
    tidied = make_world(**ENVIRONMENT)
    assert run(tidied, "db", "upgrade").exit_code == 0
    assert addresses(world) == ["https://shop.example/new"]


def test_an_address_that_only_the_environment_gave_goes_with_it(make_world: Callable[..., World]) -> None:
    assert (
        run(make_world(**ENVIRONMENT, MERCHANT_WEBHOOK_URL="https://shop.example/old"), "db", "upgrade").exit_code == 0
    )
    world = make_world(**ENVIRONMENT)
    assert run(world, "db", "upgrade").exit_code == 0
    assert addresses(world) == []


@pytest.mark.parametrize("said", [{}, {"MERCHANT_WEBHOOK_SECRET": "whsec_" + "A" * 43 + "="}])
def test_a_release_seals_all_of_the_environments_merchant_with_the_first_secret_key(
    make_world: Callable[..., World], said: dict[str, str]
) -> None:
    """Found when the webhook secret was lost with the old SECRET_KEY, which operate.md says may go then."""
    old, new = "o" * 48, "n" * 48
    world = make_world(**ENVIRONMENT, **said, SECRET_KEY=old)
    assert run(world, "db", "upgrade").exit_code == 0
    secret = signs_with(world)
    assert run(make_world(**ENVIRONMENT, **said, SECRET_KEY=f"{new},{old}"), "db", "upgrade").exit_code == 0
    assert signs_with(make_world(**ENVIRONMENT, **said, SECRET_KEY=new)) == secret


@pytest.fixture
def two_accounts(make_world: Callable[..., World]) -> tuple[World, World]:
    """A deployment whose merchant has one account at QFPay, and the same with another in its environment."""
    worlds = make_world(**ENVIRONMENT), make_world(**ENVIRONMENT | OTHER_ACCOUNT)
    for code in ("APP1", "APP2"):
        worlds[0].credentials[code] = Credential(f"key-of-{code}")
    assert run(worlds[0], "db", "upgrade").exit_code == 0
    return worlds


def test_an_account_is_not_left_while_its_codes_may_be_paid(two_accounts: tuple[World, World]) -> None:
    """Found when a release with another QFPAY_APP_CODE lost what was paid meanwhile, and nothing showed it."""
    world, changed = two_accounts
    bo = of_the_environment(world)
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    early = run(changed, "db", "upgrade")
    assert early.exit_code == 1
    assert early.output == (
        "Error: Set QFPAY_APP_CODE and QFPAY_MCHID to what they were: only APP1 can be asked what became of its codes "
        "of the last day (1) and its refunds under way (0). Wait for them, add the other account as a second merchant "
        "(`merchant add`), or give them up with `db upgrade --leave-account`.\n"
    )
    world.pays(session)
    world.passes(10)
    assert bo.reads(session)["status"] == "paid"
    assert run(changed, "db", "upgrade").exit_code == 0
    later = bo.opens(reference="A-1002")
    world.shopper(later).picks("alipay_hk")
    world.pays(later)
    world.passes(10)
    assert bo.reads(later)["status"] == "paid"


def test_an_account_is_not_left_while_a_late_payment_may_show(two_accounts: tuple[World, World]) -> None:
    world, changed = two_accounts
    session = of_the_environment(world).opens(expires_in=30)
    world.next(Scenario.LATE_PAYMENT)
    world.shopper(session).picks("alipay_hk")
    world.passes(37 * 60, step=60)
    assert run(changed, "db", "upgrade").exit_code == 1
    world.pays(session)
    world.passes(26 * 3600, step=600)
    assert len(of_the_environment(world).reads(session)["payments"]) == 1
    assert run(changed, "db", "upgrade").exit_code == 0


def test_an_account_that_answers_no_more_can_be_left(two_accounts: tuple[World, World]) -> None:
    world, changed = two_accounts
    session = of_the_environment(world).opens()
    world.shopper(session).picks("alipay_hk")
    del world.credentials["APP1"]  # closed at QFPay: the reason for another one
    world.passes(3600, step=60)
    assert run(changed, "db", "upgrade").exit_code == 1
    assert run(changed, "db", "upgrade", "--leave-account").exit_code == 0


def test_who_taps_while_the_account_is_left_pays_to_the_new_one(
    two_accounts: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found when the order went to the old account, and every question to the new one."""
    world, changed = two_accounts
    released: list[int] = []
    intend = attempts._intend

    def meanwhile(*given: Any, **named: Any) -> Any:
        if not released:
            release = threading.Thread(target=lambda: released.append(run(changed, "db", "upgrade").exit_code))
            release.start()
            release.join()
        return intend(*given, **named)

    monkeypatch.setattr(attempts, "_intend", meanwhile)
    session = of_the_environment(world).opens()
    ada = world.shopper(session)
    assert ada.picks("alipay_hk").status_code == 303
    assert (released, world.attempts(session)) == ([0], [])
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(10)
    assert of_the_environment(world).reads(session)["status"] == "paid"


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
