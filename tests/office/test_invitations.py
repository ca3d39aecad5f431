"""Invitations: a shop is opened by the link that this very shop handed over, and to nobody before (safety.md S3)."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from click.testing import Result

from checkout.services import passwords, people
from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVE = "eve@bo.example"
ANOTHER = "three loud trams at dawn"


def invites(owner: Clerk, email: str = EVE, role: str = "owner") -> str:
    """The link that the page shows."""
    owner.opens(owner.at("/settings/people"))
    owner.sends(owner.at("/settings/people"), email=email, role=role)
    return link_on(owner)


def link_on(owner: Clerk) -> str:
    found = re.search(r"/merchant/invitation/[\w-]+", owner.text)
    return found[0] if found else ""


def works_for(clerk: Clerk, owner: Clerk) -> bool:
    clerk.opens(owner.at("/payments"))
    return clerk.status == 200


def eve(world: World, shop: Merchant, address: str = "198.51.100.9") -> Clerk:
    return Clerk(world, shop, EVE, address=address)


def eve_of(owner: Clerk) -> Clerk:
    """Eve has accepted that shop's invitation."""
    hers = eve(owner.world, owner.shop)
    hers.invitation = invites(owner)
    hers.arrives(PASSWORD)
    return hers


def operates(world: World, *words: str) -> Result:
    return world.app.test_cli_runner().invoke(args=["person", *words])


def presses(owner: Clerk, email: str, what: str) -> int:
    person = Clerk(owner.world, owner.shop, email).row().id
    owner.opens(owner.at("/settings/people"))
    return owner.sends(owner.at(f"/settings/people/{person}/{what}")).status_code


def test_an_owner_lets_somebody_in_by_a_link_that_is_shown_once(world: World, bo: Merchant, owner: Clerk) -> None:
    new = Clerk(world, bo, "new@bo.example")
    new.invitation = invites(owner, "New@bo.example", "operator")
    assert "Has not accepted yet" in owner.sees()
    new.opens(new.invitation)
    assert "Bo's Tea invites you: Operator" in new.sees()
    assert new.arrives(PASSWORD).status_code == 303
    assert works_for(new, owner)
    owner.opens(owner.at("/settings/people"))
    assert "Has not accepted yet" not in owner.sees()
    assert new.invitation not in owner.text


@pytest.mark.parametrize("first", ["bo", "cy"])
def test_a_link_of_one_shop_opens_no_other_whoever_was_first(
    world: World, bo: Merchant, owner: Clerk, cy: Clerk, first: str
) -> None:
    links = {}
    for who in ("bo", "cy") if first == "bo" else ("cy", "bo"):
        links[who] = invites(owner if who == "bo" else cy)
    assert links["bo"], "each shop has a link to hand over"
    assert links["cy"]
    hers = eve(world, bo)
    hers.invitation = links["bo"]
    assert hers.arrives(PASSWORD).status_code == 303
    assert works_for(hers, owner)
    assert not works_for(hers, cy), "whoever has the account has not shown whose the address is"
    assert hers.accepts(links["cy"]).status_code == 303
    assert works_for(hers, cy)


def test_an_account_that_a_shop_adds_opens_nothing_before_it_has_accepted(
    world: World, owner: Clerk, cy: Clerk
) -> None:
    hers = eve_of(owner)
    world.clock.now += timedelta(days=300)
    cy.signs_in()
    link = invites(cy, role="operator")
    hers.signs_in()
    assert not works_for(hers, cy)
    hers.opens(link)
    assert "Cy's Cakes invites you" in hers.sees()
    assert "Operator" in hers.sees()
    assert not works_for(hers, cy), "to look at the page is not to accept"
    assert hers.accepts(link).headers["Location"] == cy.at("/payments")
    hers.opens(cy.at("/payments"))
    assert "You work for this shop from now on." in hers.sees()
    hers.opens(cy.at("/settings/people"))
    assert hers.status == 403, "an operator there, an owner here"
    assert hers.accepts(link).status_code == 404, "it works once"


def test_who_is_signed_out_signs_in_first_and_comes_back(world: World, owner: Clerk, cy: Clerk) -> None:
    owner.enrols()
    owner.signs_out()
    world.clock.now += timedelta(minutes=1)
    link = invites(cy, owner.email)
    owner.opens(link)
    assert "Sign in with this address first" in owner.sees()
    assert 'type="password"' not in owner.text, "nobody sets a password of an account by a shop's link"
    assert owner.sends(link, password=ANOTHER).status_code == 409
    found = re.search(r'href="(/merchant/sign-in\?next=[^"]+)"', owner.text)
    assert found
    owner.opens(found[1])
    told = owner.sends("/merchant/sign-in", email=owner.email, password=PASSWORD)
    owner.opens(told.headers["Location"])
    assert owner.sends("/merchant/sign-in/code", code=owner.code()).headers["Location"] == link
    assert owner.accepts(link).status_code == 303
    assert works_for(owner, cy)


def test_who_is_signed_in_as_somebody_else_is_told_and_changes_over(owner: Clerk, cy: Clerk) -> None:
    known = eve_of(owner)
    for email in (EVE, "new@bo.example"):
        link = invites(cy, email)
        owner.opens(link)
        assert f"It is for {email}, and you are signed in as {owner.email}." in owner.sees()
        assert owner.sends(link, password=ANOTHER).status_code == 409
        assert owner.sends(f"{link}/accept").status_code == 409
        assert not works_for(owner, cy)
        owner.opens(link)
        assert f'name="next" value="{link}"' in owner.text
        assert owner.sends("/merchant/sign-out", next=link).headers["Location"] == link
        owner.opens(link)
        assert "Cy's Cakes invites you" in owner.sees()
        owner.signs_in()
    assert known.signs_in(PASSWORD).status_code == 303


def test_an_owner_who_has_not_accepted_is_no_owner(world: World, bo: Merchant, owner: Clerk) -> None:
    invites(owner, EVE, "owner")
    owner.opens(owner.at("/settings/people"))
    assert owner.sends(owner.at(f"/settings/people/{owner.row().id}/role"), role="").status_code == 409
    assert "A shop needs an owner" in owner.sees()
    person = eve(world, bo).row().id
    assert owner.sends(owner.at(f"/settings/people/{person}/role"), role="owner").status_code == 404


def test_a_new_link_replaces_the_one_before_and_one_taken_back_opens_nothing(
    world: World, bo: Merchant, owner: Clerk, cy: Clerk
) -> None:
    others, first = invites(cy), invites(owner, role="viewer")
    assert presses(owner, EVE, "invitation") == 200
    second = link_on(owner)
    third = invites(owner, role="operator")
    assert len({others, first, second, third}) == 4
    hers = eve(world, bo)
    for link in (first, second):
        hers.opens(link)
        assert hers.status == 404
    hers.opens(third)
    assert "Operator" in hers.sees()
    assert presses(owner, EVE, "invitation/remove") == 303
    hers.invitation = third
    assert hers.arrives(PASSWORD).status_code == 404
    assert presses(owner, EVE, "invitation") == 409
    assert presses(owner, EVE, "invitation/remove") == 409
    hers.invitation = others
    assert hers.arrives(PASSWORD).status_code == 303, "another shop's business"
    assert presses(cy, EVE, "invitation") == 409
    assert "has accepted already" in cy.sees()


def test_the_list_says_when_a_link_has_ended(world: World, bo: Merchant, owner: Clerk) -> None:
    link = invites(owner)
    owner.opens(owner.at("/settings/people"))
    assert "The link works until" in owner.sees()
    world.clock.now += timedelta(days=7)
    owner.signs_in()
    owner.opens(owner.at("/settings/people"))
    assert "The link has ended." in owner.sees()
    assert eve(world, bo).opens(link).count("It was used, has ended after a week") == 1


def test_to_add_an_address_tells_nothing_about_its_account(owner: Clerk, cy: Clerk) -> None:
    words = []
    owner.enrols()
    for email in (owner.email, "nobody@bo.example"):
        link = invites(cy, email)
        words.append([cy.sees().replace(link, "LINK").replace(email, "ADDRESS")])
        assert presses(cy, email, "invitation/remove") == 303
    assert words[0] == words[1]


def test_the_log_tells_of_a_shops_own_invitations_alone(owner: Clerk, cy: Clerk) -> None:
    hers = eve_of(owner)
    hers.enrols()
    link = invites(cy)
    cy.opens(cy.at("/settings"))
    about_her = cy.sees().count(EVE)
    assert about_her == 1, "what she did before is not this shop's business"
    assert "Invited somebody" in cy.sees()
    hers.accepts(link)
    cy.opens(cy.at("/settings"))
    assert "Accepted the invitation" in cy.sees()
    assert cy.sees().count("Invited somebody") == 2, "its owner and her, not by the other shop"


def test_who_was_quicker_with_another_link_keeps_their_password(
    world: World, bo: Merchant, owner: Clerk, cy: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers, other = eve(world, bo), eve(world, cy.shop, "198.51.100.10")
    hers.invitation, other.invitation = invites(owner), invites(cy)
    other.opens(other.invitation)
    digest_of = passwords.digest_of

    def somebody_is_quicker(password: str) -> str:
        monkeypatch.setattr(passwords, "digest_of", digest_of)
        with world.parts.sessions() as db:
            people.accept_invitation(db, hers.invitation.rpartition("/")[2], PASSWORD, world.clock.now)
        return digest_of(password)

    monkeypatch.setattr(passwords, "digest_of", somebody_is_quicker)
    assert other.sends(other.invitation, password=ANOTHER).status_code == 409
    assert "Sign in with this address first" in other.sees(), "the link is not used up"
    assert other.signs_in(ANOTHER).status_code == 422
    assert hers.signs_in(PASSWORD).status_code == 303
    assert not works_for(hers, cy)
    assert hers.accepts(other.invitation).status_code == 303


def test_a_link_for_a_forgotten_password_opens_no_shop(world: World, owner: Clerk, cy: Clerk) -> None:
    hers = eve_of(owner)
    hers.signs_out()
    invites(cy)
    told = operates(world, "invite", "--email", EVE)
    hers.invitation = re.findall(r"/merchant/invitation/[\w-]+", told.stdout)[0]
    assert hers.arrives(ANOTHER).status_code == 303
    assert works_for(hers, owner)
    assert not works_for(hers, cy)


def test_a_found_link_sets_no_password_after_its_person_has_set_one(world: World, owner: Clerk) -> None:
    link = re.findall(r"/merchant/invitation/[\w-]+", operates(world, "invite", "--email", owner.email).output)[0]
    owner.opens("/merchant/me")
    assert owner.sends("/merchant/me/password", password=ANOTHER).status_code == 303
    owner.invitation = link
    assert owner.arrives("a password of whoever found it").status_code == 404
    assert owner.signs_in(ANOTHER).status_code == 303


def test_the_operator_makes_a_lost_link_anew_for_one_shop(world: World, bo: Merchant, owner: Clerk, cy: Clerk) -> None:
    def lost(*more: str) -> tuple[int, str]:
        told = operates(world, "invite", "--email", EVE, *more)
        return told.exit_code, told.output

    assert lost()[0] == 1, "there is nobody yet"
    invites(owner)
    assert lost()[0] == 0
    invites(cy)
    assert "Several shops have invited them" in lost()[1]
    assert "waits for nobody" in lost("--merchant", "m_nobody")[1]
    hers = eve(world, cy.shop)
    hers.invitation = re.findall(r"/merchant/invitation/[\w-]+", lost("--merchant", cy.shop.told.merchant_id)[1])[0]
    assert hers.arrives(PASSWORD).status_code == 303
    assert works_for(hers, cy)
    assert "waits for nobody" in lost("--merchant", cy.shop.told.merchant_id)[1]
    told = operates(world, "add", "--email", EVE, "--merchant", cy.shop.told.merchant_id, "--role", "viewer")
    assert "works there already, from now on as viewer" in told.stdout
    for who in (owner, cy):
        presses(who, EVE, "invitation/remove")
    ghost = operates(world, "add", "--email", "ghost@bo.example", "--merchant", bo.told.merchant_id)
    assert ghost.exit_code == 0
    presses(owner, "ghost@bo.example", "invitation/remove")
    assert "No shop has invited them" in operates(world, "invite", "--email", "ghost@bo.example").output


@pytest.mark.parametrize("arrived", [False, True])
def test_the_demo_has_its_owner_whoever_was_there_before(
    world: World, bo: Merchant, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    monkeypatch.setenv("DEMO_OWNER_PASSWORD", PASSWORD)
    monkeypatch.setattr("checkout.cli.people._its_own", lambda _: bo.told.merchant_id)
    clerk = Clerk(world, world.merchant("Cy's Cakes", webhooks=False) if arrived else bo, "demo@bo.example")
    if arrived:
        clerk.is_invited("viewer")
        clerk.arrives(PASSWORD)
    for _ in range(2):
        assert operates(world, "demo", "--email", clerk.email).exit_code == 0
    clerk.signs_in()
    clerk.opens(f"/merchant/{bo.told.merchant_id}/settings/people")
    assert clerk.status == 200


def test_a_link_is_accepted_once_however_many_send_it_at_once(
    world: World, bo: Merchant, owner: Clerk, cy: Clerk
) -> None:
    hers = eve_of(owner)
    link = invites(cy)
    assert hers.asks("POST", f"{link}/accept").status_code == 400, "only by a form of ours"
    hers.opens(link)
    fields, copies = {"csrf_token": hers.token()}, [eve(world, bo) for _ in range(4)]
    cookie = hers.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert cookie
    for copy in copies:
        copy.client.set_cookie("__Host-sampan", cookie.value, domain="pay.sampan.example")
    with ThreadPoolExecutor(len(copies)) as threads:
        told = list(threads.map(lambda copy: copy.asks("POST", f"{link}/accept", data=fields).status_code, copies))
    assert sorted(told) == [303, 404, 404, 404]
    assert works_for(hers, cy)
