"""One handler turns what went wrong into a page, or, below /v1 and /notify, into problem details (RFC 9457)."""

import logging
import re
import time
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from checkout.domain.errors import (
    CheckoutError,
    Invalid,
    KeyInUse,
    MistypedKey,
    NotAuthentic,
    NotFound,
    SessionClosed,
    TooManyAttempts,
)
from checkout.domain.ids import new_support_code
from checkout.store.engine import disk_is_full
from checkout.store.models import CheckoutSession
from checkout.web import language
from checkout.web.back_office import look
from checkout.web.context import parts
from checkout.web.guards import SAFE

log = logging.getLogger(__name__)

# What a stranger may learn: enough to mend the call, nothing about who else exists.
_SENTENCES: dict[type[CheckoutError], str] = {
    NotAuthentic: "The API key or signature is missing or wrong. Send the key as `Authorization: Bearer sk_…`.",
    MistypedKey: "This API key is mistyped: its last characters do not fit the others. Copy it again, as a whole.",
    NotFound: "There is nothing at this address, or it belongs to another merchant.",
    SessionClosed: "This checkout session can no longer be paid.",
}

_BUSY = "The service is busy or being restarted. Nothing was changed; try again in a few seconds."
_LOST = (
    "The service is being restarted, and the answer of its database was lost: what you asked for may have been done. "
    "Try again in a few seconds, with the same Idempotency-Key if you sent one."
)
DISK_WAS_FULL = "sampan.disk_was_full"  # when a request last failed by it

MACHINES = ("/v1/", "/notify/", "/.well-known/webhook-keys/", "/healthz", "/readyz")
OFFICE = "/merchant/"
# From the address: who used the wrong method has been routed nowhere.
OF_A_SESSION = re.compile(r"/(?:pay|q)/(cs_[0-9A-Za-z]+)(?:/|$)")


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CheckoutError, _ours)
    app.register_error_handler(SQLAlchemyError, _store)
    app.register_error_handler(Exception, _unexpected)


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    if f"{request.path}/".startswith(OFFICE):
        return look.nowhere(error)
    nowhere = error.code == 404 and _by_machine()
    response = _answer(error.code or 500, _SENTENCES[NotFound] if nowhere else error.description or "")
    if error.code == 405:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))  # type: ignore[attr-defined]
    return response


def _ours(error: CheckoutError) -> ResponseReturnValue:
    errors = error.errors if isinstance(error, Invalid) else {}
    response = _answer(error.http_status, _SENTENCES.get(type(error), str(error)), errors)
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, KeyInUse):  # of all 409s the only one that passes by itself
        response.headers["Retry-After"] = "1"
    return response


def _store(error: SQLAlchemyError) -> ResponseReturnValue:
    """The database is away or busy, and the same request may be repeated.

    Nothing was changed, unless the connection broke: then it may have been at COMMIT.
    """
    if not isinstance(error, DBAPIError | PoolTimeout):
        return _unexpected(error)
    log.error("the database did not answer: %s", type(error.__cause__ or error).__name__)
    if isinstance(error, DBAPIError) and disk_is_full(error):
        current_app.extensions[DISK_WAS_FULL] = time.monotonic()
    g.support_code = None  # it stands in the database, and who waits has waited long enough
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    response = _answer(503, _LOST if lost else _BUSY)
    response.headers["Retry-After"] = "5"
    return response


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.exception("unexpected error", exc_info=error)
    if current_app.testing and current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    return _answer(500, "An unexpected error. Nothing is known about its effect; ask before you repeat the request.")


def _answer(status: int, detail: str, errors: dict[str, str] | None = None) -> Response:
    if _by_machine():
        return _problem(status, detail, errors or {})
    lang = language.choose(None)
    template = {404: "pay/not_found.html"}.get(status, "pay/refused.html" if status < 500 else "pay/error.html")
    payment = _payment()
    text = render_template(
        template,
        lang=lang.value,
        assets=parts().assets,
        status=status,
        support_code=_support_code(status),
        payment=payment,
        again="" if request.method in SAFE else payment,  # no page answers where a form was sent to
    )
    return Response(text, status, mimetype="text/html")


def _payment() -> str:
    """The page of the payment that this was about, or nothing. Asks no database: it may be what failed."""
    found = OF_A_SESSION.match(request.path)
    return url_for("shopper.show", session_id=found[1], **language.asked_for()) if found else ""


def _by_machine() -> bool:
    """Whether a program asks, which reads no pages."""
    return request.path == "/v1" or request.path.startswith(MACHINES)


def _problem(status: int, detail: str, errors: dict[str, str]) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["detail"] = "; ".join(f"{field} {message}" for field, message in errors.items())
        body["errors"] = [{"field": field, "message": message} for field, message in errors.items()]
    response = jsonify(body)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def _support_code(status: int) -> str | None:
    """The session's code where the address names one, else one made for this answer; in the log either way.

    Never on a 404: those are all the same, so that none tells who exists.
    """
    if status == 404:
        return None
    code = _code_of_session() or new_support_code()
    log.warning("page %s with support code %s", status, code, extra={"support_code": code})
    return code


def _code_of_session() -> str | None:
    session_id = (request.view_args or {}).get("session_id")
    if not session_id or "support_code" in g:
        return None
    g.support_code = None  # asked once: if the database is what failed, it must not fail us again
    try:
        with parts().reading.connect() as connection:
            query = select(CheckoutSession.support_code).where(CheckoutSession.id == session_id)
            return connection.execute(query).scalar()
    except SQLAlchemyError:
        return None
