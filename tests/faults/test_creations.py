"""F57 and F58: a creation that is repeated, and an API key that is replaced, while money is moving."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from checkout.background import KEYS_KEPT
from checkout.services.keys import forget_keys
from checkout.store.models import CheckoutSession, IdempotencyKey
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import AuditEntry
from tests.faults.shops import command
from tests.faults.test_webhook_secret import rotates
from tests.stories.cast import Merchant, World

# F57: a creation repeated ---------------------------------------------------------------------------------------------


def creates(bo: Merchant, key: str = "k", **wishes: Any) -> Any:
    return bo.api("POST", "/v1/checkout-sessions", bo.order(**wishes), Idempotency_Key=key)


def how_many_sessions(world: World) -> int:
    with world.parts.sessions() as db:
        return db.scalar(select(func.count()).select_from(CheckoutSession)) or 0


@pytest.mark.parametrize("hours", [0, 25, 7 * 24 - 1])
def test_f57_the_same_key_and_body_get_the_first_answer(world: World, bo: Merchant, hours: int) -> None:
    first = creates(bo)
    world.clock.now += timedelta(hours=hours)
    with world.parts.sessions() as db:
        forget_keys(db, world.clock() - KEYS_KEPT)
    again = creates(bo)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert how_many_sessions(world) == 1


@pytest.mark.parametrize("hours", [0, 25])
def test_f57_the_same_key_with_another_body_is_refused(world: World, bo: Merchant, hours: int) -> None:
    creates(bo)
    world.clock.now += timedelta(hours=hours)
    refused = creates(bo, amount=8801)
    assert refused.status_code == 422
    assert how_many_sessions(world) == 1


def test_f57_a_key_is_forgotten_after_seven_days_and_not_before(world: World, bo: Merchant) -> None:
    creates(bo)
    for age, kept in ((KEYS_KEPT, 1), (KEYS_KEPT + timedelta(seconds=1), 0)):
        with world.parts.sessions() as db:
            forget_keys(db, world.clock() + age - KEYS_KEPT)
            assert db.scalar(select(func.count()).select_from(IdempotencyKey)) == kept


THREADS = 32


def test_f57_thirty_two_at_once_are_one_session(world: World, bo: Merchant) -> None:
    start = threading.Barrier(THREADS)

    def create(_: int) -> Any:
        start.wait(30)
        return creates(bo)

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(create, range(THREADS)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code != 201)
    assert how_many_sessions(world) == 1
    assert creates(bo).status_code == 201


def test_f57_thirty_two_with_other_bodies_at_once_are_one_session_and_refusals(world: World, bo: Merchant) -> None:
    start = threading.Barrier(THREADS)

    def create(number: int) -> Any:
        start.wait(30)
        return creates(bo, amount=8800 + number)

    with ThreadPoolExecutor(THREADS) as threads:
        answers = [answer.status_code for answer in threads.map(create, range(THREADS))]
    assert answers.count(201) == 1
    assert set(answers) <= {201, 409, 422, 503}
    assert how_many_sessions(world) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_f57_while_the_first_is_running_the_others_are_told_when_to_come_back(world: World, bo: Merchant) -> None:
    """On SQLite they wait in line instead: it has one writer."""
    running = {"m": bo.told.merchant_id, "now": world.clock()}
    with world.parts.engine.connect() as first:
        first.execute(
            text(
                "INSERT INTO idempotency (merchant_id, key, fingerprint, status_code, answer, created_at)"
                " VALUES (:m, 'k', 'f', 201, '{}', :now)"
            ),
            running,
        )
        answer = creates(bo)
        first.rollback()
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    assert creates(bo).status_code == 201


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_f57_a_lock_on_the_session_is_not_told_as_a_key_in_use(world: World, bo: Merchant) -> None:
    session = bo.opens()
    path = f"/v1/checkout-sessions/{session['id']}/refunds"
    with world.parts.engine.connect() as other:
        other.execute(text("UPDATE session SET version = version WHERE id = :id"), {"id": session["id"]})
        answer = bo.api("POST", path, {}, Idempotency_Key="k")
        other.rollback()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


# F58: the API key -----------------------------------------------------------------------------------------------------


def test_f58_a_replaced_key_is_refused_at_once_and_open_payments_settle(world: World, bo: Merchant) -> None:
    session, unpaid = bo.opens(), bo.opens(reference="B", amount=9900)
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    told = json.loads(command(world, "replace-key", bo.told.merchant_id, "--json").stdout)
    assert set(told) == {"merchant_id", "api_key"}
    for method, path in (("GET", f"/v1/checkout-sessions/{session['id']}"), ("GET", "/v1/checkout-sessions")):
        assert bo.api(method, path).status_code == 401
    assert creates(bo).status_code == 401

    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]

    bo.told = replace(bo.told, api_key=told["api_key"])
    assert bo.reads(session)["status"] == "paid"
    assert bo.api("POST", f"/v1/checkout-sessions/{unpaid['id']}/cancel").json["status"] == "cancelled"  # type: ignore[index]
    refund = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="r")
    assert refund.status_code == 201
    world.passes(10)
    assert bo.heard()[-1]["type"] == "refund.succeeded"


def test_f58_the_key_and_every_secret_are_printed_once_and_written_down_nowhere(world: World, bo: Merchant) -> None:
    secrets = [bo.told.api_key, bo.told.webhook_secret, "key-of-APP1", rotates(world, bo)]
    secrets.append(json.loads(command(world, "replace-key", bo.told.merchant_id, "--json").stdout)["api_key"])
    with world.parts.sessions() as db:
        log = db.scalars(select(AuditEntry).order_by(AuditEntry.id))
        entries = [json.dumps([e.actor, e.action, e.subject, e.details]) for e in log]
        row = str(vars(db.get_one(MerchantRow, bo.told.merchant_id)))
    assert [json.loads(entry)[:2] for entry in entries] == [
        ["operator", "merchant_added"],
        ["operator", "webhook_secret_rotated"],
        ["operator", "api_key_replaced"],
    ]
    assert not [secret for secret in secrets if secret in row or any(secret in entry for entry in entries)]
