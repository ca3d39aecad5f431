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
    css: Markup
    js: Markup
    css_source: str  # as a CSP source: 'sha256-…'
    js_source: str


def load_assets(static: Path) -> Assets:
    """Read, join and slim the files of static/pay/; once, at the start."""
    folder = static / FOLDER
    css = "".join(slim_css((folder / name).read_text()) for name in CSS)
    js = "".join(slim_js(path.read_text()) for path in sorted(folder.glob("*.js")))
    return Assets(Markup(css), Markup(js), _source(css), _source(js))  # noqa: S704 - our own files, not a stranger's text


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def slim_css(text: str) -> str:
    """Without comments and the blanks that mean nothing; never touches strings with braces, which we do not write."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" ?([{};,]) ?", r"\1", text).replace(";}", "}").strip()


def slim_js(text: str) -> str:
    """Without indentation and whole-line comments; the code itself stays as it was written and tested."""
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))
