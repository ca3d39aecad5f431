"""The second factor: a code from the phone, each once, and what helps when the phone is lost."""

import re
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


def guesses(thief: Clerk, times: int) -> list[int]:
    """With the right password before every few codes; what each code was answered."""
    told = []
    for number in range(times):
        if number % 4 == 0:
            thief.signs_in()
        told.append(types_code(thief, f"{number:06}"))
    return told


def test_who_knows_the_password_guesses_ten_codes_from_wherever_they_ask(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    codes = owner.enrols()
    owner.signs_out()
    thieves = [Clerk(world, bo, owner.email, address=f"198.51.100.{number}") for number in range(1, 4)]
    told = [status for thief in thieves for status in guesses(thief, 8)]
    assert told == [422] * 10 + [429] * 14
    assert thieves[-1].page
    assert 0 < int(thieves[-1].page.headers["Retry-After"]) <= 300
    assert "Too many tries. Wait 5 minutes" in thieves[-1].sees()
    assert types_code(thieves[-1], codes[0]) == 429, "also when it is right at last"
    world.clock.now += timedelta(minutes=5, seconds=1)
    assert guesses(thieves[-1], 1) == [422]


def test_in_a_day_fifty_codes_are_guessed_and_a_right_one_does_not_start_the_count_anew(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    owner.enrols()
    thief = Clerk(world, bo, owner.email, address="198.51.100.9")
    for _ in range(5):
        world.clock.now += timedelta(minutes=6)
        owner.signs_out()
        owner.signs_in()
        assert types_code(owner, owner.code()) == 303, "at their desk, while somebody guesses"
        assert guesses(thief, 10) == [422] * 10
    world.clock.now += timedelta(minutes=6)
    assert guesses(thief, 1) == [429]
    assert thief.page
    assert int(thief.page.headers["Retry-After"]) > 80_000
    world.clock.now += timedelta(days=1)
    assert guesses(thief, 1) == [422]


def test_the_password_alone_makes_no_address_known(world: World, bo: Merchant, owner: Clerk) -> None:
    owner.enrols()
    owner.signs_out()
    thief = Clerk(world, bo, owner.email, address="198.51.100.9")
    assert [thief.signs_in().status_code for _ in range(11)] == [303] * 10 + [429]
    assert owner.signs_in().status_code == 303, "at a desk where the person has been"
    world.clock.now += timedelta(minutes=1)
    assert types_code(owner, owner.code()) == 303


def test_strangers_without_the_password_use_up_no_codes(world: World, bo: Merchant, owner: Clerk) -> None:
    owner.enrols()
    owner.signs_out()
    for number in range(1, 6):
        stranger = Clerk(world, bo, owner.email, address=f"198.51.100.{number}")
        for _ in range(11):
            stranger.signs_in("guess of a password")
            stranger.asks("POST", "/merchant/sign-in/code", data={"csrf_token": stranger.token(), "code": "000000"})
    world.clock.now += timedelta(minutes=1)
    owner.signs_in()
    assert types_code(owner, owner.code()) == 303


def test_who_found_an_open_browser_guesses_ten_codes_and_takes_none_from_the_sign_in(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    def proves(said: str) -> int:
        owner.opens("/merchant/me")
        return owner.sends("/merchant/me/second-factor/remove", proof=said).status_code

    owner.enrols()
    for number in range(10):
        world.clock.now += timedelta(minutes=6)
        owner.address = f"198.51.100.{number}"
        assert proves("000000") == 403
    owner.opens("/merchant/me")
    world.clock.now -= timedelta(minutes=5, seconds=59)
    told = []
    for number in range(10, 21):
        owner.address = f"198.51.100.{number}"
        told.append(proves("000000"))
    assert told == [403] * 9 + [429] * 2, "one of them a moment before"
    owner.signs_out()
    owner.signs_in()
    world.clock.now += timedelta(minutes=1)
    assert types_code(owner, owner.code()) == 303


def added(clerk: Clerk, **fields: str) -> int:
    clerk.opens("/merchant/me/second-factor")
    return clerk.sends("/merchant/me/second-factor/start", **fields).status_code


def test_who_found_an_open_browser_adds_no_phone_of_their_own(world: World, owner: Clerk) -> None:
    world.clock.now += timedelta(minutes=6)
    assert added(owner) == 403
    assert added(owner, proof="a guess") == 403
    assert owner.row().totp_sealed is None
    assert added(owner, proof=PASSWORD) == 303
    owner.opens("/merchant/me/second-factor")
    owner.secret = re.findall(r'<code class="secret">(\w+)</code>', owner.text)[0]
    world.clock.now += timedelta(minutes=6)
    owner.opens("/merchant/me/second-factor")
    assert owner.secret not in owner.text, "nor one that was begun and left"
    assert owner.sends("/merchant/me/second-factor", code=owner.code()).status_code == 403
    assert not owner.row().has_second_factor
    assert owner.sends("/merchant/me/second-factor", code=owner.code(), proof=PASSWORD).status_code == 200
    assert owner.row().has_second_factor
