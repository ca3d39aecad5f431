"""A wire with two ends in the test: it keeps what was asked, and answers what it was told to."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from checkout.domain.signing import SignType
from checkout.gateway.client import Credentials, Gateway, LinkPolicy, Transport
from tests.wsgi import session_to

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KEY = "test_client_key_0123456789abcdef"
LINKS = LinkPolicy(("alipay.com",))

Reply = bytes | dict[str, Any] | Exception


class Wire:
    """`asked` holds (path, form, headers) of each call. `answers` are used up in turn; the last one stays."""

    def __init__(self, *answers: Reply, status: str = "200 OK", headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.answers = list(answers)
        self.status, self.headers = status, headers
        self.asked: list[tuple[str, dict[str, str], WSGIEnvironment]] = []

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        self.asked.append((environ["PATH_INFO"], dict(parse_qsl(body, keep_blank_values=True)), environ))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        start_response(self.status, list(self.headers))
        return [json.dumps(answer).encode() if isinstance(answer, dict) else answer]

    @property
    def form(self) -> dict[str, str]:
        return self.asked[-1][1]

    def gateway(self, mchid: str | None = None, sign_type: SignType = "sha256") -> Gateway:
        credentials = Credentials("APP1", KEY, "https://gateway.example/", mchid, sign_type)
        return Gateway(credentials, Transport(session_to(self)), LINKS)
