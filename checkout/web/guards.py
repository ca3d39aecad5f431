"""Who may ask, and how much at once."""

from io import BytesIO

from flask import abort, current_app, request

from checkout.domain.errors import NotAuthentic
from checkout.domain.links import origin_of
from checkout.services import merchants
from checkout.store.models import Merchant
from checkout.web.context import parts, reading_session

API_BYTES, NOTICE_BYTES, FORM_BYTES = 64 * 1024, 16 * 1024, 4 * 1024
PROBES = {"platform.healthz", "platform.readyz"}  # platforms ask for these by address, not by name


def refuse_foreign_hosts() -> None:
    """A page is served under its own name only, so that no link, cache or cookie can belong to another."""
    if request.endpoint in PROBES:
        return
    config = parts().config
    own = _host(config.PUBLIC_URL)
    known = {own, f"{own}:{443 if config.PUBLIC_URL.startswith('https:') else 80}"}
    if not config.production:
        known |= {f"{name}:{config.PORT}" for name in ("127.0.0.1", "localhost", "[::1]", config.HOST)}
        known |= {"127.0.0.1", "localhost"}
    if request.host.lower() not in known and not (current_app.testing and request.host == "localhost"):
        abort(400, "This host name is not served here.")


def refuse_nul() -> None:
    """No text of ours holds a NUL, and PostgreSQL stores none: it is refused before it can reach a query."""
    if "\0" in request.path:
        abort(404)
    if any("\0" in text for pair in request.args.items(multi=True) for text in pair):
        abort(400, "The address holds a NUL character; remove it.")


def _host(url: str) -> str:
    return origin_of(url).split("//", 1)[1]


def refuse_foreign_origins() -> None:
    """A form of another site must not press our buttons. No Origin at all is an old or simple client, not an attack."""
    if request.method != "POST":
        return
    origin = request.headers.get("Origin")
    if origin is None:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            abort(403)
        return
    if origin not in (origin_of(parts().config.PUBLIC_URL), f"{request.scheme}://{request.host}"):
        abort(403)


def limit_body(limit: int) -> None:
    """413 before a byte too many is read."""
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        abort(413)
    if request.content_length is None and "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # Without a length the stream would just end at the limit, and half a body is another body.
        body = request.environ["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            abort(413)
        request.environ["wsgi.input"] = BytesIO(body)
        request.environ["CONTENT_LENGTH"] = str(len(body))


def merchant_by_key() -> Merchant:
    """The merchant whose API key came as a bearer token. Raises NotAuthentic."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotAuthentic("API key")
    with reading_session(parts()) as db:  # given back at once: whoever waits here for another one holds none
        return merchants.merchant_with_key(db, key.strip())
