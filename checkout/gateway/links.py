"""Which addresses a shopper may be sent to, or may scan (interface.md section 2, PAY_URL_HOSTS)."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_LENGTH = 2048

# Stricter than any URL parser: what browsers and Python could read differently does not match at all.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?(?=[/?#]|\Z)", re.ASCII | re.I)


@dataclass(frozen=True)
class LinkPolicy:
    """`hosts` are allowed with their subdomains; `also` are prefixes allowed besides: in development, the sandbox."""

    hosts: tuple[str, ...]
    also: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        origin = _ORIGIN.match(url)
        if origin is None or len(url) > MAX_LENGTH or not _harmless(url):
            return False
        if any(_under(prefix, url) for prefix in self.also):
            return True
        scheme, host, port = origin.groups()
        return scheme.lower() == "https" and port in (None, "443") and self._knows(host.lower())

    def sources(self) -> tuple[str, ...]:
        """The same hosts as sources for a Content-Security-Policy."""
        hosts = [source for host in self.hosts for source in (f"https://{host}", f"https://*.{host}")]
        return (*hosts, *dict.fromkeys(_origin(prefix) for prefix in self.also))

    def _knows(self, host: str) -> bool:
        return any(host == known.lower() or host.endswith(f".{known.lower()}") for known in self.hosts)


def _harmless(url: str) -> bool:
    return url.isprintable() and " " not in url and "\\" not in url


def _under(prefix: str, url: str) -> bool:
    # A bare `startswith` would let `http://127.0.0.1:80` stand for `http://127.0.0.1:8080`.
    return url.startswith(prefix) and _origin(url) == _origin(prefix)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
