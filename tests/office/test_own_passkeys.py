"""One's own passkeys: added and removed by who shows who they are, and themselves a way to show it."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from checkout.services.sign_ins import PROVEN_FOR
from checkout.store.passkeys import Passkey
from tests.office.authenticator import PRESENT, VERIFIED, Authenticator, Lie, bytes_of, text_of
from tests.office.cast import PASSWORD, Clerk
from tests.office.devices import GARBAGE, ME, SIGN_IN, adds, asked, is_in, proves, touches, written
from tests.stories.cast import Merchant, World

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NOT_MADE_HERE = {
    "another site asked": Lie(origin="https://pay.sampan.example.evil.example"),
    "a key of another site": Lie(site="sampan.example"),
    "nobody was verified": Lie(flags=PRESENT),
    "nobody was there": Lie(flags=VERIFIED),
    "a page in a frame asked": Lie(framed=True),
    "used, not made": Lie(kind="webauthn.get"),
    "a question of nobody": Lie(challenge=text_of(bytes(32))),
    "altered words": Lie(spoil="clientDataJSON"),
    "one key by two names": Lie(alias=b"another name"),
}


def test_a_passkey_shows_again_who_one_is(world: World, bo: Merchant, holder: Clerk, laptop: Authenticator) -> None:
    touches(holder, laptop)
    world.clock.now += PROVEN_FOR
    holder.opens("/merchant/me")
    assert "Use a passkey instead" in holder.text
    assert "data-has-passkeys" in holder.text
    change = {"password": "five louder boats at midnight"}
    assert holder.sends("/merchant/me/password", **change).status_code == 403
    for lie in (Lie(spoil="signature"), Lie(flags=PRESENT), Lie(handle=text_of(b"x")), Lie(step=-3)):
        assert proves(holder, laptop, lie)["status"] == 422
        assert holder.sends("/merchant/me/password", **change).status_code == 403
    stranger = Authenticator()
    bob = Clerk(world, bo, "bob@bo.example", address="198.51.100.9")
    bob.is_invited("operator")
    bob.arrives(PASSWORD)
    adds(bob, stranger)
    assert proves(holder, stranger)["problem"].startswith("This passkey was not accepted")
    stolen = holder.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert proves(holder, laptop, Lie(handle=None)) == {"status": 200}
    now_it_is = holder.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert stolen
    assert now_it_is
    assert stolen.value != now_it_is.value
    holder.opens("/merchant/me")
    assert "Use a passkey instead" not in holder.text, "nothing asks again"
    assert holder.sends("/merchant/me/password", **change).status_code == 303


@ONE_DATABASE
def test_a_question_for_one_purpose_is_no_question_for_another(holder: Clerk, laptop: Authenticator) -> None:
    touches(holder, laptop)
    holder.opens("/merchant/me")
    to_prove = asked(holder, "/merchant/me/proof/options")
    assert [one["id"] for one in to_prove["allowCredentials"]] == [text_of(laptop.keys[-1].id)]
    to_add = asked(holder, f"{ME}/options", name="Phone")
    assert holder.sends(ME, name="Phone", credential=laptop.uses(to_prove)).status_code == 422
    assert holder.sends(ME, name="Phone", credential=laptop.makes(to_add | to_prove)).status_code == 422
    assert len(laptop.keys) == 2
    holder.opens("/merchant/me")
    assert "Phone" not in holder.sees()


def test_whoever_adds_a_passkey_shows_who_they_are_and_a_false_one_is_not_kept(
    world: World, owner: Clerk, laptop: Authenticator
) -> None:
    for what, lie in NOT_MADE_HERE.items():
        assert adds(owner, laptop, lie=lie) == 422, what
    for garbage in GARBAGE:
        assert owner.sends(ME, name="Phone", credential=garbage).status_code == 422, garbage
    assert adds(owner, laptop, "  Blue laptop\u202e ") == 303
    assert adds(owner, laptop, "Another", Lie(id=laptop.keys[-1].id)) == 422, "an id is one passkey"
    assert asked(owner, f"{ME}/options", name=" ")["problem"].startswith("Give the passkey a name")
    assert asked(owner, f"{ME}/options", name="x" * 61)["status"] == 422
    with world.parts.sessions() as db:
        kept = db.scalars(select(Passkey)).one()
        assert (kept.name, kept.transports) == ("Blue laptop", ["hybrid", "internal"])
    handle = owner.row().passkey_handle or b""
    assert len(handle) == 64, "random, and nothing of the person in it"
    world.clock.now += PROVEN_FOR
    owner.opens("/merchant/me")
    assert asked(owner, f"{ME}/options", name="Phone")["status"] == 403
    assert asked(owner, f"{ME}/options", name="Phone", proof="wrong")["status"] == 403
    options = asked(owner, f"{ME}/options", name="Phone", proof=PASSWORD)
    assert bytes_of(options["user"]["id"]) == handle
    assert [bytes_of(one["id"]) for one in options["excludeCredentials"]] == [kept.credential_id]
    world.clock.now += PROVEN_FOR
    said = laptop.makes(options)
    assert owner.sends(ME, name="Phone", credential=said).status_code == 403


@ONE_DATABASE
def test_a_removed_passkey_opens_nothing_and_only_its_person_removes_it(
    world: World, bo: Merchant, hired: Callable[..., Clerk], holder: Clerk, laptop: Authenticator
) -> None:
    with world.parts.sessions() as db:
        path = f"{ME}/{db.scalars(select(Passkey.id)).one()}/remove"
    other = hired(bo, "owner", "other@bo.example")
    other.signs_in()
    assert other.sends(path).status_code == 404
    touches(holder, laptop)
    world.clock.now += PROVEN_FOR
    holder.opens("/merchant/me")
    assert holder.sends(path, proof="wrong").status_code == 403
    assert holder.sends(path, proof=PASSWORD).status_code == 303
    holder.opens("/merchant/me")
    assert "The passkey is removed" in holder.sees()
    holder.opens(holder.at("/settings"))
    assert "Removed a passkey" in holder.sees()
    holder.signs_out()
    assert touches(holder, laptop) == 422
    assert not is_in(holder)


@ONE_DATABASE
def test_who_lost_the_phone_loses_its_passkeys_with_it(world: World, holder: Clerk, laptop: Authenticator) -> None:
    runner = world.app.test_cli_runner()
    told = runner.invoke(args=["person", "forget-second-factor", "--email", holder.email])
    assert "Their passkeys open nothing any more: Blue laptop." in told.stdout
    assert touches(holder, laptop) == 422
    told = runner.invoke(args=["person", "forget-second-factor", "--email", holder.email])
    assert "They had no passkey." in told.stdout
    assert written(world).count("passkey_removed") == 1


@ONE_DATABASE
@pytest.mark.parametrize(("url", "offered"), [("https://192.0.2.7", False), ("http://localhost", True)])
def test_passkeys_are_offered_where_the_service_has_a_name(
    make_world: Callable[..., World], database_url: str, url: str, offered: bool
) -> None:
    world = make_world(PUBLIC_URL=url)
    client = world.app.test_client()
    page = client.get("/merchant/sign-in", base_url=url)
    assert ("Sign in with a passkey" in page.text) is offered
    assert ("webauthn" in page.text) is offered
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post(f"{SIGN_IN}/options", base_url=url, data={"csrf_token": token})
    assert answer.status_code == (200 if offered else 404)
    assert not offered or (answer.json or {})["rpId"] == "localhost"
