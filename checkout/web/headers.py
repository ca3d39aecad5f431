"""What every answer says about itself: the Content-Security-Policy by hash, and the rest (safety.md S1-S7)."""

import gzip
from collections.abc import Sequence

from flask import Flask, Response, g, request

from checkout.web.context import parts

COMPRESS_FROM = 1024
COMPRESSED = {"text/html", "application/json"}
SELF = "'self'"
FEATURES = ("accelerometer", "camera", "geolocation", "gyroscope", "microphone", "payment", "usb")


def install(app: Flask) -> None:
    app.after_request(_compress)
    app.after_request(_say)


def allow_wallets(sources: Sequence[str], *, framed: bool) -> None:
    """Where this page's forms may lead to, and what it may frame. Chromium applies form-action to redirects too."""
    g.wallet_sources = tuple(sources)
    g.frames_wallet = framed


def content_security_policy(css: str, js: str, wallets: Sequence[str], *, framed: bool) -> str:
    frames = " ".join(wallets) if framed and wallets else "'none'"
    return (
        f"default-src 'none'; script-src {js}; style-src {css}; img-src data:; connect-src 'self'; "
        f"form-action {' '.join((SELF, *wallets))}; frame-src {frames}; "
        "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )


def _say(response: Response) -> Response:
    joined = parts()
    framed = g.get("frames_wallet", False)
    policy = content_security_policy(
        joined.assets.css_source, joined.assets.js_source, g.get("wallet_sources", ()), framed=framed
    )
    response.headers.setdefault("Content-Security-Policy", policy)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    # AlipayHK wants a Referer on the hop to the wallet; the path, which is the secret, stays here.
    response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if not framed:  # a wallet's page, framed at the merchant's wish, does not send what this would demand
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
    response.headers["Permissions-Policy"] = ", ".join(f"{feature}=()" for feature in FEATURES)
    if joined.config.PUBLIC_URL.startswith("https://"):
        response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains; preload"
    return response


def _compress(response: Response) -> Response:
    """Pages hold no secret beside their own address, so compressing them tells nobody anything."""
    response.vary.add("Accept-Encoding")
    if response.mimetype not in COMPRESSED or response.is_streamed or not request.accept_encodings["gzip"]:
        return response
    body = response.get_data()
    if len(body) >= COMPRESS_FROM:
        response.set_data(gzip.compress(body, compresslevel=4, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
