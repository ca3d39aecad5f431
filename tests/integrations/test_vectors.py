"""What a receiver must accept and refuse: the published vectors, by every client, by the library, and by us."""

import ast
import base64
import re
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from standardwebhooks import Webhook

from checkout.domain.signing import sign_return
from checkout.domain.webhook_signing import judge
from tests.integrations.cast import VECTORS, driving
from tests.servers import REPOSITORY

SECRET = VECTORS["secret"]
CLIENTS = REPOSITORY / "integrations"
NOWHERE = "http://127.0.0.1:9"
LANGUAGES = ("python", "php", "javascript")


def body_of(vector: dict[str, Any]) -> bytes:
    return vector["body"].encode() if "body" in vector else base64.b64decode(vector["body_base64"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_accepts_and_refuses_webhooks_as_written(language: str) -> None:
    with driving(language, NOWHERE) as shop:
        found = {v["name"]: shop.hears(body_of(v), v["headers"], v["now"]) for v in VECTORS["webhooks"]}

    assert {name for name, answer in found.items() if "result" in answer} == accepted("webhooks")
    assert {answer["error"] for answer in found.values() if "result" not in answer} == {"forged"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_accepts_and_refuses_returns_as_written(language: str) -> None:
    with driving(language, NOWHERE) as shop:
        found = {v["name"]: shop("return", url=v["url"], now=v["now"]) for v in VECTORS["returns"]}

    assert {name: answer["result"] for name, answer in found.items() if "result" in answer} == {
        v["name"]: v["is"] for v in VECTORS["returns"] if v["accepted"]
    }
    assert {answer["error"] for answer in found.values() if "result" not in answer} == {"forged"}


@pytest.mark.parametrize("vector", VECTORS["webhooks"], ids=lambda vector: vector["name"])
def test_our_own_judge_says_the_same(vector: dict[str, Any]) -> None:
    verdict = judge(vector["headers"], body_of(vector), SECRET, datetime.fromtimestamp(vector["now"], UTC))

    assert verdict.ok is vector["accepted"], verdict.reason


def test_the_good_webhook_is_what_the_library_signs() -> None:
    good = VECTORS["webhooks"][0]
    sent = datetime.fromtimestamp(int(good["headers"]["webhook-timestamp"]), UTC)

    signature = Webhook(SECRET).sign(good["headers"]["webhook-id"], sent, good["body"])
    assert good["headers"]["webhook-signature"] == signature


@pytest.mark.parametrize("vector", [v for v in VECTORS["returns"] if v["accepted"]], ids=lambda vector: vector["name"])
def test_the_good_returns_are_what_we_sign(vector: dict[str, Any]) -> None:
    signature = sign_return(SECRET, **vector["is"] | {"timestamp": int(vector["is"]["timestamp"])})

    assert dict(parse_qsl(urlsplit(vector["url"]).query))["signature"] == signature


def accepted(kind: str) -> set[str]:
    return {vector["name"] for vector in VECTORS[kind] if vector["accepted"]}


def test_the_clients_need_nothing_but_their_language() -> None:
    python = ast.parse((CLIENTS / "python/sampan.py").read_text("utf-8"), feature_version=(3, 9))
    names = [alias.name for node in ast.walk(python) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(python) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names

    javascript = (CLIENTS / "javascript/sampan.mjs").read_text("utf-8")
    assert set(re.findall(r"^import .* from \"(\w+):", javascript, re.MULTILINE)) == {"node"}
    assert not re.search(
        r"\b(require|include)(_once)?\b", (CLIENTS / "php/Sampan.php").read_text("utf-8").split("*/", 1)[1]
    )
