"""The second factor: a code from the phone, each once, and what helps when the phone is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def is_in(clerk: Clerk) -> bool:
    clerk.opens(clerk.at("/payments"))
    return clerk.status == 200


def types_code(clerk: Clerk, code: str) -> int:
    clerk.opens("/merchant/sign-in/code")
    return clerk.sends("/merchant/sign-in/code", code=code).status_code


def test_with_a_second_factor_the_password_alone_opens_nothing(world: World, owner: Clerk) -> None:
    assert len(owner.enrols()) == 10
    owner.signs_out()
    world.clock.now += timedelta(minutes=1)
    owner.signs_in()
    assert not is_in(owner)
    assert types_code(owner, owner.code()) == 303
    assert is_in(owner)


def test_a_code_is_used_once_whoever_has_seen_it(world: World, bo: Merchant, owner: Clerk) -> None:
    owner.enrols()
    thief = Clerk(world, bo, owner.email, secret=owner.secret, address="198.51.100.9")
    thief.signs_in()
    assert types_code(thief, owner.code()) == 422, "it was used when it was added"
    world.clock.now += timedelta(seconds=60)
    owner.signs_out()
    owner.signs_in()
    assert types_code(owner, owner.code()) == 303
    assert types_code(thief, owner.code()) == 422


def test_five_wrong_codes_ask_for_the_password_again(world: World, owner: Clerk) -> None:
    owner.enrols()
    owner.signs_out()
    world.clock.now += timedelta(minutes=1)
    owner.signs_in()
    assert [types_code(owner, "000000") for _ in range(4)] == [422] * 4
    owner.opens("/merchant/sign-in/code")
    owner.sends("/merchant/sign-in/code", code="000000")
    assert types_code(owner, owner.code()) == 303
    assert owner.page
    assert owner.page.headers["Location"].startswith("/merchant/sign-in"), "back to the password"
    assert not is_in(owner)


def test_a_recovery_code_stands_in_for_a_lost_phone_once(world: World, owner: Clerk) -> None:
    codes = owner.enrols()
    for expected in (303, 422):
        owner.signs_out()
        owner.signs_in()
        assert types_code(owner, codes[0].lower().replace("-", " ")) == expected
    assert types_code(owner, codes[1]) == 303
    owner.opens("/merchant/me")
    assert "8 recovery codes are left" in owner.sees()


def test_the_secret_is_sealed_and_shown_only_until_it_counts(world: World, owner: Clerk) -> None:
    owner.enrols()
    sealed = owner.row().totp_sealed
    assert sealed
    assert owner.secret.encode() not in sealed
    owner.opens("/merchant/me/second-factor")
    assert owner.status == 303
    assert owner.secret not in owner.text


def test_in_production_nobody_works_without_a_second_factor(
    make_world: Callable[..., World], database_url: str
) -> None:
    world = make_world(ENV="production", SQLITE_IS_PERSISTENT="1")
    owner = Clerk(world, world.merchant(webhooks=False), "owner@bo.example")
    owner.is_invited("owner")
    owner.arrives(PASSWORD)
    owner.opens(owner.at("/payments"))
    assert owner.page
    assert owner.page.headers["Location"] == "/merchant/me/second-factor"
    owner.enrols()
    assert is_in(owner)
