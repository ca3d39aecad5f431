"""The CSS and JavaScript that stand inside each shopper page, and the hashes by which the CSP knows them."""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from markupsafe import Markup

from config import ROOT

CSS = ("tokens.css", "elements.css", "layout.css", "parts.css", "scan.css", "print.css")
FOLLOWS = ("base.js", "refresh.js")
CORE = (*FOLLOWS, "extra/press.js")
START = Markup("run()")


@dataclass(frozen=True)
class Assets:
    """`js` is in every page that can change, `base` in those that cannot; `extra` holds what only some stages need.

    `follows` is for those with nothing to press that still wait for the shop: all three would be too much there.

    `some` holds style sheets that only some documents need, whatever stage they turn to.
    """

    css: Markup
    js: Markup
    follows: Markup
    base: Markup
    extra: dict[str, Markup]
    some: dict[str, Markup]
    css_source: str  # as CSP sources: 'sha256-…'
    js_source: str
    bridge_js: Markup  # only for shoppers inside Alipay's app
    bridge_source: str
    pretends: bool  # whether a pretend bridge stands in it


def load_assets(*, pretend_bridge: Path | None = None) -> Assets:
    """Join the files of static/pay/ as they are sent; once, at the start. In development a pretend bridge stands in."""
    css = Markup("").join(small(f"pay/{name}") for name in CSS)
    some, extra = small_ones("pay/some"), small_ones("pay/extra")
    js, follows = (Markup(";").join([*(small(f"pay/{name}") for name in names), START]) for names in (CORE, FOLLOWS))
    base = Markup(";").join([small("pay/base.js"), START])
    bridge = small("alipay/sheet.js")
    if pretend_bridge:
        bridge = Markup(pretend_bridge.read_text()) + bridge  # noqa: S704 - our own file, not a stranger's text
    # The page's policy knows all of them from the start: the script of a later stage arrives with that stage.
    ours = " ".join(map(source_of, (js, follows, base, *extra.values())))
    return Assets(
        css, js, follows, base, extra, some, source_of(css), ours, bridge, source_of(bridge),
        pretends=pretend_bridge is not None,
    )  # fmt: skip


def small(name: str) -> Markup:
    """A script or style sheet below static/ as `make scripts` has made it small. KeyError if it never has."""
    return Markup(_made()[name])  # noqa: S704 - our own file, not a stranger's text


def small_ones(folder: str, kind: str = "") -> dict[str, Markup]:
    """All of one folder (of one kind, such as `.js`), by their names without an ending."""
    below = (Path(name) for name in _made())
    return {path.stem: small(str(path)) for path in below if str(path.parent) == folder and path.suffix.endswith(kind)}


@cache
def _made() -> dict[str, str]:
    return cast(dict[str, str], json.loads((ROOT / "static" / "made.json").read_text("utf-8")))


def source_of(text: str) -> str:
    """As a Content-Security-Policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
