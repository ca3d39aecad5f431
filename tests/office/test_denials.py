"""Denied tries stand in the audit log: of people whom we know, without a secret, and never as a flood (S43)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from checkout.services.denials import WITHIN, Denial, Denied, is_told, note
from checkout.services.sign_ins import PROVEN_FOR
from checkout.store.oversight import AuditEntry
from checkout.store.people import WrongTries
from tests.office.cast import PASSWORD, Clerk, pays
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

GUESS = "four quiet boats at night"


def denials(world: World) -> list[tuple[str, str, int]]:
    """Who, what and how often, in the order of the log."""
    with world.parts.sessions() as db:
        entries = db.scalars(select(AuditEntry).where(AuditEntry.action.startswith("denied")).order_by(AuditEntry.id))
        return [(entry.actor, entry.action, entry.details["times"]) for entry in entries]


def entries(world: World) -> int:
    with world.parts.sessions() as db:
        return db.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_wrong_passwords_for_somebody_are_told_and_for_nobody_are_not(
    world: World, bo: Merchant, owner: Clerk, hired: Any
) -> None:
    thief = Clerk(world, bo, owner.email.upper(), address="198.51.100.9")
    for _ in range(12):
        thief.signs_in(GUESS)
    assert denials(world) == [("stranger", "denied_password", 1), ("stranger", "denied_password", 10)]
    before = entries(world)
    for email in ("nobody@bo.example", "", "x" * 300, "\x00"):
        Clerk(world, bo, email, address="198.51.100.10").signs_in(GUESS)
    assert entries(world) == before
    owner.opens(owner.at("/settings"))
    assert (
        "Somebody who was not signed in Wrong password Try no. 10 within 15 minutes, from 198.51.100.9" in owner.sees()
    )
    assert GUESS not in owner.text
    with world.parts.sessions() as db:
        assert not [e for e in db.scalars(select(AuditEntry)) if GUESS in str(e.details)]


def test_a_wrong_second_factor_and_a_missing_or_wrong_proof_are_told(world: World, bo: Merchant, owner: Clerk) -> None:
    session = pays(world, bo.opens())
    owner.enrols()
    owner.signs_out()
    world.clock.now += timedelta(minutes=1)
    owner.signs_in()
    owner.opens("/merchant/sign-in/code")
    owner.sends("/merchant/sign-in/code", code="000000")
    owner.sends("/merchant/sign-in/code", code=owner.code())
    me = f"person/{owner.row().id}"
    assert denials(world) == [("stranger", "denied_code", 1)]
    world.clock.now += PROVEN_FOR
    path = owner.at(f"/payments/{session['id']}")
    for fields in ({}, {"proof": GUESS}):
        owner.opens(path)
        assert owner.sends(f"{path}/refunds", amount="10", **fields).status_code == 403
    assert denials(world)[1:] == [(me, "denied_proof", 1)], "the second within 15 minutes is counted only"
    world.clock.now += WITHIN
    owner.opens(path)
    assert owner.sends(f"{path}/refunds", amount="10", proof=GUESS).status_code == 403
    assert denials(world)[2:] == [(me, "denied_proof", 1)]
    assert owner.sends(f"{path}/refunds", amount="10", proof=PASSWORD).status_code == 303
    assert len(denials(world)) == 3


def test_what_a_role_does_not_include_is_told_once_for_each_thing(world: World, owner: Clerk, viewer: Clerk) -> None:
    for path in ("/settings", "/settings", "/settings/people", "/links/new", "/settings"):
        viewer.opens(viewer.at(path))
        assert viewer.status == 403
    me = f"person/{viewer.row().id}"
    assert denials(world) == [(me, "denied_role", 1)] * 3
    owner.opens(owner.at("/settings"))
    assert f"{viewer.email} Tried what their role does not include Try no. 1 within" in owner.sees()


def test_a_shop_of_others_and_one_that_is_not_there_are_told_alike(
    world: World, bo: Merchant, owner: Clerk, hired: Any
) -> None:
    cakes = world.merchant("Cy's Cakes", webhooks=False)
    cy = hired(cakes, "owner")
    seen = []
    for shop in (bo.told.merchant_id, "m_nobody"):
        cy.signs_in()
        before = denials(world)
        cy.opens(f"/merchant/{shop}/payments")
        assert cy.status == 404
        seen.append((cy.sees(), denials(world)[len(before) :]))
        world.clock.now += WITHIN
    assert seen[0] == seen[1]
    assert seen[0][1] == [(f"person/{cy.row().id}", "denied_shop", 1)]
    cy.signs_in()
    cy.opens(cy.at("/settings"))
    assert "Tried a shop where they do not work" in cy.sees()
    assert bo.told.merchant_id not in cy.text
    owner.signs_in()
    owner.opens(owner.at("/settings"))
    assert "Tried a shop" not in owner.sees()


def test_a_flood_is_an_entry_for_each_tenfold_effort_and_one_row(world: World, owner: Clerk) -> None:
    """However many addresses they come from."""
    before = entries(world)
    with world.parts.sessions() as db:
        rows = db.query(WrongTries).count()
        for number in range(120):
            note(db, Denial(Denied.PASSWORD, owner.email, f"2001:db8:{number:x}::1"), world.clock.now)
        assert db.query(WrongTries).count() == rows + 1
    assert entries(world) == before + 3
    assert [times for _, _, times in denials(world)] == [1, 10, 100]
    assert [n for n in range(1, 10_001) if is_told(n)] == [1, 10, 100, 1000, 10_000]
