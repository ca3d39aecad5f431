"""The three roads on which things get lost: to the gateway, from the gateway, to a merchant's endpoint."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import requests
from flask import Flask

from checkout.gateway.deadline import _running
from checkout.gateway.transport import _Adapter
from checkout.services.webhooks import Answer, WebhookSender
from sandbox import Scenario
from tests.proofs.machine.faults import Code, Denied, Strikes, Trouble, Waiting, Wire

YOUNG = timedelta(hours=1)  # what a forgetful enquiry does not list yet
SLOW = timedelta(seconds=9)

UNHEARD = {Wire.NOT_SENT, Wire.UNHEARD, Wire.UNHEARD_500, Wire.HTTP_429}
REPLACED_BY = {
    Wire.UNHEARD_500: (500, b"Internal Server Error"),
    Wire.HTTP_500: (500, b"Internal Server Error"),
    Wire.HTTP_429: (429, b"Too Many Requests"),
    Wire.HTML: (200, b"<!doctype html><title>Sign in</title>"),
    Wire.GARBAGE: (200, b'{"respcd": "0000", "syssn": "2026'),
}

Reply = tuple[int, bytes, Mapping[str, str]]


@dataclass
class Meanwhile:
    """What others do while one call is under way: once the gateway has done its part, or just before."""

    acts: list[tuple[bool, Callable[[], object]]] = field(default_factory=list)

    def happens(self, *, before: bool) -> None:
        now = [act for early, act in self.acts if early is before]
        self.acts = [pair for pair in self.acts if pair[0] is not before]
        for act in now:
            act()


class Road(_Adapter):
    """Our calls to the gateway: signed and read by the real client, answered by the sandbox, without a socket.

    It is an adapter of ours, as far as the transport knows: so it can tell what was never sent.
    """

    def __init__(
        self, sandbox: Flask, waiting: Waiting, meanwhile: Meanwhile, passes: Callable[[timedelta], None]
    ) -> None:
        super().__init__()
        self._sandbox, self._waiting, self._meanwhile, self._passes = sandbox, waiting, meanwhile, passes
        self.calls = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        deadline = _running.deadline
        path, self.calls = request.path_url, self.calls + 1
        trouble = self._waiting.strike(Strikes(path))
        does = trouble.does if trouble else None
        if does is Wire.NOT_SENT:
            raise requests.ConnectionError("refused")
        deadline.sent = True
        self._meanwhile.happens(before=True)
        reply = self._reply(request, does)
        self._meanwhile.happens(before=False)
        if does in (Wire.UNHEARD, Wire.UNANSWERED):
            raise requests.ReadTimeout("never answered")
        if does is Wire.SLOW:
            self._passes(SLOW)
        return _response(request, reply)

    def _reply(self, request: requests.PreparedRequest, does: Any) -> Reply:
        if isinstance(does, Code):
            return 200, json.dumps({"respcd": does.code, "resperr": "", "respmsg": ""}).encode(), {}
        if isinstance(does, Denied):
            code, done = does.ways[self._waiting.struck.total() % len(does.ways)]
            if done:
                self._ask(request)
            return 200, json.dumps({"respcd": code, "resperr": "", "respmsg": ""}).encode(), {}
        if does in UNHEARD:
            status, body = REPLACED_BY.get(does, (0, b""))
            return status, body, {}
        if isinstance(does, Scenario):
            self._sandbox.extensions["sandbox"].ledger.set_next(does)
        reply = self._ask(request)
        if does in REPLACED_BY:
            return *REPLACED_BY[does], {}
        return self._forgetful(reply) if does is Wire.FORGETFUL else reply

    def _forgetful(self, reply: Reply) -> Reply:
        said = json.loads(reply[1])
        before = (self._sandbox.extensions["sandbox"].now() - YOUNG + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
        listed = said.get("data", [])
        said["data"] = [one for one in listed if max(one["sysdtm"], one["paydtm"] or "") < before]
        return reply[0], json.dumps(said).encode(), {}

    def _ask(self, request: requests.PreparedRequest) -> Reply:
        body = request.body or ""
        sent = body if isinstance(body, bytes) else body.encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": request.path_url,
            "QUERY_STRING": "",
            "SERVER_NAME": "sandbox",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": request.headers["Content-Type"],
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        } | {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
            head.extend((int(status.split(" ", maxsplit=1)[0]), dict(headers)))
            return lambda _: None

        said = b"".join(self._sandbox(environ, start_response))
        return head[0], said, head[1]


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code, body, headers = reply
    response.headers.update(headers)
    response.raw = io.BytesIO(body)
    response.url, response.request = str(request.url), request
    return response


@dataclass(frozen=True)
class Notice:
    """One notification as it went over the wire."""

    url: str
    body: bytes
    sign: str


class NoticeRoad(requests.Session):
    """The gateway's calls to us. `receive` is our side; what was sent once is kept, to be sent again by anybody."""

    def __init__(self, waiting: Waiting, receive: Callable[[Notice], int]) -> None:
        super().__init__()
        self._waiting, self._receive = waiting, receive
        self.sent: list[Notice] = []

    def post(self, url: Any, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
        notice = Notice(str(url), data, options["headers"]["X-QF-SIGN"])
        self.sent.append(notice)
        trouble = self._waiting.strike(Strikes.NOTICE)
        does = trouble.does if trouble else None
        if does is Wire.UNHEARD:
            raise requests.ConnectionError("lost")
        status = self._receive(notice)
        if does is Wire.TWICE:
            status = self._receive(notice)
        if does is Wire.UNANSWERED or status == 0:
            raise requests.ReadTimeout("never answered")
        answer = requests.Response()
        answer.status_code, answer._content = status, b"SUCCESS" if status == HTTPStatus.OK else b""
        return answer


class EndpointRoad(WebhookSender):
    """Our webhooks to merchants, without a socket: every body that an endpoint has heard, by its event."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(loopback_allowed=True)
        self._waiting = waiting
        self.heard: dict[str, list[str]] = {}

    def send(
        self, url: str, *, event_id: str, body: str, secrets: Sequence[str], now: datetime,
        private_keys: Sequence[bytes] = (),
    ) -> Answer:  # fmt: skip
        trouble: Trouble | None = self._waiting.strike(Strikes.ENDPOINT)
        if trouble is not None and trouble.does is Wire.HTTP_500:
            return Answer(status=500, error="answered 500")
        self.heard.setdefault(event_id, []).append(body)
        if trouble is not None:
            return Answer(error="took too long")
        return Answer(status=204)
