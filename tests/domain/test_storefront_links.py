"""Storefront links: only what the merchant signed is read, whatever else is tried."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.domain.link_problems import WORDS, Wrong
from checkout.domain.signing import sign_request
from checkout.domain.storefront_links import PARAMETERS, BadLink, is_signed_with, order_of, read_link

KEY = "a client key"
ASKED = {
    "appcode": "APP", "sign_type": "sha256", "paysource": "remotepay_checkout", "txamt": "8800", "txcurrcd": "HKD",
    "out_trade_no": "7", "return_url": "https://shop.example/?a=1&b=2", "failed_url": "https://shop.example/f",
    "notify_url": "https://shop.example/n", "goods_name": "Tea 100% 茶+",
}  # fmt: skip
SIGN = sign_request(ASKED, KEY, "sha256")
QUERY = "&".join(f"{name}={quote(value, safe='')}" for name, value in (ASKED | {"sign": SIGN}).items()).encode()


def accepted(query: bytes) -> list[dict[str, str]]:
    """Each reading of the query that the key has signed; none when it is no link at all."""
    try:
        return [dict(params) for params in read_link(query) if is_signed_with(params, KEY)]
    except BadLink:
        return []


def test_what_was_signed_is_what_is_read() -> None:
    assert accepted(QUERY) == [ASKED | {"sign": SIGN}]
    assert order_of(accepted(QUERY)[0]).description == "Tea 100% 茶+"


@pytest.mark.parametrize("at", range(len(QUERY)))
def test_no_byte_can_be_exchanged(at: int) -> None:
    """A changed byte is refused, or says the very same: `%2f` for `%2F`, a sign in capital letters."""
    for byte in (QUERY[at] ^ 1, QUERY[at] ^ 0x20, ord("&"), ord("="), ord("+"), ord("0")):
        changed = QUERY[:at] + bytes([byte]) + QUERY[at + 1 :]
        for params in accepted(changed):
            assert {n: v for n, v in params.items() if n != "sign"} == ASKED
            assert params["sign"].lower() == SIGN


@given(st.binary(max_size=200), st.integers(0, len(QUERY)), st.integers(0, 40))
@settings(max_examples=300)
def test_nothing_can_be_put_in_or_taken_out(piece: bytes, at: int, gone: int) -> None:
    changed = QUERY[:at] + piece + QUERY[at + gone :]
    for params in accepted(changed):
        told = {n: v for n, v in params.items() if n not in ("sign", "lang") and v}
        assert told == ASKED


@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS)), st.text(max_size=70), min_size=1))
@settings(max_examples=300)
def test_whatever_a_link_holds_it_is_read_or_told_what_is_wrong(params: dict[str, str]) -> None:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in (ASKED | {"sign": SIGN} | params).items())
    for read in accepted(query.encode()):
        assert order_of(read).amount == 8800


def test_a_value_cannot_carry_another_parameter_over() -> None:
    """`Tea&txamt=1` signed as a name must not be read as an amount, nor the other way round."""
    with pytest.raises(BadLink) as caught:
        read_link(QUERY.replace(b"goods_name=Tea", b"goods_name=Tea%26txamt%3D1"))
    assert [problem.kind for problem in caught.value.problems] == [Wrong.HOLDS_ANOTHER]


def test_every_problem_has_words() -> None:
    assert set(WORDS) == set(Wrong)
