"""Shops in three languages, each a process that holds a one-file client, and the deployment they sell with."""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from checkout.services.audit import audit
from tests.browser.ensemble import APP_CODE, CLIENT_KEY, Ensemble
from tests.servers import REPOSITORY, HttpServer, wait_until
from tests.stories.cast import Inbox

DRIVERS = Path(__file__).parent / "drivers"
VECTORS: dict[str, Any] = json.loads((REPOSITORY / "integrations/vectors.json").read_text("utf-8"))
PATIENCE = 30  # seconds for two enquiries and a webhook on a busy machine


def interpreter(name: str) -> str:
    """Not skipped when it is missing: then nobody would notice that half of the integrations are untested."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: `make test` does it, or apt-get install php-cli php-curl nodejs phpunit"
    return found


def command_of(language: str) -> list[str]:
    commands = {
        "python": lambda: [sys.executable, "driver.py"],
        "php": lambda: [interpreter("php"), "driver.php"],
        "javascript": lambda: [interpreter("node"), "driver.mjs"],
    }
    *program, script = commands[language]()
    return [*program, str(DRIVERS / script)]


class Driver:
    """A shop's server: `driver("get", id="cs_…")` makes its client do that and gives what came of it."""

    def __init__(self, language: str, url: str, api_key: str, secret: str) -> None:
        self._child = subprocess.Popen(
            command_of(language), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"SAMPAN": url, "SK": api_key, "WHSEC": secret, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip

    def __call__(self, verb: str, **arguments: Any) -> dict[str, Any]:
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps({"do": verb} | arguments) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, self._child.communicate()[1]
        return dict(json.loads(line))

    def result(self, verb: str, **arguments: Any) -> Any:
        answer = self(verb, **arguments)
        assert "result" in answer, answer
        return answer["result"]

    def hears(self, body: bytes, headers: dict[str, str], now: float | None = None) -> dict[str, Any]:
        return self("webhook", body=base64.b64encode(body).decode(), headers=headers, now=now)

    def close(self) -> None:
        self._child.communicate(timeout=10)


@contextmanager
def driving(language: str, url: str, api_key: str = "sk_bo", secret: str = VECTORS["secret"]) -> Iterator[Driver]:
    driver = Driver(language, url, api_key, secret)
    try:
        yield driver
    finally:
        driver.close()


@dataclass
class Merchant:
    """What `merchant add` prints, and a server that keeps every webhook as it came."""

    id: str
    api_key: str
    webhook_secret: str
    inbox: Inbox = field(default_factory=Inbox)

    def heard(self, kind: str, session_id: str) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of this news, once it is there."""
        found: list[tuple[bytes, dict[str, str]]] = []

        def is_there() -> bool:
            for request in list(self.inbox.heard):
                event = json.loads(request.get_data())
                if (event["type"], event["data"].get("id")) == (kind, session_id):
                    found.append((request.get_data(), dict(request.headers)))
            return bool(found)

        wait_until(is_there, PATIENCE, lambda: f"no {kind} about {session_id}")
        return found[0]


class Market(Ensemble):
    """The real product, with a shop of its own for each language."""

    def open_shop(self, options: Sequence[str] = (), webhook_url: str = "") -> Merchant:
        account = ["--app-code", APP_CODE, "--client-key", CLIENT_KEY, "--base-url", f"{self.url}/sandbox"]
        hearing = ["--webhook-url", webhook_url] if webhook_url else []
        told = json.loads(self._flask("merchant", "add", "--json", "--name", "Bo's Tea", *account, *hearing, *options))
        return Merchant(told["merchant_id"], told["api_key"], told["webhook_secret"])

    @contextmanager
    def shop(self) -> Iterator[Merchant]:
        """A merchant whose webhooks come to this process."""
        inbox = Inbox()
        with HttpServer(inbox) as server:
            merchant = self.open_shop(webhook_url=server.url)
            merchant.inbox = inbox
            yield merchant

    def is_paid(self, merchant: Merchant, session: dict[str, Any]) -> None:
        """Ada picks a wallet and pays; returns when the page knows."""
        self._keys[session["id"]] = merchant.api_key
        self.picks(session["url"], "alipay_hk")
        self.pays(session["url"])

    def way_back(self, session: dict[str, Any]) -> str:
        """The address behind the page's link to the shop."""
        found = re.search(r'<a[^>]*data-return[^>]*href="([^"]+)"', self.get(session["url"]).text) or re.search(
            r'<a[^>]*href="([^"]+)"[^>]*data-return', self.get(session["url"]).text
        )
        assert found
        return html.unescape(found[1])

    def violations(self) -> list[Any]:
        """What the audit has to say about the whole day."""
        engine = create_engine(f"sqlite:///file:{self._database}?mode=ro&uri=true")
        try:
            with Session(engine) as db:
                return list(audit(db))
        finally:
            engine.dispose()
