"""The checker names the mistake that was made, and never shows what would be right."""

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from checkout.domain.link_checking import MASK, check_link, query_of
from tests.stories.storefront import ALGORITHMS, encode, link, order, sign

KEY = "Client-Key-1"
ASKED = order("APP")


def joined(asked: dict[str, str]) -> str:
    return "&".join(f"{name}={asked[name]}" for name in sorted(asked))


def signed(text: str) -> str:
    return encode(ASKED | {"sign": hashlib.sha256(text.encode()).hexdigest()})


MADE: list[tuple[str, str]] = [
    (signed("&".join(f"{n}={v}" for n, v in ASKED.items()) + KEY), "not sorted by name"),
    (signed(joined({n: quote(v, safe="") for n, v in ASKED.items()}) + KEY), "percent-encoded before"),
    (signed(joined({n: quote_plus(v) for n, v in ASKED.items()}) + KEY), "percent-encoded before"),
    (signed(joined(ASKED) + "&" + KEY), "“&” before the key"),
    (signed(joined(ASKED) + "&key=" + KEY), "“&key=”"),
    (signed(joined(ASKED) + KEY + "\n"), "line end stands after the key"),
    (signed(joined(ASKED) + KEY.lower()), "small letters"),
    (signed(joined(ASKED)), "No key was added"),
    (signed(KEY + joined(ASKED)), "stands before the text"),
    (signed(joined({n: v for n, v in ASKED.items() if n != "sign_type"}) + KEY), "sign_type was left out"),
    (link(ASKED | {"sign_type": "md5"}, KEY).replace("sign_type=md5", "sign_type=sha256"), "sign must be 64"),
    (encode(ASKED | {"sign": ALGORITHMS["md5"]((joined(ASKED) + KEY).encode()).hexdigest()}), "made with md5"),
    (encode(ASKED | {"sign": hmac.new(KEY.encode(), joined(ASKED).encode(), "sha256").hexdigest()}), "HMAC"),
    (encode(ASKED | {"sign": hashlib.sha256((joined(ASKED) + KEY).encode("gb18030")).hexdigest()}), "as gb18030"),
    (link(ASKED, KEY).replace("%3Fo%3D7%26t%3Da", "?o=7&t=a"), "return_url holds “&”"),
    (encode({n: quote(v, safe="") for n, v in ASKED.items()} | {"sign": sign(ASKED, KEY)}), "percent-encoded twice"),
]


@pytest.mark.parametrize(("query", "said"), MADE, ids=[said for _, said in MADE])
def test_a_usual_mistake_is_named(query: str, said: str) -> None:
    checked = check_link(query.encode(), KEY)
    assert not checked.right
    words = [mistake.words % {"name": mistake.name} for mistake in checked.mistakes] + list(map(str, checked.problems))
    assert said in " ".join(words)
    assert len(checked.mistakes) <= 2


def test_a_right_signature_is_right_and_a_wrong_key_is_no_usual_mistake() -> None:
    assert check_link(link(ASKED, KEY).encode(), KEY).right
    wrong = check_link(link(ASKED, "another key").encode(), KEY)
    assert (wrong.right, wrong.mistakes) == (False, ())


def test_neither_the_key_nor_a_right_signature_is_ever_shown() -> None:
    for query in (signed(joined(ASKED) + "&" + KEY), encode(ASKED | {"sign": "0" * 64}), encode(ASKED)):
        checked = check_link(query.encode(), KEY)
        assert KEY not in repr(checked)
        assert sign(ASKED, KEY) not in repr(checked).lower()
        assert checked.signed == joined(ASKED) + MASK


def test_without_a_key_nothing_is_said_of_the_signature() -> None:
    for query in (link(ASKED, KEY), link(ASKED, "another key")):
        checked = check_link(query.encode(), None)
        assert (checked.right, checked.mistakes) == (None, ())


@pytest.mark.parametrize(
    "paste",
    [
        lambda query: f"https://pay.example/checkout?{query}",
        lambda query: f"https://pay.example/checkstand/#/?{query}",
        lambda query: f"https://pay.example/checkstand/?fbclid=1#/?{query}",
        lambda query: f"  https://pay.example/checkout?{query[:50]}\n{query[50:]}\n",
        lambda query: query,
    ],
)
def test_a_link_may_be_pasted_in_any_form(paste: Callable[[str], str]) -> None:
    assert check_link(query_of(paste(link(ASKED, KEY))), KEY).right
