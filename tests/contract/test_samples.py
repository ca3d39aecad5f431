"""The programs of the reference page, each run as it stands there against the application on a real socket."""

import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from checkout.web.openapi.samples import LANGUAGES, samples
from checkout.web.openapi.table import OPERATIONS
from tests.contract.examples import Telling, collect
from tests.servers import HttpServer, free_port
from tests.stories.cast import World

BY_ID = {operation.id: operation for operation in OPERATIONS}


def by_curl(text: str) -> str:
    return _said(["bash", "-c", text.replace("curl ", "curl -sS --fail-with-body --noproxy '*' ", 1)])


def by_python(text: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(text, "sample.py", "exec"), {})  # noqa: S102 - our own sample
    return said.getvalue()


def by_php(text: str) -> str:
    return _said(["php", "-r", text.removeprefix("<?php")])


def by_node(text: str) -> str:
    return _said(["node", "--input-type=module", "-e", text])


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


# Each with the program that it needs.
RUNNERS: dict[str, tuple[Callable[[str], str], str]] = {
    "curl": (by_curl, "curl"),
    "python": (by_python, "python3"),
    "php": (by_php, "php"),
    "javascript": (by_node, "node"),
}


class Typing(Telling):
    """Bo's developer, who copies each program from the page, puts in his key, and runs it."""

    language: ClassVar[str]
    place: ClassVar[str]

    def __call__(self, operation: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        example = {"path": path} | ({} if body is None else {"request": body})
        written = samples(BY_ID[operation], example, self.place, self.bo.told.api_key)
        said = RUNNERS[self.language][0](written[self.language])
        self.noted[operation] = {"path": path, "answer": json.loads(said) if said.strip() else None}
        return self.noted[operation]["answer"]


@pytest.fixture
def served(empty_books: Path, tmp_path: Path, hooks: HttpServer, inboxes: Any) -> Iterator[tuple[World, str]]:
    port = free_port()
    copy = tmp_path / "books.db"
    shutil.copy(empty_books, copy)
    world = World(f"sqlite:///{copy}", hooks, inboxes, PORT=str(port))
    with HttpServer(world.app, port) as server:
        yield world, server.url
    assert world.violations() == []
    world.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_program_of_the_reference_runs(served: tuple[World, str], language: str) -> None:
    if not shutil.which(RUNNERS[language][1]):
        pytest.skip(f"{RUNNERS[language][1]} is not installed")
    world, place = served
    told = collect(world, type("Typed", (Typing,), {"language": language, "place": place}))
    assert set(BY_ID) - {"readOpenapi"} <= set(told)
    assert told["readCheckoutSession"]["answer"]["status"] == "paid"
    assert told["readRefund"]["answer"]["status"] == "succeeded"
