"""Who may ask, and how much at once."""

import logging
from datetime import datetime
from io import BytesIO

from flask import Response, abort, after_this_request, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from checkout.domain.api_keys import LOOKS_LIKE_A_KEY, Scope
from checkout.domain.errors import NotAuthentic
from checkout.domain.links import origin_of
from checkout.domain.orders import LONGEST_BODY, MOST_CHARACTERS, is_too_long
from checkout.services import api_keys
from checkout.services.api_keys import Holder
from checkout.services.chronicle import by_merchant
from checkout.services.endpoints import Errand
from checkout.store.models import Merchant
from checkout.web import limits
from checkout.web.context import Parts, now, parts, reading_session

log = logging.getLogger(__name__)

NOTICE_BYTES, FORM_BYTES = 16 * 1024, 4 * 1024
SAFE = {"GET", "HEAD", "OPTIONS"}
# Platforms and Prometheus ask for these by address, not by name.
PROBES = {"platform.healthz", "platform.readyz", "metrics.metrics"}


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


def refuse_nul_in_form() -> None:
    """The same for what a form says; only after the body's size is bounded."""
    if any("\0" in text for pair in request.form.items(multi=True) for text in pair):
        abort(400, "The form holds a NUL character; remove it.")


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


def limit_json() -> None:
    """413 for a body of too many characters, and before a byte too many is read."""
    if limit_body(LONGEST_BODY) > MOST_CHARACTERS and is_too_long(request.get_data()):
        abort(413)


def limit_body(limit: int) -> int:
    """413 before a byte too many is read; otherwise how many there are."""
    request.max_content_length = limit
    length = request.content_length or 0
    if length > limit:
        abort(413)
    if request.content_length is None and "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # Without a length the stream would just end at the limit, and half a body is another body.
        body = request.environ["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            abort(413)
        request.environ["wsgi.input"] = BytesIO(body)
        length = len(body)
        request.environ["CONTENT_LENGTH"] = str(length)
    return length


def refuse_keys_in_addresses() -> None:
    """Addresses are logged everywhere, headers are not: a key that came this way is no secret any more."""
    if any(LOOKS_LIKE_A_KEY.search(value) for value in request.args.values()):
        log.error("an API key was sent in an address; its merchant must replace it")
        abort(
            400, "An API key must not stand in an address. Replace this key, and send it in the Authorization header."
        )


def merchant_by_key(scope: Scope | None = None) -> Merchant:
    """The merchant whose API key came as a bearer token. Raises NotAuthentic, NotAllowed.

    Unless told otherwise, what only reads needs the scope `read` and everything else `write`.
    """
    return holder_by_key(scope).merchant


def errand(scope: Scope | None = None) -> Errand:
    """The same, for what the audit log tells of."""
    return errand_of(holder_by_key(scope))


def errand_of(holder: Holder) -> Errand:
    return Errand(holder.merchant.id, by_merchant(holder.merchant.id), now())


def holder_by_key(scope: Scope | None = None) -> Holder:
    refuse_keys_in_addresses()
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotAuthentic("API key")
    joined, needed, moment = parts(), scope or (Scope.READ if request.method in SAFE else Scope.WRITE), now()
    # The connection is given back at once: whoever waits here for another one holds none.
    with limits.keys_are_checked(key.strip()), reading_session(joined) as db:
        holder = api_keys.holder_of(db, key.strip(), needed, moment)
    if holder.use_is_news(moment):
        after_this_request(lambda response: _note_use(response, joined, holder.key.id, moment))
    return holder


def _note_use(response: Response, joined: Parts, key_id: str, moment: datetime) -> Response:
    """When the answer has been sent: nobody waits for a write lock to be told what they asked."""

    def note() -> None:
        try:
            with joined.sessions() as db:
                api_keys.note_use(db, key_id, moment)
        except SQLAlchemyError as error:
            log.warning("the use of an API key was not noted: %s", type(error.__cause__ or error).__name__)

    response.call_on_close(note)
    return response
