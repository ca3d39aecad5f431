"""A logo is a small PNG, and what comes out of it is a picture and nothing else."""

import base64
import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from checkout.domain.logos import LARGEST, LONGEST_SIDE, MOST_READ, SIGNATURE, BadLogo, read_logo


def png(width: int = 40, height: int = 20, mode: str = "RGBA", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), "#0a685e").save(out, "PNG", **options)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "LA", "P", "1"])
def test_a_png_of_any_kind_is_the_same_picture_afterwards(mode: str) -> None:
    given = png(mode=mode)
    logo = read_logo(given)
    assert (logo.width, logo.height) == (40, 20)
    kept = Image.open(io.BytesIO(base64.b64decode(logo.png)))
    assert kept.convert("RGBA").tobytes() == Image.open(io.BytesIO(given)).convert("RGBA").tobytes()
    assert logo.href.startswith("data:image/png;base64,")


def test_what_says_who_made_it_and_what_follows_its_end_is_left_out() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", "<script>Bo</script>")
    logo = base64.b64decode(read_logo(png(pnginfo=words) + b"<script>").png)
    assert b"script" not in logo
    assert logo.endswith(b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def bomb() -> bytes:
    """Says 16 by 16, and unpacks to a megabyte."""
    good = png(16, 16, "L")
    at = good.index(b"IDAT") - 4
    body = zlib.compress(bytes(1 << 20))
    return (
        good[:at]
        + struct.pack(">I", len(body))
        + b"IDAT"
        + body
        + struct.pack(">I", zlib.crc32(b"IDAT" + body))
        + good[-12:]
    )


def noise() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((100, 100), 80).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("given", "says", "why"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "must be a PNG", "kind"),
        (b"\xff\xd8\xff\xe0JFIF", "must be a PNG", "kind"),
        (SIGNATURE, "damaged", "damaged"),
        (png()[:-20], "damaged", "damaged"),
        (png().replace(b"IDAT", b"IDAX"), "damaged", "damaged"),
        (bomb(), "damaged", "damaged"),
        (png(LONGEST_SIDE + 1, 1), "at most 512 by 512", "dots"),
        (noise(), f"at most {LARGEST} bytes", "bytes"),
        (SIGNATURE + bytes(MOST_READ), f"at most {LARGEST} bytes", "bytes"),
    ],
    ids=["svg", "jpeg", "empty", "cut", "checksum", "bomb", "wide", "heavy", "huge"],
)
def test_anything_else_is_refused_in_words(given: bytes, says: str, why: str) -> None:
    with pytest.raises(BadLogo) as refused:
        read_logo(given)
    assert says in refused.value.errors["logo"]
    assert refused.value.why == why
