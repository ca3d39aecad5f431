"""Signing in: who may, who may not, and what somebody who guesses learns (safety.md S27, S28)."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from checkout.background import Worker
from checkout.services.sign_ins import AT_MOST, IDLE
from checkout.services.throttling import ACCOUNT, Caller, count_try, forget_tries
from checkout.store.models import IdempotencyKey
from checkout.store.people import Person, SignIn, WrongTries
from tests.hostile.test_lanes import soon
from tests.office.cast import PASSWORD, Clerk
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the same queries on both


def is_in(clerk: Clerk) -> bool:
    clerk.opens(clerk.at("/payments"))
    return clerk.status == 200


def test_an_invitation_sets_a_password_once_and_ends_after_a_week(world: World, bo: Merchant) -> None:
    dan = Clerk(world, bo, "Dan@Bo.example")
    dan.is_invited("operator")
    assert dan.arrives("short").status_code == 422
    assert dan.arrives(PASSWORD).status_code == 303
    assert is_in(dan)
    assert dan.arrives("another four quiet boats").status_code == 404
    eve = Clerk(world, bo, "eve@bo.example")
    eve.is_invited("viewer")
    world.clock.now += timedelta(days=7)
    assert eve.arrives(PASSWORD).status_code == 404


def test_a_name_that_no_database_holds_is_refused(world: World, bo: Merchant) -> None:
    nobody = Clerk(world, bo, "a\0b@bo.example")
    assert nobody.signs_in().status_code == 400


@pytest.mark.parametrize(
    ("password", "words"),
    [("eleven char", "At least 12"), ("P@ssw0rd2026!", "first that a stranger"), ("qwertyuiopas", "row of keys"),
     ("aaaaaaaaaaaa", "row of keys"), ("zoe.zoe.2026.", "first that a stranger"), ("x" * 129, "at most 128")],
)  # fmt: skip
def test_a_password_that_a_stranger_would_try_first_is_refused(
    world: World, bo: Merchant, password: str, words: str
) -> None:
    zoe = Clerk(world, bo, "zoe@bo.example")
    zoe.is_invited("viewer")
    assert zoe.arrives(password).status_code == 422
    assert words in zoe.sees()


def test_an_unknown_address_and_a_wrong_password_read_and_take_the_same(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    def guess(email: str) -> tuple[str, float]:
        stranger = Clerk(world, bo, email, address=f"198.51.100.{len(times) % 250}")
        stranger.opens("/merchant/sign-in")
        began = time.perf_counter()
        answer = stranger.sends("/merchant/sign-in", email=email, password="four quiet boats at night")
        times.append(time.perf_counter() - began)
        assert answer.status_code == 422
        return stranger.sees(), times[-1]

    times: list[float] = []
    pairs = [(guess(owner.email), guess("nobody@bo.example")) for _ in range(8)]  # in turn: both meet the same weather
    known, unknown = zip(*pairs, strict=True)
    assert {text for text, _ in known} == {text for text, _ in unknown}
    fast, slow = sorted(min(took for _, took in each) for each in (known, unknown))
    assert slow < fast * 2, "without the work on a password an unknown address would answer many times faster"


def test_who_guesses_is_slowed_down_and_the_person_at_their_desk_is_not(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    thief = Clerk(world, bo, owner.email, address="198.51.100.1")
    statuses = [thief.signs_in(f"guess number {number}").status_code for number in range(12)]
    assert statuses == [422] * 10 + [429] * 2
    assert thief.page
    assert int(thief.page.headers["Retry-After"]) <= 300
    assert thief.signs_in(PASSWORD).status_code == 429, "also when the guess is right at last"
    owner.signs_out()
    assert owner.signs_in().status_code == 303
    world.clock.now += timedelta(minutes=5, seconds=1)
    assert thief.signs_in("once more").status_code == 422


def test_guesses_from_many_addresses_shut_out_no_desk_where_the_person_has_been(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    with world.parts.sessions() as db:
        for number in range(ACCOUNT.tries):
            count_try(db, Caller(owner.email, f"2001:db8:{number:x}::1"), world.clock.now)
    assert Clerk(world, bo, owner.email, address="2001:db8:ffff::1").signs_in().status_code == 429
    owner.signs_out()
    assert owner.signs_in().status_code == 303


def test_counts_that_limit_nothing_any_more_are_dropped_and_a_known_desk_is_remembered(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    def kept() -> int:
        with world.parts.sessions() as db:
            forget_tries(db, world.clock.now)
            return db.query(WrongTries).count()

    owner.signs_out()
    owner.signs_in()
    world.clock.now += timedelta(days=1)
    desk = kept()
    assert desk == 1, "who has signed in from there, and nothing else"
    with world.parts.sessions() as db:
        for number in range(40):
            count_try(db, Caller(f"{number}@guessed.example", f"2001:db8:{number:x}::1"), world.clock.now)
    world.clock.now += timedelta(days=1, seconds=-1)
    assert kept() == desk + 3 * 40, "what still limits somebody is kept"
    world.clock.now += timedelta(seconds=1)
    assert kept() == desk
    with world.parts.sessions() as db:
        for number in range(ACCOUNT.tries):
            count_try(db, Caller(owner.email, f"2001:db8:{number:x}::1"), world.clock.now)
    assert owner.signs_in().status_code == 303
    world.clock.now += timedelta(days=365)
    assert kept() == 0


def test_a_running_worker_drops_counts_and_first_answers_by_itself(world: World, bo: Merchant) -> None:
    def kept() -> list[int]:
        with world.parts.sessions() as db:
            return [db.query(table).count() for table in (WrongTries, IdempotencyKey)]

    bo.api("POST", "/v1/checkout-sessions", bo.order(), Idempotency_Key="A-1")
    Clerk(world, bo, "nobody@bo.example").signs_in()
    assert min(kept()) > 0
    world.clock.now += timedelta(days=8)
    worker = Worker(world.parts)
    worker.start()
    try:
        assert soon(lambda: kept() == [0, 0], 20)
    finally:
        worker.stop()


@pytest.mark.parametrize("body", ["[1]", '"x"', "5", '{"email": 5, "password": ["x"]}'])
def test_json_is_no_form_here_either(owner: Clerk, body: str) -> None:
    owner.signs_out()
    owner.opens("/merchant/sign-in")
    headers = {"X-CSRFToken": owner.token()}
    owner.asks("POST", "/merchant/sign-in", data=body, content_type="application/json", headers=headers)
    assert owner.status == 422
    assert not is_in(owner)


def test_a_cookie_planted_before_the_sign_in_is_worth_nothing_after_it(
    world: World, bo: Merchant, owner: Clerk
) -> None:
    owner.signs_out()
    owner.opens("/merchant/sign-in")
    planted = owner.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert planted
    owner.sends("/merchant/sign-in", email=owner.email, password=PASSWORD)
    assert is_in(owner)
    thief = Clerk(world, bo, "thief@bo.example")
    thief.client.set_cookie("__Host-sampan", planted.value, domain="pay.sampan.example")
    assert not is_in(thief)


def test_each_sign_in_has_a_name_of_its_own_and_only_its_digest_is_stored(world: World, owner: Clerk) -> None:
    digests = set()
    for _ in range(3):
        owner.signs_out()
        owner.signs_in()
        cookie = owner.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
        with world.parts.sessions() as db:
            digests.add(db.query(SignIn).one().digest)
        assert cookie
        assert not {digest for digest in digests if digest in cookie.decoded_value}
    assert len(digests) == 3


def test_the_cookie_is_for_this_host_alone_and_for_no_script(owner: Clerk) -> None:
    owner.signs_out()
    cookie = owner.signs_in().headers["Set-Cookie"]
    assert cookie.startswith("__Host-sampan=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie.split("; ")
    assert "Domain" not in cookie


def test_a_stolen_cookie_is_worth_nothing_after_the_sign_out(world: World, bo: Merchant, owner: Clerk) -> None:
    copied = owner.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert copied
    owner.signs_out()
    thief = Clerk(world, bo, "thief@bo.example")
    thief.client.set_cookie("__Host-sampan", copied.value, domain="pay.sampan.example")
    assert not is_in(thief)


def test_signing_out_everywhere_ends_every_browser(world: World, bo: Merchant, owner: Clerk) -> None:
    phone = Clerk(world, bo, owner.email, address="203.0.113.8")
    phone.signs_in()
    assert is_in(phone)
    owner.sends("/merchant/sign-out-everywhere")
    assert not is_in(phone)
    assert not is_in(owner)


def test_half_an_hour_of_silence_or_half_a_day_ends_a_sign_in(world: World, owner: Clerk) -> None:
    begun = world.clock.now
    while world.clock.now - begun < AT_MOST - IDLE:
        world.clock.now += IDLE - timedelta(minutes=1)
        assert is_in(owner)
    world.clock.now = begun + AT_MOST
    assert not is_in(owner)
    owner.signs_in()
    world.clock.now += IDLE
    assert not is_in(owner)


def test_another_password_ends_every_sign_in(world: World, owner: Clerk) -> None:
    owner.opens("/merchant/me")
    assert owner.sends("/merchant/me/password", password="five louder boats at midnight").status_code == 303
    assert not is_in(owner)
    assert owner.signs_in(PASSWORD).status_code == 422
    assert owner.signs_in("five louder boats at midnight").status_code == 303


def test_a_password_is_hashed_anew_when_the_parameters_have_changed(world: World, owner: Clerk) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with world.parts.sessions() as db:
        db.query(Person).update({Person.password_digest: old})
        db.commit()
    owner.signs_out()
    assert owner.signs_in().status_code == 303
    assert "m=19456,t=2,p=1" in (owner.row().password_digest or "")


def test_a_link_leads_on_after_the_sign_in_and_never_out_of_the_back_office(owner: Clerk) -> None:
    wanted = owner.at("/reviews")
    owner.signs_out()
    owner.opens(wanted)
    assert owner.page
    owner.opens(owner.page.headers["Location"])
    answer = owner.sends("/merchant/sign-in", email=owner.email, password=PASSWORD)
    assert answer.headers["Location"] == wanted
    for evil in ("//evil.example", "https://evil.example", "/merchant//evil.example", "/merchant/\\evil", "/pay/x"):
        owner.signs_out()
        owner.opens("/merchant/sign-in")
        answer = owner.sends("/merchant/sign-in", email=owner.email, password=PASSWORD, next=evil)
        assert answer.headers["Location"] == "/merchant"


@pytest.mark.parametrize("form", [{}, {"csrf_token": "x"}, {"csrf_token": ""}])
def test_a_form_without_our_token_changes_nothing(owner: Clerk, form: dict[str, str]) -> None:
    assert owner.asks("POST", "/merchant/sign-out", data=form).status_code == 400
    assert is_in(owner)


def test_a_form_of_another_site_changes_nothing(owner: Clerk, hired: Callable[..., Clerk], bo: Merchant) -> None:
    token = owner.token()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert owner.asks("POST", "/merchant/sign-out", data={"csrf_token": token}, headers=headers).status_code == 403
    other = hired(bo, "viewer")
    other.signs_in()
    assert other.asks("POST", "/merchant/sign-out", data={"csrf_token": token}).status_code == 400
    assert is_in(owner)
    assert is_in(other)
