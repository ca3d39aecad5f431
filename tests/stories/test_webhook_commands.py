"""What the operator can find out about webhooks at the prompt."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stories.cast import Merchant, World
from tests.stories.test_endpoints import only_sqlite, shown
from tests.stories.test_event_log import cancels

pytestmark = only_sqlite


def verify(world: World, folder: Path, body: bytes, headers: dict[str, str], secret: str) -> Any:
    (folder / "body").write_bytes(body)
    (folder / "headers").write_text("".join(f"{name}: {value}\r\n" for name, value in headers.items()))
    words = ["webhook", "verify", "--body", str(folder / "body"), "--headers", str(folder / "headers")]
    return world.app.test_cli_runner().invoke(args=[*words, "--secret", secret])


@pytest.fixture
def heard(world: World, bo: Merchant) -> tuple[bytes, dict[str, str]]:
    cancels(bo)
    world.works()
    return bo.inbox.heard[0].get_data(), dict(bo.inbox.heard[0].headers)


def test_what_we_sent_verifies(world: World, bo: Merchant, heard: tuple[bytes, dict[str, str]], tmp_path: Path) -> None:
    told = verify(world, tmp_path, *heard, bo.told.webhook_secret)
    assert (told.exit_code, told.output) == (0, "The signature is right.\n")


def test_the_books_tell_a_changed_body_from_a_wrong_secret(
    world: World, bo: Merchant, heard: tuple[bytes, dict[str, str]], tmp_path: Path
) -> None:
    body, headers = heard
    wrong = "whsec_" + "A" * 44
    other_secret = verify(world, tmp_path, body, headers, wrong)
    assert (other_secret.exit_code, "byte for byte" in other_secret.output) == (1, True)
    changed = verify(
        world, tmp_path, json.dumps(json.loads(body) | {"type": "x"}).encode(), headers, bo.told.webhook_secret
    )
    assert (changed.exit_code, "not the one that we sent" in changed.output) == (1, True)
    stranger = verify(world, tmp_path, body, headers | {"Webhook-Id": "evt_x"}, bo.told.webhook_secret)
    assert (stranger.exit_code, "no event evt_x" in stranger.output) == (1, True)
    assert bo.told.webhook_secret not in changed.output


def test_a_test_is_sent_from_the_prompt(world: World, bo: Merchant) -> None:
    bo.inbox.answers = [204, 500]
    runner = world.app.test_cli_runner()
    fine = runner.invoke(args=["webhook", "test", bo.told.merchant_id])
    assert (fine.exit_code, "answered 204" in fine.output) == (0, True)
    [first] = shown(bo)
    failed = runner.invoke(args=["webhook", "test", bo.told.merchant_id, first["id"]])
    assert (failed.exit_code, "answered 500" in failed.output) == (1, True)
    nobody = runner.invoke(args=["webhook", "test", bo.told.merchant_id, "we_nobody"])
    assert (nobody.exit_code, "no such endpoint" in nobody.output) == (1, True)
