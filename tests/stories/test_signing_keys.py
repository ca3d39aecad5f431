"""The Ed25519 keys behind `v1a`: one for each shop, changed with traffic running, and never another shop's."""

import base64
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select
from werkzeug.wrappers import Request

from checkout.services.chronicle import by_merchant
from checkout.store.oversight import AuditEntry
from checkout.store.telling import SigningKey
from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.test_endpoints import adds, only_sqlite, signed_by
from tests.stories.test_event_log import cancels

ROTATE = "/v1/webhook-keys/rotate"
BOTH = ["v1", "v1a"]


def found_by(anybody: World, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """The keys as a receiver finds them, without an API key."""
    answer = anybody.shopper({"url": "/"}).asks("GET", endpoint["public_keys_url"].removeprefix(PUBLIC))
    assert answer.status_code == 200
    return list(answer.json["keys"])  # type: ignore[index]


def key_of(shown: dict[str, Any]) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(shown["public_key"].removeprefix("whpk_")))


def signers(world: World, endpoints: list[dict[str, Any]], request: Request) -> list[str]:
    """Whose endpoints' published keys verify this request."""
    keys = [(one["id"], key_of(key)) for one in endpoints for key in found_by(world, one)]
    return [endpoint for endpoint, key in keys if signed_by(key, request)]


def rotates(bo: Merchant, **wish: Any) -> list[dict[str, Any]]:
    answer = bo.api("POST", ROTATE, wish or None)
    assert answer.status_code == 200, answer.text
    return list(answer.json["keys"])  # type: ignore[index]


def test_of_three_shops_each_signs_with_its_own_key_whoever_came_first(world: World) -> None:
    """The first key of the table, used for everybody, would verify at two of them and fool them both."""
    shops = [world.merchant(name) for name in ("Bo's Tea", "Cy's Shop", "Di's Cakes")]
    made = [adds(shop, f"/{number}", signatures=BOTH) for number, shop in enumerate(shops)]
    rotates(shops[1])
    for shop in reversed(shops):
        cancels(shop)
    world.works()
    endpoints = [endpoint for endpoint, _ in made]
    for (endpoint, inbox), keys in zip(made, (1, 2, 1), strict=True):
        [request] = inbox.heard
        assert signers(world, endpoints, request) == [endpoint["id"]] * keys
    assert len({key["public_key"] for one in endpoints for key in found_by(world, one)}) == 4


def test_while_a_key_is_changed_both_sign_and_no_delivery_is_turned_down(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/public", signatures=BOTH)
    [old] = found_by(world, made)
    assert old["until"] is None
    cancels(bo, "before")
    inbox.answers = [500]  # under way while the key is changed
    world.works()
    shown = rotates(bo)
    assert shown == found_by(world, made)
    new, former = shown
    assert (new["until"], former["public_key"]) == (None, old["public_key"])
    assert former["until"].startswith("2026-03-11T04:00")

    world.passes(6)
    cancels(bo, "after")
    world.works()
    first, again, after = inbox.heard
    assert [signed_by(key_of(old), request) for request in (first, again, after)] == [True] * 3
    assert [signed_by(key_of(new), request) for request in (first, again, after)] == [False, True, True]
    assert len(after.headers["webhook-signature"].split()) == 3
    tried = bo.api("POST", f"/v1/webhook-endpoints/{made['id']}/test")
    assert tried.status_code == 200
    assert signed_by(key_of(new), inbox.heard[-1])

    world.passes(timedelta(days=1).total_seconds(), step=3600)
    cancels(bo, "later")
    world.works()
    assert found_by(world, made) == [new]
    assert [signed_by(key_of(key), inbox.heard[-1]) for key in (old, new)] == [False, True]
    with world.parts.sessions() as db:
        assert db.scalar(select(func.count()).select_from(SigningKey)) == 1, "the old private key is gone"


def test_within_a_day_only_again_and_then_the_oldest_stops(world: World, bo: Merchant) -> None:
    made, inbox = adds(bo, "/public", signatures=["v1a"])
    [oldest] = found_by(world, made)
    rotates(bo)
    refused = bo.api("POST", ROTATE)
    assert (refused.status_code, "Retry-After" in refused.headers) == (409, False)
    assert "signs until 2026-03-11 04:00 UTC" in refused.text
    keys = rotates(bo, again=True)
    assert len(keys) == 2
    cancels(bo)
    world.works()
    assert [signed_by(key_of(key), inbox.heard[0]) for key in (*keys, oldest)] == [True, True, False]
    with world.parts.sessions() as db:
        said = select(AuditEntry.actor).where(AuditEntry.action == "signing_key_rotated")
        assert list(db.scalars(said)) == [by_merchant(bo.told.merchant_id)] * 2


@only_sqlite
def test_a_key_that_nobody_asked_for_is_not_changed_and_only_an_admin_changes_one(world: World, bo: Merchant) -> None:
    assert bo.api("POST", ROTATE).status_code == 409
    assert bo.api("POST", ROTATE, {"colour": "red"}).status_code == 400
    made, _ = adds(bo, "/public", signatures=["v1a"])
    till = bo.api("POST", "/v1/api-keys", {"name": "till", "scopes": ["read", "write", "refunds"]}).json
    answer = bo.api("POST", ROTATE, Authorization=f"Bearer {till['key']}")  # type: ignore[index]
    assert answer.status_code == 403
    assert len(found_by(world, made)) == 1


@only_sqlite
def test_the_operator_changes_a_key_by_the_command_line(world: World, bo: Merchant) -> None:
    cli = world.app.test_cli_runner()
    command = ["webhook", "rotate-key", bo.told.merchant_id]
    assert "no endpoint has asked for v1a" in cli.invoke(args=command).output
    made, _ = adds(bo, "/public", signatures=["v1a"])
    done = cli.invoke(args=command)
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        key["public_key"] for key in found_by(world, made)
    ]
    assert (cli.invoke(args=command).exit_code, cli.invoke(args=[*command, "--again"]).exit_code) == (1, 0)
    assert "no merchant m_nobody" in cli.invoke(args=["webhook", "rotate-key", "m_nobody"]).output
