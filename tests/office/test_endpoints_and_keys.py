"""Endpoints and API keys in an owner's hands: added, tested, rotated under traffic, switched, deleted, revoked."""

import base64
import hashlib
import hmac
import re
from datetime import timedelta

import pytest
from werkzeug.wrappers import Request

from tests.office.cast import PASSWORD, Clerk, pays
from tests.stories.cast import Inbox, Merchant, World
from tests.stories.test_endpoints import signed_by
from tests.stories.test_signing_keys import key_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
A_WHILE = timedelta(minutes=15)  # longer than a proof lasts, shorter than a sign-in without a sign of life
SECRET, KEY = re.compile(r"whsec_[\w+/=]{30,}"), re.compile(r"sk_\w{40,}")


@pytest.fixture
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea")


def endpoint_of(owner: Clerk) -> str:
    owner.opens(owner.at("/settings/webhooks"))
    found = re.search(r"/settings/webhooks/(we_\w+)", owner.text)
    assert found
    return owner.at(f"/settings/webhooks/{found[1]}")


def public_keys(owner: Clerk) -> list[str]:
    return re.findall(r"whpk_[\w+/=]+", owner.text)


def shown(pattern: re.Pattern[str], clerk: Clerk) -> str:
    found = pattern.search(clerk.text)
    assert found
    return found[0]


def is_signed_with(request: Request, secret: str) -> bool:
    signed = b".".join(
        (request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.get_data())
    )
    mac = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode()}" in request.headers["webhook-signature"].split(" ")


def test_a_secret_and_a_key_are_rotated_with_traffic_running_and_nothing_is_refused(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    address, old_secret = endpoint_of(owner), bo.told.webhook_secret
    pays(world, bo.opens(reference="A-1"))
    owner.opens(address)
    owner.sends(f"{address}/secret")
    new_secret = shown(SECRET, owner)
    pays(world, bo.opens(reference="A-2"))
    assert is_signed_with(bo.inbox.heard[-1], old_secret), "a server that has the old one still believes us"
    assert is_signed_with(bo.inbox.heard[-1], new_secret)
    owner.opens(address)
    assert new_secret not in owner.text, "shown once"
    assert "Two secrets sign until" in owner.sees()
    assert owner.sends(f"{address}/secret", again="").status_code == 409, "there is room for one old secret"
    assert owner.sends(f"{address}/secret", again="yes").status_code == 200

    owner.opens(owner.at("/settings/api-keys"))
    owner.sends(owner.at("/settings/api-keys"), name="Till", scopes=["read", "write", "refunds", "admin"])
    new_key, old_key = shown(KEY, owner), bo.told.api_key
    for key in (old_key, new_key):
        assert bo.api("GET", "/v1/events", Authorization=f"Bearer {key}").status_code == 200
    owner.opens(owner.at("/settings/api-keys"))
    assert new_key not in owner.text
    main = re.findall(r"/api-keys/(key_\w+)/revoke", owner.text)[-1]
    assert owner.sends(owner.at(f"/settings/api-keys/{main}/revoke")).status_code == 303
    assert bo.api("GET", "/v1/events", Authorization=f"Bearer {old_key}").status_code == 401
    assert bo.api("GET", "/v1/events", Authorization=f"Bearer {new_key}").status_code == 200
    owner.opens(owner.at("/settings"))
    for word in ("Rotated the webhook secret", "Added an API key", "Revoked an API key"):
        assert word in owner.sees()
    assert new_secret not in owner.text
    assert new_key not in owner.text


def test_an_endpoint_is_added_with_a_filter_tested_switched_and_deleted(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    inbox = world.inboxes[f"/{id(world)}/second"] = Inbox()
    where = f"{world.hooks.url}/{id(world)}/second"
    owner.opens(owner.at("/settings/webhooks"))
    said = {"url": where, "types": ["refund.succeeded"], "signatures": ["v1", "v1a"]}
    owner.sends(owner.at("/settings/webhooks"), **said)
    secret = shown(SECRET, owner)
    address = shown(re.compile(r"/merchant/\w+/settings/webhooks/we_\w+(?=/secret)"), owner)
    assert f"/.well-known/webhook-keys/{bo.told.merchant_id}.json" in owner.text
    owner.opens(address)
    assert secret not in owner.text
    inbox.answers = [418]
    owner.sends(f"{address}/test")
    assert "418" in owner.sees()
    assert is_signed_with(inbox.heard[-1], secret)
    pays(world, bo.opens())
    assert len(inbox.heard) == 1, "it wanted refunds only"
    owner.opens(address)
    assert owner.sends(address, url=where, types=[], signatures="v1").status_code == 303
    owner.opens(address)
    owner.sends(f"{address}/off")
    session = bo.opens(reference="A-9")
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    world.works()
    assert len(inbox.heard) == 1
    owner.opens(address)
    assert owner.sends(f"{address}/test").status_code == 409
    owner.sends(f"{address}/on")
    world.works()
    assert inbox.heard[-1].get_json()["type"] == "checkout_session.cancelled", "it waited"
    owner.opens(address)
    assert owner.sends(f"{address}/delete").status_code == 303
    owner.opens(address)
    assert owner.status == 404


def test_the_ed25519_key_is_rotated_with_traffic_running_and_both_keys_verify(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    hooks = owner.at("/settings/webhooks")
    owner.opens(hooks)
    assert owner.sends(f"{hooks}/key").status_code == 409, "nothing to rotate yet"
    assert "There is no Ed25519 key yet" in owner.sees()
    owner.opens(endpoint := endpoint_of(owner))
    owner.sends(endpoint, types=[], signatures=["v1", "v1a"])
    owner.opens(hooks)
    [old] = public_keys(owner)
    assert owner.sends(f"{hooks}/key").status_code == 303
    owner.opens(hooks)
    new, former = public_keys(owner)
    assert former == old
    assert "The one before signs for 24 hours more" in owner.sees()
    assert "Two keys sign until" in owner.sees()
    pays(world, bo.opens(reference="A-1"))
    assert [signed_by(key_of({"public_key": key}), bo.inbox.heard[-1]) for key in (new, old)] == [True, True]
    owner.opens(hooks)
    assert owner.sends(f"{hooks}/key", again="").status_code == 409, "there is room for one old key"
    assert "the one before still signs" in owner.sees()
    assert owner.sends(f"{hooks}/key", again="yes").status_code == 303
    owner.opens(hooks)
    assert public_keys(owner)[1:] == [new]
    owner.opens(owner.at("/settings"))
    assert owner.sees().count("Rotated the Ed25519 key") == 2
    assert f"{owner.email} Rotated the Ed25519 key" in owner.sees()
    assert world.violations() == []


@pytest.mark.parametrize("url", ["ftp://shop.example", "https://user@shop.example/", "not an address"])
def test_an_address_that_cannot_be_called_is_refused_in_words(owner: Clerk, url: str) -> None:
    owner.opens(owner.at("/settings/webhooks"))
    assert owner.sends(owner.at("/settings/webhooks"), url=url).status_code == 422
    assert "This address cannot be used" in owner.sees()


def test_nothing_that_opens_a_door_happens_without_a_proof(world: World, bo: Merchant, owner: Clerk) -> None:
    address = endpoint_of(owner)
    world.clock.now += A_WHILE
    keys, hooks = owner.at("/settings/api-keys"), owner.at("/settings/webhooks")
    forms = {
        keys: {"name": "Mine", "scopes": "admin"},
        hooks: {"url": "https://evil.example/"},
        address: {"url": "https://evil.example/", "signatures": "v1"},
        f"{address}/secret": {},
        f"{hooks}/key": {},
        f"{address}/off": {},
        f"{address}/delete": {},
        owner.at("/settings/shop"): {"name": "Eve's", "place-alipay": "1"},
        owner.at("/settings/start/credentials"): {
            "app_code": "X",
            "client_key": "y",
            "base_url": "https://x",
            "sign_type": "md5",
        },
    }
    for path, said in forms.items():
        owner.opens(hooks)
        for proof in ({}, {"proof": "a guess"}):
            assert owner.sends(path, **said, **proof).status_code == 403, path
    assert bo.api("GET", "/v1/events").status_code == 200
    listed = (bo.api("GET", "/v1/webhook-endpoints").json or {})["data"]
    assert [one["enabled"] for one in listed] == [True]
    owner.opens(keys)
    assert owner.sends(keys, name="Mine", scopes="admin", proof=PASSWORD).status_code == 200
    assert shown(KEY, owner)


def test_another_shops_key_and_endpoint_are_not_there(world: World, bo: Merchant, owner: Clerk) -> None:
    cy = world.merchant("Cy's Cakes")
    key = (cy.api("GET", "/v1/api-keys").json or {})["data"][0]["id"]
    endpoint = (cy.api("GET", "/v1/webhook-endpoints").json or {})["data"][0]["id"]
    paths = (f"/settings/api-keys/{key}/revoke", f"/settings/webhooks/{endpoint}/delete")
    for path in paths:
        assert owner.sends(owner.at(path)).status_code == 404
    assert cy.api("GET", "/v1/events").status_code == 200
