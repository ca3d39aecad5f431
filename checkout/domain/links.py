"""Web addresses that merchants give us: where a shopper may be sent back to."""

import re
from urllib.parse import urlsplit

LONGEST_URL = 2048

# What the published schema says too, so that a document's reader and we agree on every address.
WEB_ADDRESS = (
    r"[hH][tT][tT][pP][sS]?://"
    r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-\[\]-~]*)?"
)


def origin_of(url: str) -> str:
    """`https://shop.example` of a URL, with the port if it is not the scheme's own. ValueError if there is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not a web address")
    port = parts.port  # raises ValueError when it is no number
    own = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, own) else "")


def is_loopback(host: str) -> bool:
    """Whether a host, by name or number, is this machine itself: right in development, never in production."""
    return host == "localhost" or host.endswith(".localhost") or host.startswith(("127.", "0.")) or host == "::1"


def problem_with_return_url(url: str, *, origins: tuple[str, ...], http_allowed: bool) -> str | None:
    """Why we would not send a shopper there, in words for the merchant; None if we would (safety.md S23)."""
    if len(url) > LONGEST_URL:
        return f"must be at most {LONGEST_URL} characters"
    if not url.isascii() or any(c <= " " or c in {"\\", "\x7f"} for c in url):
        return "must be plain ASCII without blanks, backslashes or control characters (write other hosts as punycode)"
    try:
        origin, parts = origin_of(url), urlsplit(url)
    except ValueError:
        return "must be a full address such as https://shop.example/thanks"
    if not url.lower().startswith((f"{parts.scheme}://",)) or "@" in parts.netloc or parts.netloc.endswith(":"):
        return "must be a full address such as https://shop.example/thanks, without a user name"
    if not re.fullmatch(WEB_ADDRESS, url):
        return "must name a host of letters, digits, dots and hyphens, such as https://shop.example/thanks"
    if parts.scheme != "https" and not http_allowed:
        return "must start with https://"
    if not http_allowed and is_loopback(parts.hostname or ""):
        return "must not lead to this machine itself"
    if origins and origin not in origins:
        return f"must be on one of this merchant's return origins: {', '.join(origins)}"
    return None


def problem_with_origin(origin: str, *, http_allowed: bool) -> str | None:
    """Why this cannot be a merchant's return origin; None if it can."""
    problem = problem_with_return_url(origin, origins=(), http_allowed=http_allowed)
    if problem is None and origin_of(origin) != origin.lower():
        return "must be an origin only, such as https://shop.example, without a path"
    return problem
