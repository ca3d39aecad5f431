"""Which passwords may be had, and how they are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.passwords import normal, problem_with
from checkout.domain.roles import ALLOWED, NEEDS_PROOF, May, StaffRole, may
from checkout.services import passwords


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("correct horse battery", None), ("港式奶茶走甜加冰唔該晒你呀", None), ("elevenchars", "short"),
        ("x" * 129, "long"),
        ("aaaaaaaaaaaaaaaa", "plain"), ("123456789012", "plain"), ("abcdefghijkl", "plain"), ("asdfghjklzxc", "plain"),
        ("Password2026!", "known"), ("P@ssw0rd2026!", "known"), ("!!!qwerty12345", "known"), ("bo.bo.2026!!", "known"),
        ("bo@shop.example", "known"), ("Ｐａｓｓｗｏｒｄ２０２６！", "known"),
    ],
)  # fmt: skip
def test_a_password_is_long_and_not_the_first_guess(password: str, problem: str | None) -> None:
    assert problem_with(password, email="bo@shop.example") == problem


@given(st.text(max_size=300))
def test_every_text_is_judged(text: str) -> None:
    assert problem_with(text, email="bo@shop.example") in (None, "short", "long", "plain", "known")


def test_a_password_is_known_again_however_it_was_typed() -> None:
    digest = passwords.digest_of("Caf\u00e9 au lait, two")
    assert passwords.is_password(digest, "Cafe\u0301 au lait, two")
    assert not passwords.is_password(digest, "Cafe au lait, two")
    assert not passwords.is_password(None, "")
    assert not passwords.is_password("no digest", "Caf\u00e9 au lait, two")
    assert normal("ａ") == "a"


def test_nobodys_digest_costs_as_much_as_everybodys() -> None:
    assert not passwords.is_outdated(passwords._NOBODYS)


def test_each_role_may_all_that_the_one_below_may() -> None:
    viewer, operator, owner = (ALLOWED[role] for role in (StaffRole.VIEWER, StaffRole.OPERATOR, StaffRole.OWNER))
    assert viewer < operator < owner == frozenset(May)
    assert NEEDS_PROOF.isdisjoint(viewer)
    assert not may(StaffRole.VIEWER, May.REFUND)
