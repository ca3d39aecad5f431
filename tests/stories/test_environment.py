"""The merchant of the environment, release after release: what it says anew counts, and no money is left behind."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from checkout.services import attempts
from checkout.services.merchants import Introduction
from checkout.services.webhook_secrets import signing_secrets_of
from checkout.store.models import Merchant as MerchantRow
from sandbox import Credential, Scenario
from tests.stories.cast import GATEWAY, Inbox, Merchant, World
from tests.stories.test_operators import own_id, run

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
    assert run(changed, "db", "upgrade").exit_code == 1, "a code may be paid twice"
    world.passes(26 * 3600, step=600)
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
