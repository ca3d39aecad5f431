"""Sites that may show a merchant's checkout inside their own pages: origins, exact and one by one."""

import re
from urllib.parse import urlsplit

from checkout.domain.links import problem_with_origin

# What may stand in a Content-Security-Policy without meaning more than itself: no `*`, no `;`, no quote.
HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")
MOST_ORIGINS = 20


def problem_with_embed_origin(origin: str, *, http_allowed: bool) -> str | None:
    """Why this site cannot be allowed to embed; None if it can (safety.md S2)."""
    if problem := problem_with_origin(origin, http_allowed=http_allowed):
        return problem
    parts = urlsplit(origin)
    if not HOST.fullmatch(parts.hostname or "") or parts.path or origin != origin.lower():
        return "must be one origin in small letters, such as https://shop.example, without a wildcard or a path"
    return None
