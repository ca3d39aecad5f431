"""A merchant's looks on a page: its style sheet with the hash by which the policy knows it, and its logo."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from checkout.domain.branding import Brand, style_of
from checkout.domain.logos import Logo
from checkout.web.assets import source_of

LOGO_HEIGHT, LOGO_WIDTH = 40, 160  # CSS pixels at most


@dataclass(frozen=True)
class Look:
    """What the templates draw of a brand. `size` is the logo's, in CSS pixels: nothing shifts when it is drawn."""

    name: str = ""
    style: str = ""  # a Markup
    source: str = ""  # of the style, as the policy names it
    theme: str = ""
    logo: str = ""
    size: tuple[int, int] = (0, 0)


def look_of(stored: Mapping[str, Any]) -> Look:
    brand = Brand.read(stored)
    style = _style(brand.banner, brand.accent)
    return Look(
        name=brand.name,
        style=style,
        source=source_of(style) if style else "",
        theme=brand.banner,
        logo=brand.logo.href if brand.logo else "",
        size=_size(brand.logo) if brand.logo else (0, 0),
    )


@lru_cache(maxsize=512)
def _style(banner: str, accent: str) -> Markup:
    """Computed once for each pair of colours: looking for readable ones takes a few hundred contrasts."""
    return Markup(style_of(Brand(banner=banner, accent=accent)))  # noqa: S704 - names of ours and hex digits


def _size(logo: Logo) -> tuple[int, int]:
    scale = min(LOGO_HEIGHT / logo.height, LOGO_WIDTH / logo.width)
    return max(round(logo.width * scale), 1), max(round(logo.height * scale), 1)
