"""Where an outgoing webhook may go: what a merchant may register, and which IP address we may connect to."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

MAX_URL = 2048
PORTS = {443, 8443}

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Global by the letter (or by an older Python's tables), yet they lead inside or wrap an address that may.
# fmt: off
FORBIDDEN = {
    ipaddress.ip_network("168.63.129.16/32"): "a cloud provider's metadata address",
    ipaddress.ip_network("192.0.0.0/24"):     "a protocol assignment (metadata in one cloud)",
    ipaddress.ip_network("192.88.99.0/24"):   "a 6to4 relay",
    ipaddress.ip_network("::ffff:0:0/96"):    "an IPv4 address inside IPv6",
    ipaddress.ip_network("64:ff9b::/96"):     "a NAT64 address",
    ipaddress.ip_network("64:ff9b:1::/48"):   "a NAT64 address",
    ipaddress.ip_network("2001::/32"):        "a Teredo address",
    ipaddress.ip_network("2001::/23"):        "a protocol assignment",
    ipaddress.ip_network("2002::/16"):        "a 6to4 address",
    ipaddress.ip_network("3fff::/20"):        "a documentation address",
}
# fmt: on
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # nothing else is routed on the internet

_NETLOC = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:%]+)(:[0-9]{1,5})?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LOOKS_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


def forbidden_reason(ip: str) -> str | None:
    """Why we must not connect to this address, in words that follow "is"; None if we may."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "not an IP address"
    for network, reason in FORBIDDEN.items():
        if address in network:
            return reason
    if address.is_multicast:
        return "a multicast address"
    if not address.is_global or (address.version == 6 and address not in GLOBAL_UNICAST):
        return "not a public address"
    return None


def is_loopback(ip: str) -> bool:
    """Whether the address is this machine by its own name; `::ffff:127.0.0.1` is a disguise and is not."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def check_endpoint(url: str, *, loopback_allowed: bool) -> str | None:
    """What is wrong with a webhook URL, as words that follow "The URL"; None if nothing is.

    Only the text is judged: a name that resolves to a forbidden address is found out at each delivery.
    """
    if len(url) > MAX_URL:
        return f"must have at most {MAX_URL} characters"
    # urlsplit drops tabs and line ends silently, and "\" is "/" to some parsers: neither may hide anything.
    if "\\" in url or any(char.isspace() or not char.isprintable() for char in url):
        return "must not contain blanks, control characters or backslashes"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "must not contain a user name or password"
    if "#" in url:
        return "must not contain a fragment"
    return _host_error(parts) or _scheme_error(parts, port, loopback_allowed=loopback_allowed)


def _host_error(parts: SplitResult) -> str | None:
    """Names and plainly written addresses only: 127.1, 0x7f.1, 2130706433 and 0177.0.0.1 are neither."""
    host = parts.hostname or ""
    if not host.isascii():
        return "must spell its host in ASCII (punycode)"
    if parts.netloc and not _NETLOC.fullmatch(parts.netloc):
        return "is not a URL"
    if _literal(parts):
        return None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "must name a host that exists in DNS"
    if _LOOKS_NUMERIC.fullmatch(labels[-1]):
        return "must write an IP address in the usual way"
    return None


def _scheme_error(parts: SplitResult, port: int | None, *, loopback_allowed: bool) -> str | None:
    literal = _literal(parts)
    host = parts.hostname or ""
    at_home = is_loopback(str(literal)) if literal else host.rpartition(".")[2] == "localhost"
    if at_home and loopback_allowed:
        return None if parts.scheme in ("http", "https") and port != 0 else "must start with http:// or https://"
    if at_home or (not literal and "." not in host):
        return "must be reachable from the internet"
    if literal and (reason := forbidden_reason(str(literal))):
        return f"must be reachable from the internet: its host is {reason}"
    if parts.scheme != "https":
        return "must start with https://"
    if (443 if port is None else port) not in PORTS:
        return "must use port 443 or 8443"
    return None


def _literal(parts: SplitResult) -> IPAddress | None:
    """The IP address that stands for a name. Strict: four decimal numbers, or IPv6 in brackets."""
    host = parts.hostname or ""
    try:
        if "[" in parts.netloc:
            return ipaddress.IPv6Address(host)
        return ipaddress.IPv4Address(host)
    except ValueError:
        return None
