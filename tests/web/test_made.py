"""What pages carry is made of the scripts and style sheets that people write."""

import json
import re
import subprocess
import sys

import pytest

from tests.servers import REPOSITORY

STATIC = REPOSITORY / "static"
MADE = json.loads((STATIC / "made.json").read_text("utf-8"))
SCRIPTS = [name for name in MADE if name.endswith(".js")]


def test_what_is_sent_is_made_of_what_is_written() -> None:
    """In a process of its own, as tests/slim.py says."""
    command = [sys.executable, "-m", "tests.slim"]
    looked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (looked.returncode, looked.stderr) == (0, "")


def test_every_script_and_sheet_is_made() -> None:
    written = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*.*") if path.suffix in (".css", ".js")}
    assert set(MADE) == written


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_every_string_that_was_written(name: str) -> None:
    """A glance from outside at the tool's work: what browsers do with it is told in tests/browser."""
    written = re.sub(r"^\s*//.*$", "", (STATIC / name).read_text(), flags=re.MULTILINE)
    for said in re.findall(r'"([^"\n\\]+)"', written):
        assert said in MADE[name]


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.startswith(("pay/extra/", "alipay/"))])
def test_what_stands_beside_the_core_declares_in_blocks_only(name: str) -> None:
    """A short name outside of one would be declared twice on a page."""
    outside, inner = MADE[name], 1
    while inner:
        outside, inner = re.subn(r"\{[^{}]*\}", "", outside)
    assert not re.search(r"\b(let|const|function|class)\b", outside)
