"""Calls that an API key was denied stand in the log of its own shop, never as a flood, and tell nothing new (S43)."""

from typing import Any

import pytest
from sqlalchemy import select

from checkout.services.denials import AN_HOUR
from checkout.store.oversight import AuditEntry
from tests.office.cast import Clerk
from tests.office.test_denials import denials, entries
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def calls(bo: Merchant, method: str, path: str, key: str = "", body: object = None) -> int:
    """The answer's status, read to its end: what is written down then is written."""
    with bo.api(method, path, body, Authorization=f"Bearer {key or bo.told.api_key}") as answer:
        return answer.status_code


def reader_of(bo: Merchant, name: str = "Stock room") -> dict[str, Any]:
    made = bo.api("POST", "/v1/api-keys", {"name": name, "scopes": ["read"]})
    assert made.status_code == 201
    return dict(made.json or {})


def test_things_of_another_shop_and_things_of_nobody_are_told_alike_and_to_the_keys_own_shop_only(
    world: World, bo: Merchant, owner: Clerk, hired: Any
) -> None:
    cakes = world.merchant("Cy's Cakes", webhooks=False)
    cy = hired(cakes, "owner")
    theirs = cakes.opens()["id"]
    told = []
    for session_id in (theirs, "cs_" + "0" * 22):
        before = denials(world)
        assert calls(bo, "GET", f"/v1/checkout-sessions/{session_id}") == 404
        told.append(denials(world)[len(before) :])
        world.clock.now += AN_HOUR
    assert told == [[(f"merchant/{bo.told.merchant_id}", "denied_object", 1)]] * 2
    owner.signs_in()
    owner.opens(owner.at("/settings"))
    assert "Called for something that is not there, or is another shop's" in owner.sees()
    assert "GET /v1/checkout-sessions/{session_id}" in owner.sees()
    assert theirs not in owner.text
    cy.signs_in()
    cy.opens(cy.at("/settings"))
    assert "Called for" not in cy.sees()
    assert world.violations() == []


def test_a_key_without_the_scope_is_told_with_its_name_and_what_it_asked_for(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    session, key = bo.opens(), reader_of(bo)
    assert calls(bo, "POST", f"/v1/checkout-sessions/{session['id']}/refunds", key["key"], {"amount": 1}) == 403
    owner.opens(owner.at("/settings"))
    assert (
        f"The shop's server Called for what its API key may not do Stock room …{key['hint']} · "
        "POST /v1/checkout-sessions/{session_id}/refunds Call no. 1 within an hour, from" in owner.sees()
    )


def test_a_key_that_is_over_is_told_and_one_that_was_never_anybodys_is_not(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    key = reader_of(bo)
    assert calls(bo, "DELETE", f"/v1/api-keys/{key['id']}") == 204
    assert calls(bo, "GET", "/v1/events", key["key"]) == 401
    assert denials(world) == [("stranger", "denied_key", 1)]
    owner.opens(owner.at("/settings"))
    assert f"Called with an API key that is over Stock room …{key['hint']} · GET /v1/events" in owner.sees()
    with world.parts.sessions() as db:
        assert not [e for e in db.scalars(select(AuditEntry)) if key["key"] in str(e.details)]
    before = entries(world)
    for guess in ("sk_" + "x" * 43, "sk_", key["key"][:-1], "é" * 40):
        assert calls(bo, "GET", "/v1/events", guess.encode().decode("latin-1")) == 401
    assert bo.api("GET", "/v1/events", Authorization="").status_code == 401
    assert calls(bo, "GET", "/v1/nowhere") == 404, "no view, so no key was asked about"
    assert entries(world) == before


def test_a_flood_of_calls_is_an_entry_for_each_tenfold_effort_of_each_key_and_kind(world: World, bo: Merchant) -> None:
    key = reader_of(bo)["key"]
    for _ in range(101):
        calls(bo, "GET", "/v1/refunds/re_0", key)
    calls(bo, "GET", "/v1/events/evt_0", key)
    calls(bo, "GET", "/v1/events/evt_0")
    calls(bo, "DELETE", "/v1/api-keys/key_0", key)
    assert [times for _, _, times in denials(world)] == [1, 10, 100, 1, 1]
    world.clock.now += AN_HOUR
    calls(bo, "GET", "/v1/refunds/re_0", key)
    assert [times for _, _, times in denials(world)] == [1, 10, 100, 1, 1, 1]
    assert world.violations() == []
