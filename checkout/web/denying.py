"""Denied tries, of people and of API keys, for the audit log: written down when the answer has been sent."""

import logging
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, after_this_request, request
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from checkout.services import denials
from checkout.services.denials import Denial, Denied, DeniedCall
from checkout.web.context import now, parts

log = logging.getLogger(__name__)

API = "/v1/"
DENIED_CALLS = {401: Denied.KEY, 403: Denied.SCOPE, 404: Denied.OBJECT}
TEMPLATE = str.maketrans("<>", "{}")  # as the API's own description writes its addresses


def install(app: Flask) -> None:
    app.after_request(_tell_of_call)


def tell(denial: Denial) -> None:
    """Somebody at the back office, in this request."""
    note = partial(denials.note, denial=denial, now=now())
    after_this_request(lambda response: _when_sent(response, note))


def _tell_of_call(response: Response) -> Response:
    """A call of the API that its key was denied. Whose key it was, if anybody's, is looked up afterwards."""
    what = DENIED_CALLS.get(response.status_code)
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if what is None or request.url_rule is None or not request.path.startswith(API) or scheme.lower() != "bearer":
        return response
    call = f"{request.method} {request.url_rule.rule.translate(TEMPLATE)}"
    denied = DeniedCall(what, key.strip(), call, request.remote_addr or "")
    return _when_sent(
        response,
        partial(denials.note_call, denied=denied, now=now()),
        only_if=partial(denials.was_given_out, key=denied.key),
    )


def _when_sent(
    response: Response, note: Callable[[Session], None], only_if: Callable[[Connection], bool] | None = None
) -> Response:
    """Not while anybody waits: the time of an answer must not tell whether an address or a key is somebody's.

    `only_if` reads: what a stranger makes up must not take SQLite's one place to write.
    """
    joined = parts()

    def write() -> None:
        try:
            if only_if:
                with joined.reading.connect() as connection:
                    if not only_if(connection):
                        return
            with joined.sessions() as db:
                note(db)
        except SQLAlchemyError as error:
            log.warning("a denied try was not written down: %s", type(error.__cause__ or error).__name__)

    response.call_on_close(write)
    return response
