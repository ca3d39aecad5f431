"""Storefront links: only what the merchant signed is read, whatever else is tried."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
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


REQUIRED = {name for name, rule in PARAMETERS.items() if rule.required} - {"sign"}

# What somebody may write into a text that a shop then signs, in the order in which names are signed.
PIECES = [
    "x", "&a=", "&failed_url=https://e.example/f", "&lang=en", "&mchntid=EVIL", "&notify_url=https://e.example/n",
    "&out_trade_no=EVIL", "&paysource=p", "&return_url=https://e.example/", "&sign=0", "&sign_type=sha256", "&txamt=1",
    "&txcurrcd=USD", "&z=", "&z_url=",
]  # fmt: skip
ATTACK = "x&notify_url=https://a.b/&out_trade_no=7&paysource=p&return_url=https://s.example/&sign_type=sha256&txamt=1"


def text_of(params: dict[str, str]) -> str:
    return "&".join(f"{name}={params[name]}" for name in sorted(params))


def link_of(params: dict[str, str], sign: str) -> bytes:
    told = params | {"sign": sign}
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in told.items()).encode()


def cuts(text: str, before: str = "", lacking: frozenset[str] = frozenset(REQUIRED)) -> Iterator[dict[str, str]]:
    """Each way to cut a signed text into names and values again that leaves the names sorted and complete."""
    name, _, rest = text.partition("=")
    if name <= before or "&" in name or any(other < name for other in lacking):
        return
    left = lacking - {name}
    for end in [at for at, character in enumerate(rest) if character == "&"]:
        yield from ({name: rest[:end]} | more for more in cuts(rest[end + 1 :], name, left))
    if not left:
        yield {name: rest}


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


@given(
    name=st.sampled_from(
        ["a", "attach", "cancel_url", "failed_url", "goods_name", "note", "return_url", "udid", "z_url"]
    ),
    left_out=st.sets(st.sampled_from(PIECES), max_size=6),
    over=st.sampled_from([set(), {"mchntid"}, {"goods_name", "mchntid"}]),
)
@example(name="goods_name", left_out=set(), over=set())
@settings(max_examples=100, deadline=None)
def test_a_signed_text_is_read_in_one_way(name: str, left_out: set[str], over: set[str]) -> None:
    """Whatever somebody wrote into one value, cutting the signed text elsewhere gives no link for something else."""
    written = "".join(piece for piece in PIECES if piece not in left_out)
    shops = {n: v for n, v in (ASKED | {"mchntid": "M"}).items() if n not in over}
    shops[name] = shops.get(name, "https://shop.example/?x=") + written
    sign = sign_request(shops, KEY, "sha256")
    for cut in cuts(text_of(shops)):
        for params in accepted(link_of(cut, sign)):
            same = {"appcode", "txamt", "txcurrcd", "out_trade_no", "sign_type"} | ({"mchntid"} & shops.keys())
            assert {n: params[n] for n in same} == {n: shops[n] for n in same}
            # An address may lose the end of its own query to a parameter that nobody reads, and nothing else.
            for url in ("return_url", "failed_url", "notify_url"):
                assert shops[url].startswith(params[url])


@pytest.mark.parametrize("name", ["note", "z", "z_url", "goods_name", "cancel_url", "failed_url", "return_url"])
def test_no_other_parameter_can_be_cut_out_of_a_value(name: str) -> None:
    said = ASKED | {name: f"https://shop.example/?x={ATTACK}"}
    with pytest.raises(BadLink) as caught:
        read_link(link_of(said, SIGN))
    assert (Wrong.HOLDS_ANOTHER, name) in [(problem.kind, problem.name) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["a&txamt", "a=1&txamt", "txamt=1", "&", "="])
def test_a_name_holds_nothing_that_parts_parameters(name: str) -> None:
    with pytest.raises(BadLink) as caught:
        read_link(link_of(ASKED | {name: "1"}, SIGN))
    assert [problem.kind for problem in caught.value.problems] == [Wrong.NAME]


def test_addresses_may_have_queries_of_their_own() -> None:
    """Where a parameter that must be there would be missing behind the cut, nobody can cut."""
    asked = ASKED | {
        "return_url": "https://shop.example/?wc-api=q&out_trade_no=7&lang=en&sign=00",
        "cancel_url": "https://shop.example/?a=1&lang=en",
        "notify_url": "https://shop.example/?a=1&goods_name=x",
    }
    sign = sign_request(asked, KEY, "sha256")
    assert accepted(link_of(asked, sign)) == [asked | {"sign": sign}]


def test_every_problem_has_words() -> None:
    assert set(WORDS) == set(Wrong)
