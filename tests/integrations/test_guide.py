"""What docs/integrate.md shows is what happens: its shops sell, its calls answer, its buttons lead somewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from standardwebhooks import Webhook

from tests.browser.ensemble import APP_CODE, CLIENT_KEY
from tests.integrations.cast import PATIENCE, VECTORS, Market, Merchant, interpreter
from tests.servers import LOOPBACK, REPOSITORY, Process, free_port, wait_until

GUIDE = (REPOSITORY / "docs/integrate.md").read_text("utf-8")
CLIENTS = REPOSITORY / "integrations"
SECRET = VECTORS["secret"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def only(language: str, mark: str) -> str:
    (code,) = [code for code in blocks(language) if mark in code]
    return code


@dataclass(frozen=True)
class Example:
    """A shop of the guide: the client beside it, its file, and how it is started on a port."""

    client: str
    file: str
    code: str
    command: Callable[[str], list[str]]


EXAMPLES = {
    "python": Example(
        "python/sampan.py",
        "shop.py",
        only("python", "def buy"),
        lambda port: [sys.executable, "-m", "flask", "--app", "shop", "run", "--port", port],
    ),
    "php": Example(
        "php/Sampan.php",
        "index.php",
        only("php", "/buy/"),
        lambda port: [interpreter("php"), "-S", f"{LOOPBACK}:{port}", "index.php"],
    ),
    "javascript": Example(
        "javascript/sampan.mjs", "shop.mjs", only("js", '"buy"'), lambda _: [interpreter("node"), "shop.mjs"]
    ),
}


@pytest.fixture(scope="module")
def port() -> str:
    return str(free_port())


@pytest.fixture(scope="module")
def merchant(market: Market, port: str) -> Merchant:
    """One shop; who stands behind its counter changes with the language."""
    return market.open_shop(webhook_url=f"http://{LOOPBACK}:{port}/sampan")


@pytest.fixture(params=EXAMPLES)
def shop(
    request: pytest.FixtureRequest, market: Market, merchant: Merchant, port: str, tmp_path: Path
) -> Iterator[str]:
    example = EXAMPLES[request.param]
    shutil.copy(CLIENTS / example.client, tmp_path)
    (tmp_path / example.file).write_text(example.code)
    env = {"SAMPAN": market.url, "SK": merchant.api_key, "WHSEC": merchant.webhook_secret, "PORT": port}
    in_folder = ["sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path)]
    with Process([*in_folder, *example.command(port)], env) as process:
        url = f"http://{LOOPBACK}:{port}"
        process.wait_for(f"{url}/nothing")
        yield url


def test_a_shop_copied_from_the_guide_sells(
    shop: str, market: Market, merchant: Merchant, request: pytest.FixtureRequest
) -> None:
    buy = f"{shop}/buy/A-{request.node.callspec.params['shop']}"
    go = requests.get(buy, allow_redirects=False, timeout=PATIENCE)
    assert go.status_code == 303
    session = {"url": go.headers["Location"], "id": go.headers["Location"].rpartition("/")[2]}
    assert requests.get(buy, allow_redirects=False, timeout=PATIENCE).headers["Location"] == session["url"]
    assert requests.post(f"{shop}/sampan", data=b"{}", timeout=PATIENCE).status_code == 401

    market.is_paid(merchant, session)
    back = market.way_back(session)
    assert back.startswith(f"{shop}/thanks?")

    def is_thanked() -> bool:
        return requests.get(back, timeout=PATIENCE).text == "Thank you!"

    wait_until(is_thanked, PATIENCE, lambda: requests.get(back, timeout=PATIENCE).text)
    assert requests.get(back.replace("status=paid", "status=open"), timeout=PATIENCE).status_code == 401


def test_the_snippet_with_the_library_hears_an_event_once(capsys: pytest.CaptureFixture[str]) -> None:
    code = only("python", "standardwebhooks").replace("whsec_…", SECRET)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code, "integrate.md", "exec"), names)  # noqa: S102 - our own document
    data = {"reference": "A-1001", "status": "paid", "version": 5}
    body, now = json.dumps({"type": "checkout_session.paid", "data": data}), datetime.now(UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", now, body),
    }
    browser = names["app"].test_client()

    assert browser.post("/sampan", data=body + " ", headers=headers).status_code == 401
    assert [browser.post("/sampan", data=body, headers=headers).status_code for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "checkout_session.paid A-1001 paid 5\n"


class Calls:
    """The guide's calls, run by a shell as somebody would who pastes them."""

    def __init__(self, market: Market) -> None:
        self.env = {"SAMPAN": market.url}

    def run(self, code: str) -> list[Any]:
        """What each answered, in order; fails if one was refused. Comments and continued lines are the shell's."""
        quiet = 'curl() { command curl --silent --show-error --fail-with-body "$@"; echo; }'
        done = subprocess.run(
            ["bash", "-euc", f"{quiet}\n{code}"], env=os.environ | self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def calls(market: Market) -> Calls:
    """Everything that the calls name exists: a paid session of 128 dollars, an event, a key."""
    calls = Calls(market)
    with market.shop() as made:
        api = {"Authorization": f"Bearer {made.api_key}"}
        order = {"amount": 12800, "currency": "HKD", "reference": "A-7", "return_url": "https://shop.example/thanks"}
        session = requests.post(f"{market.url}/v1/checkout-sessions", json=order, headers=api, timeout=PATIENCE).json()
        market.is_paid(made, session)
        made.heard("checkout_session.paid", session["id"])
        events = requests.get(f"{market.url}/v1/events", headers=api, timeout=PATIENCE).json()["data"]
        key = requests.post(
            f"{market.url}/v1/api-keys", json={"name": "old", "scopes": ["read"]}, headers=api, timeout=PATIENCE
        )
        calls.env |= {"SK": made.api_key, "ID": session["id"], "EVENT": events[0]["id"], "KEY": key.json()["id"]}
    return calls


CALLS = [code for code in blocks("sh") if "curl" in code]


@pytest.mark.parametrize("code", CALLS, ids=lambda code: re.findall(r"/v1/[\w/-]+", code)[-1])
def test_a_call_of_the_guide_is_answered(calls: Calls, code: str) -> None:
    made = calls.run(code)

    assert len(made) == code.count("curl ") - code.count("-X DELETE")  # that is answered with nothing
    assert all(isinstance(answer, dict) for answer in made)


class Button(HTMLParser):
    """The form of button.html, as a browser reads it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.action = self.reusable = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.fields[found["name"]] = found["value"]
        elif tag == "form":
            self.action = found["action"]
        elif found.get("data-example") == "reusable":
            self.reusable = found["href"]


def test_the_buttons_lead_to_a_payment(market: Market) -> None:
    button = Button((CLIENTS / "html/button.html").read_text("utf-8"))
    names: dict[str, Any] = {}
    exec(compile(only("python", "def payment_link"), "integrate.md", "exec"), names)  # noqa: S102 - our own document
    order = button.fields | {"appcode": APP_CODE, "out_trade_no": f"BUTTON-{time.time_ns()}"}
    del order["sign"]
    signed = dict(parse_qsl(urlsplit(names["payment_link"]("", CLIENT_KEY, order)).query))
    assert signed.keys() == button.fields.keys()

    action = button.action.replace("https://pay.example", market.url)
    go = requests.get(action, params=signed, allow_redirects=False, timeout=PATIENCE)
    assert (go.status_code, go.headers["Location"][:8]) == (303, "/pay/cs_")
    changed = requests.get(action, params=signed | {"txamt": "1"}, allow_redirects=False, timeout=PATIENCE)
    assert changed.status_code == 403

    link = market.add_link("--name", "Counter", "--amount", "88.00")
    assert urlsplit(button.reusable).path.rpartition("/")[0] == urlsplit(link["url"]).path.rpartition("/")[0]
    assert requests.get(link["url"], timeout=PATIENCE).status_code == 200
