"""A merchant's logo: a small PNG, taken apart and put together again with the chunks that draw and no others.

SVG is a document, with scripts, links and fonts, and stays outside (decisions/0018).
"""

import base64
import struct
import zlib
from dataclasses import dataclass

from checkout.domain.errors import Invalid

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DRAWN = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}  # what says who made it, where and when is left out
LARGEST = 3 * 1024  # bytes: 4 KB as base64, of a page of 10
MOST_READ = 64 * LARGEST  # bytes: what is larger is not even taken apart
LONGEST_SIDE = 512  # dots
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type


class BadLogo(Invalid):
    """`why` is one word for those who say it in another language: kind, bytes, dots, interlaced or damaged."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__({"logo": message})
        self.why = why


@dataclass(frozen=True)
class Logo:
    png: str  # base64
    width: int
    height: int

    @property
    def href(self) -> str:
        return f"data:image/png;base64,{self.png}"


def read_logo(given: bytes) -> Logo:
    """Raises BadLogo naming what is wrong with the file."""
    try:
        chunks = _chunks(given)
        width, height = _size(chunks)
    except (ValueError, struct.error, zlib.error):
        raise BadLogo("damaged", "is a PNG that is damaged") from None
    png = SIGNATURE + b"".join(_written(kind, body) for kind, body in chunks)
    if len(png) > LARGEST:
        raise BadLogo("bytes", f"must be at most {LARGEST} bytes, since every page holds it; this has {len(png)}")
    return Logo(base64.b64encode(png).decode(), width, height)


def _chunks(given: bytes) -> list[tuple[bytes, bytes]]:
    if not given.startswith(SIGNATURE):
        raise BadLogo("kind", "must be a PNG file")
    if len(given) > MOST_READ:
        raise BadLogo("bytes", f"must be at most {LARGEST} bytes")
    found: list[tuple[bytes, bytes]] = []
    at = len(SIGNATURE)
    while at < len(given) and (not found or found[-1][0] != b"IEND"):
        length, kind = struct.unpack_from(">I4s", given, at)
        body = given[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", given, at + 8 + length)
        if check != zlib.crc32(kind + body):
            raise ValueError("checksum")
        if kind in DRAWN:
            found.append((kind, body))
        elif kind[:1].isupper():
            raise ValueError("an unknown chunk that must be understood")
        at += 12 + length
    return found


def _size(chunks: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """Width and height, once the picture has proven to be as large as it says and no larger."""
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise ValueError("no beginning or no end")
    width, height, depth, colours, _method, _filter, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if not 0 < width <= LONGEST_SIDE or not 0 < height <= LONGEST_SIDE:
        raise BadLogo("dots", f"must be at most {LONGEST_SIDE} by {LONGEST_SIDE} dots")
    if interlaced or colours not in CHANNELS:
        raise BadLogo("interlaced", "must not be interlaced")
    expected = height * (1 + (width * CHANNELS[colours] * depth + 7) // 8)
    unpacker = zlib.decompressobj()
    drawn = unpacker.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"), expected + 1)
    if len(drawn) != expected:
        raise ValueError("more or less than it says")
    return width, height


def _written(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
