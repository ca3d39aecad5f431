"""A name for each request, in its answer and in every line that is logged about it."""

import logging
import re
import secrets

from flask import Flask, Response, g, has_request_context, request

# What a proxy or a caller may name it: safe in a log and in a header, and no key that was sent by mistake.
_SAFE = re.compile(r"(?!sk_|whsec_)[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
ASKED_BY = ("X-Request-Id", "Request-Id")


def install(app: Flask) -> None:
    """After logs.set_up: the handlers that are there learn the name."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_named)
    app.before_request(_name)
    app.after_request(_tell)


def request_id() -> str:
    if "request_id" not in g:
        asked = next((given for header in ASKED_BY if (given := request.headers.get(header))), "")
        g.request_id = asked if _SAFE.fullmatch(asked) else f"req_{secrets.token_hex(10)}"
    return str(g.request_id)


def _name() -> None:
    request_id()


def _tell(response: Response) -> Response:
    for header in ASKED_BY:
        response.headers[header] = request_id()
    return response


def _named(record: logging.LogRecord) -> bool:
    if has_request_context():
        record.request_id = request_id()
    return True
