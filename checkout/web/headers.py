"""What every answer says about itself: the Content-Security-Policy by hash, and the rest (safety.md S1-S7)."""

import re
import zlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from checkout.web.context import parts

COMPRESS_FROM = 1024
COMPRESSED = {"text/html", "application/json", "text/css", "text/javascript"}
SELF, NONE = "'self'", "'none'"
DRAWN_CODE = re.compile(rb"(<svg data-(?:page-)?qr.*?</svg>)", re.DOTALL)
FEATURES = ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")


def install(app: Flask) -> None:
    app.after_request(_stay_at_home)
    app.after_request(_compress)
    app.after_request(_say)


def allow_wallets(sources: Sequence[str], *, framed: bool) -> None:
    """Where this page's forms may lead to, and what it may frame. Chromium applies form-action to redirects too."""
    g.wallet_sources = tuple(sources)
    g.frames_wallet = framed


def allow_script(source: str) -> None:
    """One more inline script, by its hash, for this page only."""
    g.more_scripts = f" {source}"


def allow_style(source: str) -> None:
    """One more inline style sheet, by its hash, for this page only."""
    g.more_styles = f"{g.get('more_styles', '')} {source}"


def allow_embedding(origins: Sequence[str]) -> None:
    """Sites that may show this answer in a frame: from the database, never from a request (safety.md S2)."""
    g.frame_ancestors = tuple(origins)


def serve_everyone() -> None:
    """Any site may load this answer: it holds nothing of anybody's."""
    g.for_everyone = True


def never_compress() -> None:
    """This page holds a secret beside what strangers wrote: its length must not tell how alike they are (BREACH)."""
    g.never_compressed = True


def content_security_policy(
    css: str, js: str, wallets: Sequence[str], *, framed: bool, ancestors: Sequence[str] = ()
) -> str:
    frames = " ".join(wallets) if framed and wallets else NONE
    return (
        f"default-src 'none'; script-src {js}; style-src {css}; img-src data:; connect-src 'self'; "
        f"form-action {' '.join((SELF, *wallets))}; frame-src {frames}; "
        f"base-uri 'none'; object-src 'none'; frame-ancestors {' '.join(ancestors or (NONE,))}"
    )


def _say(response: Response) -> Response:
    joined = parts()
    framed, ancestors = g.get("frames_wallet", False), g.get("frame_ancestors", ())
    policy = content_security_policy(
        joined.assets.css_source + g.get("more_styles", ""),
        joined.assets.js_source + g.get("more_scripts", ""),
        g.get("wallet_sources", ()),
        framed=framed,
        ancestors=ancestors,
    )
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    # AlipayHK wants a Referer on the hop to the wallet; the path, which is the secret, stays here.
    response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    shared = ancestors or g.get("for_everyone", False)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin" if shared else "same-origin"
    if not ancestors:  # it knows no list of origins: where there is one, frame-ancestors alone decides
        response.headers.setdefault("X-Frame-Options", "DENY")
    if not framed:  # a wallet's page, framed at the merchant's wish, does not send what this would demand
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
    response.headers["Permissions-Policy"] = ", ".join(f"{feature}=()" for feature in FEATURES)
    if joined.config.PUBLIC_URL.startswith("https://"):
        response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains; preload"
    return response


def _stay_at_home(response: Response) -> Response:
    """Routing leads `/l//x` to `/l/x`, by the scheme and host of the request; ours are those of PUBLIC_URL."""
    if response.status_code == 308 and response.location:
        response.location = (
            parts().config.PUBLIC_URL + urlsplit(response.location)._replace(scheme="", netloc="").geturl()
        )
    return response


def _compress(response: Response) -> Response:
    """Pages hold no secret beside their own address, so compressing them tells nobody anything."""
    response.vary.add("Accept-Encoding")
    if response.mimetype not in COMPRESSED or response.is_streamed or not request.accept_encodings["gzip"]:
        return response
    if g.get("never_compressed"):
        return response
    body = response.get_data()
    if len(body) >= COMPRESS_FROM:
        response.set_data(squeeze(body))
        response.headers["Content-Encoding"] = "gzip"
    return response


def squeeze(body: bytes) -> bytes:
    """As gzip, with a Huffman table of its own for a drawn code: few letters, and other ones than those of the page."""
    squeezer = zlib.compressobj(level=6, wbits=zlib.MAX_WBITS + 16)
    out = bytearray()
    for part in DRAWN_CODE.split(body):
        out += squeezer.compress(part) + squeezer.flush(zlib.Z_BLOCK)
    return bytes(out + squeezer.flush())
