"""Signing in with a passkey: one touch for password and code, and what must not pass for one (safety.md S27)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from checkout.services.passkeys import ANSWERED_WITHIN
from checkout.services.throttling import QUESTIONS
from checkout.store.passkeys import Challenge
from tests.office.authenticator import PRESENT, VERIFIED, Authenticator, Lie, bytes_of, text_of
from tests.office.cast import Clerk
from tests.office.devices import GARBAGE, SIGN_IN, adds, asked, is_in, touches, written
from tests.stories.cast import Merchant, World

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
A_MOMENT = timedelta(seconds=1)


def test_a_passkey_is_password_and_code_in_one(world: World, owner: Clerk, laptop: Authenticator) -> None:
    owner.enrols()
    assert adds(owner, laptop) == 303
    owner.opens("/merchant/me")
    assert "Blue laptop" in owner.sees()
    assert "not used yet" in owner.sees()
    owner.signs_out()
    owner.opens("/merchant/sign-in")
    before = owner.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert touches(owner, laptop, next=owner.at("/takings")) == 303
    assert owner.page
    assert owner.page.headers["Location"] == owner.at("/takings")
    after = owner.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert before
    assert after
    assert before.value != after.value
    assert is_in(owner)
    owner.opens("/merchant/me")
    assert "not used yet" not in owner.sees()
    assert written(world)[-4:] == ["second_factor_added", "passkey_added", "signed_out", "signed_in_by_passkey"]
    assert world.violations() == []


LIES: dict[str, Callable[[], Lie]] = {
    "another site asked": lambda: Lie(origin="https://pay.sampan.example.evil.example"),
    "our name without encryption": lambda: Lie(origin="http://pay.sampan.example"),
    "a key of another site": lambda: Lie(site="sampan.example"),
    "a page in a frame asked": lambda: Lie(framed=True),
    "nobody was verified": lambda: Lie(flags=PRESENT),
    "nobody was there": lambda: Lie(flags=VERIFIED),
    "made, not used": lambda: Lie(kind="webauthn.create"),
    "a question of nobody": lambda: Lie(challenge=text_of(bytes(32))),
    "a passkey of nobody": lambda: Lie(id=b"nobody's passkey"),
    "speaks for somebody else": lambda: Lie(handle=text_of(b"somebody else")),
    "speaks for nobody": lambda: Lie(handle=None),
    "another key signed": lambda: Lie(secret=ec.generate_private_key(ec.SECP256R1())),
    "an altered signature": lambda: Lie(spoil="signature"),
    "altered data": lambda: Lie(spoil="authenticatorData"),
    "altered words": lambda: Lie(spoil="clientDataJSON"),
    "used before": lambda: Lie(step=0),
    "used long before": lambda: Lie(step=-3),
}  # fmt: skip


def test_what_is_not_a_passkey_of_ours_signs_nobody_in(world: World, holder: Clerk, laptop: Authenticator) -> None:
    for _ in range(4):
        assert touches(holder, laptop) == 303
        holder.signs_out()
    words = set()
    for name, lie in LIES.items():
        count = laptop.keys[-1].uses
        world.clock.now += timedelta(minutes=16)  # or else the limit would refuse them, and the log tell of a few
        assert touches(holder, laptop, lie()) == 422, name
        words.add(holder.sees().partition("E-mail")[0])
        assert not is_in(holder), name
        laptop.keys[-1].uses = count
    for garbage in GARBAGE:
        world.clock.now += timedelta(minutes=6)
        holder.opens("/merchant/sign-in")
        assert holder.sends(SIGN_IN, credential=garbage).status_code == 422, garbage
        assert not is_in(holder)
    assert len(words) == 2, "too late, and not accepted: no more is told"
    assert touches(holder, laptop) == 303, "and the honest one still works"
    log = written(world)
    assert (log.count("passkey_copied"), log.count("denied_passkey")) == (2, 13), "each told, spread over so long"
    assert world.violations() == []


def test_an_answer_counts_once_in_the_browser_that_was_asked_and_for_five_minutes(
    world: World, bo: Merchant, holder: Clerk, laptop: Authenticator
) -> None:
    def answer(*, late: timedelta = A_MOMENT, by: Clerk = holder) -> int:
        world.clock.now += late
        by.opens("/merchant/sign-in")
        status = by.sends(SIGN_IN, credential=said).status_code
        assert status == 303 or "took too long, or was answered" in by.sees()
        return status

    holder.opens("/merchant/sign-in")
    said = laptop.uses(asked(holder, f"{SIGN_IN}/options"))
    thief = Clerk(world, bo, "thief@bo.example", address="198.51.100.9")
    assert answer(by=thief) == 422, "a question belongs to one browser"
    assert answer() == 303
    holder.signs_out()
    assert answer() == 422, "a signature that was seen is worth nothing"
    said = laptop.uses(asked(holder, f"{SIGN_IN}/options"))
    assert answer(late=ANSWERED_WITHIN) == 422
    said = laptop.uses(asked(holder, f"{SIGN_IN}/options"), Lie(spoil="signature"))
    holder.sends(SIGN_IN, credential=said)
    assert answer() == 422, "a wrong answer was an answer"


def test_of_two_who_send_one_answer_at_once_one_is_let_in(holder: Clerk, laptop: Authenticator) -> None:
    holder.opens("/merchant/sign-in")
    said = laptop.uses(asked(holder, f"{SIGN_IN}/options"))
    fields = {"csrf_token": holder.token(), "credential": said}
    copies = [Clerk(holder.world, holder.shop, holder.email) for _ in range(4)]
    cookie = holder.client.get_cookie("__Host-sampan", domain="pay.sampan.example")
    assert cookie
    for copy in copies:
        copy.client.set_cookie("__Host-sampan", cookie.value, domain="pay.sampan.example")
    with ThreadPoolExecutor(len(copies)) as threads:
        statuses = list(threads.map(lambda copy: copy.asks("POST", SIGN_IN, data=fields).status_code, copies))
    assert sorted(statuses) == [303, 422, 422, 422]


@ONE_DATABASE
def test_who_guesses_a_password_keeps_no_passkey_out_and_passkeys_are_limited_too(
    world: World, bo: Merchant, holder: Clerk, laptop: Authenticator
) -> None:
    statuses = [holder.signs_in(f"guess number {number}").status_code for number in range(11)]
    assert statuses[-1] == 429
    phone = Authenticator()
    for number in range(12):
        assert touches(holder, laptop) == 303, "whoever is right is not counted"
        assert number or adds(holder, phone) == 303
        holder.signs_out()
    thief = Clerk(world, bo, "thief@bo.example", address="198.51.100.9")
    statuses = [touches(thief, laptop, Lie(spoil="signature")) for _ in range(12)]
    assert statuses == [422] * 10 + [429] * 2
    assert thief.page
    assert 0 < int(thief.page.headers["Retry-After"]) <= 300
    assert touches(holder, laptop) == 303, "at the desk where they have been"
    assert touches(thief, phone) == 303, "and from there with another one"


@ONE_DATABASE
def test_after_the_password_a_passkey_does_for_the_code(world: World, owner: Clerk, laptop: Authenticator) -> None:
    owner.enrols()
    adds(owner, laptop)
    owner.signs_out()
    owner.signs_in()
    owner.opens("/merchant/sign-in/code")
    options = asked(owner, f"{SIGN_IN}/options")
    assert not is_in(owner)
    owner.opens("/merchant/sign-in/code")
    assert owner.sends(SIGN_IN, credential=laptop.uses(options)).status_code == 303
    assert is_in(owner)


@ONE_DATABASE
def test_questions_are_counted_and_leave_nothing_behind(world: World, holder: Clerk) -> None:
    holder.opens("/merchant/sign-in")
    told = [asked(holder, f"{SIGN_IN}/options") for _ in range(3)]
    assert [one["allowCredentials"] for one in told] == [[]] * 3, "nothing says whose passkeys are ours"
    assert len({one["challenge"] for one in told}) == 3
    assert {len(bytes_of(one["challenge"])) for one in told} == {32}
    with world.parts.sessions() as db:
        stored = db.scalars(select(Challenge.digest)).all()
        assert len(stored) >= 3
        assert not {one["challenge"] for one in told} & set(stored)
    statuses = [asked(holder, f"{SIGN_IN}/options")["status"] for _ in range(QUESTIONS.tries - 2)]
    assert statuses == [200] * (QUESTIONS.tries - 3) + [429]
    world.clock.now += QUESTIONS.within
    asked(holder, f"{SIGN_IN}/options")
    with world.parts.sessions() as db:
        assert len(db.scalars(select(Challenge.digest)).all()) == 1
