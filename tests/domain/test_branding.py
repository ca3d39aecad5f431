"""Whatever colours a merchant picks, what the page makes of them can be read."""

import random
import re

import pytest

from checkout.domain.branding import (
    DARK_GROUNDS,
    LIGHT_GROUNDS,
    PARTS,
    TEXT,
    Brand,
    check_colour,
    contrast,
    style_of,
    worn_accents,
)
from checkout.domain.errors import Invalid

# Worked examples of others: WebAIM's contrast checker and the W3C's own #767676 on white.
KNOWN = [
    ("#000000", "#ffffff", 21.0),
    ("#767676", "#ffffff", 4.54),
    ("#0000ff", "#ffffff", 8.59),
    ("#777777", "#777777", 1),
]
# On which grounds each token of a sheet stands, and how much contrast it owes them.
BANNER_OWES = [("foam", ("harbour", "deep"), TEXT), ("mist", ("harbour", "deep"), TEXT)]
BUTTON_OWES = [("on-accent", ("accent", "pressed"), TEXT)]
EDGES = ["#000000", "#ffffff", "#777777", "#808080", "#ffff00", "#0000ff", "#00ff00", "#ff0000"]


def palettes() -> list[tuple[str, str]]:
    picked = random.Random(20260310)  # the same two hundred each time
    colours = [f"#{picked.randrange(1 << 24):06x}" for _ in range(400)]
    return [*zip(colours[::2], colours[1::2], strict=True), *((one, other) for one in EDGES for other in EDGES)]


def sheets(style: str) -> tuple[dict[str, str], dict[str, str], str]:
    """Light, dark, and the colour of the focus on the banner, as a browser reads them from the sheet."""
    light, dark = re.findall(r":root\{([^}]*)\}", style)
    focus = re.search(r"\.order\{--focus:(#\w{6})\}", style)
    read = [dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part)) for part in (light, dark)]
    return read[0], read[1], focus[1] if focus else ""


@pytest.mark.parametrize(("one", "other", "expected"), KNOWN)
def test_contrast_is_what_wcag_says(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(expected, abs=0.005)


def test_two_hundred_palettes_leave_nothing_that_cannot_be_read() -> None:
    for banner, accent in palettes():
        light, dark, focus = sheets(style_of(Brand(banner=banner, accent=accent)))
        for tokens, grounds in ((light, LIGHT_GROUNDS), (dark, DARK_GROUNDS)):
            assert tokens["harbour"] == banner, "the banner itself is the merchant's"
            for name, on, wanted in BANNER_OWES + BUTTON_OWES:
                assert all(contrast(tokens[name], tokens[ground]) >= wanted for ground in on), (banner, accent, name)
            assert all(contrast(tokens["accent"], ground) >= TEXT for ground in grounds), (accent, tokens)
            assert all(contrast(focus, tokens[ground]) >= PARTS for ground in ("harbour", "deep")), banner


def test_what_is_said_of_a_corrected_colour_is_what_the_sheet_wears() -> None:
    for _, accent in palettes():
        light, dark, _focus = sheets(style_of(Brand(accent=accent)))
        worn = {one.theme: one for one in worn_accents(accent)}
        assert (worn["light"].colour, worn["dark"].colour) == (light["accent"], dark["accent"])
        for one in worn.values():
            assert one.contrast >= TEXT
            assert one.corrected == (one.contrast_said < TEXT), accent


def test_a_colour_that_can_be_read_is_left_alone() -> None:
    light, _dark, _focus = sheets(style_of(Brand(banner="#0b3a41", accent="#0a685e")))
    assert (light["harbour"], light["accent"], light["on-accent"]) == ("#0b3a41", "#0a685e", "#ffffff")


def test_a_sheet_changes_only_what_was_said() -> None:
    assert style_of(Brand(name="Bo's Tea")) == ""
    assert "--accent" not in style_of(Brand(banner="#ffcc00"))
    assert "--harbour" not in style_of(Brand(accent="#ffcc00"))


@pytest.mark.parametrize(("given", "colour"), [("#0A685E", "#0a685e"), ("0a5", "#00aa55"), (" #fff ", "#ffffff")])
def test_a_colour_is_six_hex_digits_however_it_is_written(given: str, colour: str) -> None:
    assert check_colour("accent", given) == colour


@pytest.mark.parametrize(
    "given",
    ["red", "#12", "#12345", "#1234567", "#12345g", "rgb(1,2,3)", "#fff}", "#fff;x:url(//e)", "\uff11\uff12\uff13"],
)
def test_nothing_else_is_a_colour(given: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_colour("accent", given)
    assert set(refused.value.errors) == {"accent"}


def test_what_was_not_checked_reaches_no_sheet() -> None:
    with pytest.raises((ValueError, IndexError)):
        style_of(Brand(banner="#fff}*{x:y"))
