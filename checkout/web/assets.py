"""The CSS and JavaScript that stand inside each shopper page, and the hashes by which the CSP knows them."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

CSS = ("tokens.css", "elements.css", "layout.css", "parts.css", "scan.css", "print.css")
FOLDER = "pay"


@dataclass(frozen=True)
class Assets:
    """`js` is in every page that can change, `base` in those that cannot; `extra` holds what only some stages need.

    `some` holds style sheets that only some documents need, whatever stage they turn to.
    """

    css: Markup
    js: Markup
    base: Markup
    extra: dict[str, Markup]
    some: dict[str, Markup]
    css_source: str  # as CSP sources: 'sha256-…'
    js_source: str
    bridge_js: Markup  # only for shoppers inside Alipay's app
    bridge_source: str


def load_assets(static: Path, *, pretend_bridge: Path | None = None) -> Assets:
    """Read, join and slim the files of static/pay/; once, at the start. In development a pretend bridge stands in."""
    folder = static / FOLDER
    css = Markup("").join(_sheet(folder / name) for name in CSS)
    base = _script(folder / "base.js")
    js = base + _script(folder / "refresh.js") + "run();"
    base += "run();"
    extra = {path.stem: _script(path) for path in sorted((folder / "extra").glob("*.js"))}
    some = {path.stem: _sheet(path) for path in sorted((folder / "some").glob("*.css"))}
    bridge = Markup("").join(_script(path) for path in (pretend_bridge, static / "alipay" / "sheet.js") if path)
    # The page's policy knows all of them from the start: the script of a later stage arrives with that stage.
    ours = " ".join(map(source_of, (js, base, *extra.values())))
    return Assets(css, js, base, extra, some, source_of(css), ours, bridge, source_of(bridge))


def _sheet(path: Path) -> Markup:
    return Markup(slim_css(path.read_text()))  # noqa: S704 - our own file


def _script(path: Path) -> Markup:
    return Markup(slim_js(path.read_text()))  # noqa: S704 - our own file, not a stranger's text


def source_of(text: str) -> str:
    """As a Content-Security-Policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def slim_css(text: str) -> str:
    """Without comments and the blanks that mean nothing; never touches strings with braces, which we do not write."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([{};,]) ?", r"\1", text).replace(": ", ":")
    return text.replace(";}", "}").strip()


# A string or a template stays as it is; between them, blanks around these signs mean nothing, nor does a line's end
# after them: every statement of ours ends with a semicolon or a brace.
_KEPT = re.compile(r"""("[^"\n]*"|'[^'\n]*'|`[^`]*`)""")
_SIGNS = re.compile(r"\s*(=>|===|!==|&&|\|\||[{}()\[\],;:?=<>*/|!])\s*")


def slim_js(text: str) -> str:
    """Without comments and without blanks that mean nothing; no name is changed."""
    lines = (re.sub(r"\s// .*", "", line).strip() for line in text.splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    return "".join(_slim(part) for part in _KEPT.split(code)) + "\n"


def _slim(part: str) -> str:
    return part if _KEPT.fullmatch(part) else _SIGNS.sub(r"\1", part).replace(";}", "}")
