"""QR codes as SVG: made once for each attempt, never while a page is being served (design.md section 6)."""

import io
from dataclasses import dataclass

import segno

QUIET_ZONE = 4
# The mask is fixed because trying all eight takes three times as long; any mask can be read.
MASK = 2


@dataclass(frozen=True)
class Code:
    svg: str
    modules: int  # along one side, the quiet zone included


def level_for(text: str) -> str:
    """Less redundancy for long texts, so that a module stays large enough for a phone's camera."""
    return "q" if len(text) <= 60 else "m" if len(text) <= 300 else "l"


def _make(text: str) -> segno.QRCode:
    return segno.make(text, error=level_for(text), mask=MASK, micro=False, boost_error=False)


def draw(text: str, hook: str = "data-qr") -> Code:
    """Draw `text`, dark on light with its quiet zone, as an inline `<svg data-qr>` without a size."""
    code = _make(text)
    svg = code.svg_inline(border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    return Code(svg.replace("<svg", f"<svg {hook}", 1), int(code.symbol_size(border=QUIET_ZONE)[0]))


def picture(text: str) -> bytes:
    """The same as a PNG, eight dots to a module: for a phone's album, from where wallets read codes too."""
    out = io.BytesIO()
    _make(text).save(out, kind="png", scale=8, border=QUIET_ZONE, dark="#000", light="#fff")
    return out.getvalue()
