"""A merchant's looks as data: a name, two colours, a logo; and what becomes of the colours so that all can read."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checkout.domain.errors import Invalid
from checkout.domain.logos import Logo

TEXT, PARTS = 4.5, 3.0  # WCAG 2.2 AA: 1.4.3 for text, 1.4.11 for focus rings and the edges of controls
LONGEST_NAME = 80
HEX = re.compile(r"#[0-9a-f]{6}")
WHITE, BLACK = "#ffffff", "#000000"
# The grounds of static/pay/tokens.css on which the accent stands as text: paper, well and the page around them.
LIGHT_GROUNDS = ("#ffffff", "#f3f7f6", "#e9efee", "#fbeed6")
DARK_GROUNDS = ("#101d20", "#17272a", "#081315", "#362a13")
GROUNDS = {"light": LIGHT_GROUNDS, "dark": DARK_GROUNDS}
STEPS = 64  # from a colour to black or white


@dataclass(frozen=True)
class Brand:
    """What the merchant said: colours as `#rrggbb`, empty where it said nothing."""

    name: str = ""
    banner: str = ""  # behind the order
    accent: str = ""  # buttons and links
    logo: Logo | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Brand":
        """As `as_dict` wrote it."""
        logo = stored.get("logo")
        return cls(stored.get("name", ""), stored.get("banner", ""), stored.get("accent", ""), logo and Logo(**logo))

    def as_dict(self) -> dict[str, Any]:
        said = {"name": self.name, "banner": self.banner, "accent": self.accent}
        logo = {"png": self.logo.png, "width": self.logo.width, "height": self.logo.height} if self.logo else None
        return {name: value for name, value in (said | {"logo": logo}).items() if value}


def check_name(given: str) -> str:
    """Raises Invalid."""
    name = given.strip()
    if len(name) > LONGEST_NAME or any(not letter.isprintable() for letter in name):
        raise Invalid({"name": f"must have at most {LONGEST_NAME} characters, and no control characters"})
    return name


def check_colour(field: str, given: str) -> str:
    """`#0A5` and `0a5a50` too, as `#rrggbb`. Raises Invalid: a colour is six hex digits and never CSS."""
    text = given.strip().lower().removeprefix("#")
    text = "#" + ("".join(digit * 2 for digit in text) if len(text) == 3 else text)
    if not HEX.fullmatch(text):
        raise Invalid({field: "must be a colour such as #0a685e"})
    return text


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, as WCAG 2.2 defines it."""
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def contrast(one: str, other: str) -> float:
    """1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """`share` of the other colour, 0 to 1, in it."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def readable(colour: str, grounds: Iterable[str], wanted: float) -> str:
    """The colour itself if it can be read on all grounds, else the nearest on its way to black or to white."""
    grounds = tuple(grounds)
    ways = ((mix(colour, end, step / STEPS)) for step in range(STEPS + 1) for end in (BLACK, WHITE))
    best = max((BLACK, WHITE), key=lambda end: worst(end, grounds))
    return next((way for way in ways if worst(way, grounds) >= wanted), best)


def worst(colour: str, grounds: Iterable[str]) -> float:
    return min(contrast(colour, ground) for ground in grounds)


def text_on(ground: str) -> str:
    """Black or white, whichever is easier to read: one of the two has a contrast of 4.58 or more on any colour."""
    return max((WHITE, BLACK), key=lambda text: contrast(text, ground))


def banner_tokens(banner: str) -> dict[str, str]:
    """For static/pay/tokens.css: the ground of the order, its texts, and the ring of what has the focus there."""
    text = text_on(banner)
    deep = mix(banner, BLACK if text == WHITE else WHITE, 0.3)  # away from the text: contrast only grows
    mist = readable(mix(text, banner, 0.25), (banner, deep), TEXT)
    return {"harbour": banner, "deep": deep, "foam": text, "mist": mist, "swell": mix(banner, text, 0.2)}


def accent_tokens(accent: str, grounds: Iterable[str]) -> dict[str, str]:
    """The accent as a text on these grounds and as a button with a text of its own."""
    accent = readable(accent, grounds, TEXT)
    text = text_on(accent)
    pressed = mix(accent, BLACK if text == WHITE else WHITE, 0.25)
    return {"accent": accent, "pressed": pressed, "on-accent": text}


@dataclass(frozen=True)
class Worn:
    """What becomes of a merchant's accent in one theme. The contrasts are those with the worst ground that it has."""

    theme: str
    said: str
    colour: str
    contrast_said: float
    contrast: float

    @property
    def corrected(self) -> bool:
        return self.colour != self.said


def worn_accents(accent: str) -> tuple[Worn, ...]:
    """The accent as it is worn in each theme, for those who chose it to know."""
    return tuple(
        Worn(theme, accent, colour, worst(accent, grounds), worst(colour, grounds))
        for theme, grounds in GROUNDS.items()
        for colour in (accent_tokens(accent, grounds)["accent"],)
    )


def style_of(brand: Brand) -> str:
    """The merchant's whole style sheet: names of ours and hex digits, nothing that it wrote itself. Empty: none."""
    light, dark, focus = {}, {}, ""
    if brand.banner:
        light = banner_tokens(brand.banner)
        focus = f".order{{--focus:{light['foam']}}}"
    if brand.accent:
        light |= accent_tokens(brand.accent, LIGHT_GROUNDS)
        dark = accent_tokens(brand.accent, DARK_GROUNDS)
    # The same banner in the dark: our own sheet would put its own there.
    dark = banner_tokens(brand.banner) | dark if brand.banner else dark
    if not light:
        return ""
    return f":root{{{_declared(light)}}}@media (prefers-color-scheme:dark){{:root{{{_declared(dark)}}}}}{focus}"


def _declared(tokens: Mapping[str, str]) -> str:
    if wrong := [value for value in tokens.values() if not HEX.fullmatch(value)]:
        raise ValueError(f"not a colour: {wrong[0]!r}")
    return ";".join(f"--{name}:{value}" for name, value in tokens.items())
