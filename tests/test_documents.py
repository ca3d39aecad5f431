"""The documents tell the truth: the map, the settings, the links, the snippets."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from checkout.domain.signing import sign_return
from config import ROOT, Config

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = ROOT / "README.md"
MADE = {"__pycache__", ".git", *(line.strip("/\n") for line in (ROOT / ".gitignore").read_text().splitlines())}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# Defaults that depend on the machine or on each other, as the table puts them into words.
IN_WORDS = {
    "SECRET_KEY": "made once, in `instance/`",
    "DATABASE_URL": "`sqlite:///instance/sampan.db`",
    "WEB_CONCURRENCY": "cores",
    "PUBLIC_URL": "`http://127.0.0.1:$PORT`",
    "EMBEDDED_WORKER": "`1` on SQLite, `0` on PostgreSQL",
    "MERCHANT_API_KEY": "made, and printed once",
    "MERCHANT_WEBHOOK_SECRET": "made, and printed once",
}

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def section(path: Path, title: str) -> str:
    return path.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def mapped() -> set[str]:
    """The paths of the README's map; indentation says what lies inside what."""
    found, folder = set(), ""
    for line in section(README, "The map").split("```")[1].strip().splitlines():
        name = line.split()[0]
        if line.startswith("  "):
            name = folder + name
        elif name.endswith("/"):
            folder = name
        found.add(name)
    return found


def present(folder: Path) -> set[str]:
    shown = (path for path in folder.iterdir() if path.name not in MADE and path.name != "__init__.py")
    names = (path.relative_to(ROOT).as_posix() + "/" * path.is_dir() for path in shown)
    return {name for name in names if not name.startswith(".") or name == ".ci/"}


def test_the_map_shows_all_that_there_is_and_nothing_else() -> None:
    assert mapped() == present(ROOT) | present(ROOT / "checkout")


def test_the_table_of_settings_is_the_table_of_settings() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", section(README, "Settings"), re.MULTILINE)
    said = {name: default for name, default, _ in rows}
    assert [name for name, *_ in rows] == list(Config.model_fields)
    assert said == {name: IN_WORDS.get(name) or shown(field.default) for name, field in Config.model_fields.items()}


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return f"`{int(default)}`"
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    return f"`{text.removeprefix(f'{ROOT}/')}`" if text else "–"


@each_document
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@each_document
def test_a_document_names_only_files_that_exist(path: Path) -> None:
    text = re.sub(r"<\w+>", "*", path.read_text("utf-8"))
    for name in re.findall(r"`((?:checkout|tests|docs|templates|migrations|sandbox|domain|gateway)/[\w./*-]+)`", text):
        places = [ROOT, ROOT / "checkout"]
        assert any(list(place.glob(name.rstrip("/"))) for place in places), name


@pytest.mark.parametrize("path", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_a_context_and_consequences(path: Path) -> None:
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert re.fullmatch(rf"{path.name[:4]} · .+", titles[0])
    assert titles[1:] == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_command_of_make_that_is_written_about_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for path in DOCUMENTS for name in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text("utf-8"), re.M)}
    assert named
    assert named <= targets


def python_blocks(path: Path) -> list[str]:
    return [code for code in re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL) if "def " in code]


def test_the_guides_snippet_knows_a_return_of_ours_from_any_other() -> None:
    (code,) = [code for code in python_blocks(ROOT / "docs/integrate.md") if "came_back" in code]
    signature = sign_return(SECRET, session_id="cs_1", reference="A 1001", status="paid", timestamp=1795301951)
    sent = {"session_id": "cs_1", "reference": "A 1001", "status": "paid", "timestamp": "1795301951"}
    good = f"https://shop.example/thanks?{urlencode(sent | {'signature': signature})}"
    tries = [good, good.replace("paid", "open"), good + "0", "https://shop.example/thanks"]
    known = f"[came_back(url, {SECRET!r}, 10**10) is not None for url in {tries!r}]"
    asked = f"{code}\nprint({known}, came_back({good!r}, {SECRET!r}, -1))"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split("] ") == ["[True, False, False, False", "None\n"]


def test_every_snippet_is_python() -> None:
    blocks = [code for path in DOCUMENTS for code in python_blocks(path)]
    assert len(blocks) == 4
    assert all(ast.parse(code).body for code in blocks)
