"""The line between QFPay and its caller: where answers get lost, late or spoilt."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

import requests
from flask import Response, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HANG_SECONDS = 30.0
SLOW_SECONDS = 4.0
MARK = "sandbox.trouble"
SOCKETS = ("werkzeug.socket", "gunicorn.socket")


class Trouble(StrEnum):
    """What may happen to one answer."""

    HANG = "hang"
    DROP = "drop"
    SLOW = "slow"
    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    HTML = "html"
    GARBAGE = "garbage"


REPLACED_BY = {
    Trouble.HTTP_500: (500, "text/plain", "Internal Server Error"),
    Trouble.HTTP_429: (429, "text/plain", "Too Many Requests"),
    Trouble.HTML: (200, "text/html", "<!doctype html><title>Sign in</title><p>502 Bad Gateway"),
    Trouble.GARBAGE: (200, "application/json", '{"respcd": "0000", "syssn": "2026'),
}


def spoil(response: Response, trouble: Trouble | None) -> Response:
    """Give the answer its trouble. Hanging and dropping are left to `Line`, which sees the connection."""
    if trouble is None:
        return response
    if trouble in REPLACED_BY:
        status, mimetype, body = REPLACED_BY[trouble]
        return Response(body, status, mimetype=mimetype)
    request.environ[MARK] = trouble
    return response


class Line:
    """WSGI middleware that cuts, holds or delays an answer that was marked for it.

    Called in-process, without a socket, a lost answer raises what `requests` would have raised.
    """

    def __init__(self, app: "WSGIApplication", pause: Callable[[float], None] = time.sleep) -> None:
        self.app = app
        self.pause = pause

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = self.app(environ, start_response)
        trouble = environ.pop(MARK, None)
        if trouble == Trouble.SLOW:
            self.pause(SLOW_SECONDS)
        if trouble not in (Trouble.HANG, Trouble.DROP):
            return answer
        wire: socket.socket | None = next((environ[name] for name in SOCKETS if name in environ), None)
        if wire is None:
            raise requests.ReadTimeout("never answered") if trouble == Trouble.HANG else requests.ConnectionError("cut")
        if trouble == Trouble.HANG:
            # Readable means that the caller hung up: no reason to hold the thread any longer.
            select.select([wire], [], [], HANG_SECONDS)
        with contextlib.suppress(OSError):  # already gone
            wire.shutdown(socket.SHUT_RDWR)
        return []
