"""Text of strangers beside our own: nothing may hide in it or turn it round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.text import has_controls, plain

# fmt: off
TEXTS = {
    "Bo's Tea":                     "Bo's Tea",
    "  Bo's \t\n Tea ":             "Bo's Tea",
    "茶餐廳 “好” — café":            "茶餐廳 “好” — café",
    "\u202eHK$1.00\u202c":          "HK$1.00",        # right-to-left override: would show 00.1$KH
    "a\u2066b\u2069c":              "abc",            # isolates
    "pay\u200bpal":                 "paypal",         # zero width space
    "a\ufeffb\u00adc":              "abc",            # byte order mark, soft hyphen
    "a\x00b\x1b[31mc":              "ab[31mc",
    "one\u2028two\u2029three":      "one two three",
    "👨\u200d👩\u200d👧 ❤\ufe0f":     "👨\u200d👩\u200d👧 ❤\ufe0f",  # families and hearts stay whole
    "":                             "",
}
# fmt: on


@pytest.mark.parametrize(("written", "shown"), TEXTS.items())
def test_what_hides_is_left_out(written: str, shown: str) -> None:
    assert plain(written) == shown


@given(st.text())
def test_plain_text_is_one_line_and_stays_as_it_is(text: str) -> None:
    shown = plain(text)
    assert not has_controls(shown)
    assert "\n" not in shown
    assert plain(plain(shown)) == plain(shown)


@pytest.mark.parametrize(
    ("text", "has"), [("tea", False), ("茶 🍵", False), ("a\tb", True), ("a\x7f", True), ("\ud800", True), ("", False)]
)
def test_control_characters_are_found(text: str, has: bool) -> None:
    assert has_controls(text) is has
