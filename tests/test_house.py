"""Keeps the house in order: which room may know which, who commits, how long a page of code may be."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"app", "bench", "checkout", "config", "demo_shop", "dev", "sandbox", "tests", "worker"}
FOR_TYPES_ONLY = {"_typeshed"}


@dataclass(frozen=True)
class Room:
    """What one part of `checkout` may know: other parts of ours, and other people's libraries."""

    ours: frozenset[str]
    libraries: frozenset[str]


def room(ours: str, libraries: str = "") -> Room:
    return Room(frozenset(ours.split()), frozenset(libraries.split()))


# fmt: off
ROOMS = {
    "domain":       room("domain", "cryptography pydantic pydantic_core segno"),
    "gateway":      room("domain gateway", "requests urllib3"),
    "store":        room("domain store", "alembic sqlalchemy"),
    "services":     room("domain store gateway services crash_points", "sqlalchemy"),
    "web":          room("domain store gateway services web config",
                         "alembic babel flask flask_wtf markupsafe prometheus_client pydantic sqlalchemy "
                         "werkzeug wtforms"),
    "background":   room("domain services store web", "flask sqlalchemy"),
    "cli":          room("domain gateway services store web cli config logs", "click flask"),
    "logs":         room("", "structlog"),
    "crash_points": room(""),
}
# Two modules of the services leave the building by themselves: what we tell merchants is not the gateway's business.
ALSO = {
    "services/webhooks.py": frozenset({"requests", "requests_hardened", "standardwebhooks", "urllib3"}),
    "services/pinned.py":   frozenset({"requests_hardened", "urllib3"}),
    "services/passwords.py": frozenset({"argon2"}),
    "services/second_factor.py": frozenset({"pyotp"}),
    "services/authenticators.py": frozenset({"webauthn"}),
    "cli/people.py": frozenset({"sqlalchemy"}),
}
# fmt: on

LONGEST_MODULE, LONGEST_FUNCTION = 300, 40
# A budget is a smoke alarm: whoever exceeds it says why, here.
EXCUSED = {
    "demo_shop.py": "one file, so that a merchant's developer can read a whole integration from top to bottom",
    "integrations/python/sampan.py": "one file, so that a shop copies one file",
}
TABLE_WRITERS = "migrations/versions"  # written by Alembic's template: one function is one migration

SLEEPERS = {
    "tests/servers.py": "asks a starting process whether it is up, again and again, until a deadline",
    "tests/sandbox/test_processes.py": "the same, for two processes that share a ledger",
    "tests/processes/cast.py": "the pretend gateway's own slowness, halved: requests are cut off while they wait",
    "tests/proofs/soaking.py": "a slow answer of the pretend gateway: the slowness is what befalls the call",
    "tests/proofs/test_soak.py": "ten minutes of bad weather are ten minutes: it looks at the processes each second",
    "tests/hostile/test_lanes.py": "asks running threads what they have done, again and again, until a deadline",
    "tests/browser/test_weight.py": "a crowd of pages that poll: the pause between two questions is part of the crowd",
    "tests/services/endpoints.py": "an endpoint that drips its answer: the slowness is what is tested",
}

SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/]{20}"),
    "a cloud key": re.compile(r"\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b"),
    "an API key of ours": re.compile(r"\bsk_(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{40,}"),
    "a webhook secret of ours": re.compile(r"\bwhsec_[A-Za-z0-9+/]{43}=?"),  # 32 bytes, as we make them
}
READABLE = {
    "", ".cfg", ".css", ".html", ".in", ".ini", ".js", ".json", ".mako", ".md", ".mjs", ".php", ".po", ".py",
    ".sh", ".sql", ".svg", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip


def ignored() -> set[str]:
    return {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.endswith("/")}


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the repository, whether git is there to ask or not."""
    skip = ignored() | {".git"}
    return tuple(p for top in sorted(ROOT.iterdir()) if top.name not in skip for p in _below(top, skip) if p.is_file())


def _below(top: Path, skip: set[str]) -> Iterator[Path]:
    inside = top.rglob("*") if top.is_dir() else [top]
    return (path for path in inside if not skip & set(path.relative_to(ROOT).parts))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files(*tops: str) -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and name_of(path).split("/")[0] in tops]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, dotted and absolute: `checkout.domain.money`, `flask.typing`."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def calls(path: Path, test: Callable[[ast.expr], bool]) -> list[str]:
    """`file:line` of each call whose function passes the test."""
    found = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and test(node.func))
    return [f"{name_of(path)}:{node.lineno}" for node in found]


def is_method(*names: str) -> Callable[[ast.expr], bool]:
    return lambda func: isinstance(func, ast.Attribute) and func.attr in names


def is_name(name: str) -> Callable[[ast.expr], bool]:
    return lambda func: isinstance(func, ast.Name) and func.id == name


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def in_checkout(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT / "checkout").parts


def test_every_room_has_a_rule() -> None:
    rooms = {in_checkout(path)[0].removesuffix(".py") for path in python_files("checkout")} - {"__init__"}
    assert rooms == set(ROOMS)


@each([path for path in python_files("checkout") if path.parent != ROOT / "checkout" or path.stem != "__init__"])
def test_imports_point_one_way(path: Path) -> None:
    rule = ROOMS[in_checkout(path)[0].removesuffix(".py")]
    libraries = rule.libraries | ALSO.get("/".join(in_checkout(path)), frozenset()) | FOR_TYPES_ONLY
    strange = []
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "checkout":
            known = rest.split(".")[0] in rule.ours
        else:
            known = top in rule.ours or top in libraries or top in sys.stdlib_module_names
        if not known:
            strange.append(name)
    assert not strange


def test_the_rules_let_nothing_in_that_is_not_used() -> None:
    used = {
        (place, name.partition(".")[0])
        for path in python_files("checkout")
        for place in (in_checkout(path)[0].removesuffix(".py"), "/".join(in_checkout(path)))
        for name in imports(path)
    }
    allowed = {(place, library) for place, rule in ROOMS.items() for library in rule.libraries}
    allowed |= {(place, library) for place, libraries in ALSO.items() for library in libraries}
    assert allowed <= used


def test_the_demo_shop_is_a_stranger() -> None:
    assert not [name for name in imports(ROOT / "demo_shop.py") if name.partition(".")[0] in OURS]


@each(python_files("sandbox"))
def test_the_sandbox_shares_the_signatures_and_nothing_else(path: Path) -> None:
    ours = {name for name in imports(path) if name.partition(".")[0] in OURS - {"sandbox"}}
    assert all(name.startswith("checkout.domain.signing.") for name in ours)


@each(python_files("app.py", "worker.py", "migrations", "checkout"))
def test_only_services_commit(path: Path) -> None:
    if name_of(path).startswith("checkout/services/") or name_of(path) == "migrations/env.py":
        return
    assert not calls(path, is_method("commit", "begin", "begin_nested"))


@each(python_files("checkout"))
def test_nothing_is_printed(path: Path) -> None:
    assert not calls(path, is_name("print"))


@each([p for p in files() if p.suffix == ".py" and name_of(p).split("/")[0] != "tests"])
def test_md5_is_where_qfpay_wants_it_and_nowhere_else(path: Path) -> None:
    if name_of(path) != "checkout/domain/signing.py":
        assert not calls(path, is_method("md5")) + calls(path, is_name("md5"))
        assert "hashlib.md5" not in set(imports(path))


@each(python_files("tests"))
def test_tests_do_not_sleep_for_luck(path: Path) -> None:
    if name_of(path) not in SLEEPERS:
        assert not calls(path, is_method("sleep")) + calls(path, is_name("sleep"))


@each([p for p in files() if p.suffix == ".py" and name_of(p).split("/")[0] != "tests"])
def test_modules_and_functions_keep_to_their_budget(path: Path) -> None:
    if name_of(path).startswith(TABLE_WRITERS):
        return
    too_long = [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    lines = len(path.read_text("utf-8").splitlines())
    assert not too_long
    assert lines <= LONGEST_MODULE or name_of(path) in EXCUSED


@each([p for p in files() if p.suffix == ".py" and p.stat().st_size])
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    said = ast.get_docstring(tree(path)) or "Nothing"
    assert said.splitlines()[0].endswith((".", "?", "`"))


def test_nothing_is_called_utils() -> None:
    homeless = {"base.py", "common.py", "constants.py", "helpers.py", "misc.py", "util.py", "utils.py"}
    assert not [name_of(path) for path in files() if path.name in homeless]


@pytest.mark.parametrize("kind", SECRETS)
def test_the_repository_holds_no_secret(kind: str) -> None:
    texts = (path for path in files() if path.suffix in READABLE)
    found = ((path, SECRETS[kind].search(path.read_text("utf-8", "replace"))) for path in texts)
    assert not [name_of(path) for path, match in found if match]


@pytest.mark.parametrize("lock", ["requirements.txt", "tests/requirements.txt"])
def test_a_lock_names_versions_and_hashes_and_no_place(lock: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / lock).read_text().splitlines()]
    wishes = [line for line in lines if line and not line.startswith("--hash=sha256:")]
    assert wishes
    assert all(re.fullmatch(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==[\w.+!]+( ; .+)? \\", line) for line in wishes)


def test_every_lint_exception_has_its_reason() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    ignored_codes = tomllib.loads(settings)["tool"]["ruff"]["lint"]["ignore"]
    reasons = dict(re.findall(r'^\s+"([A-Z]+\d+)",\s+# (.+)$', settings, re.MULTILINE))
    assert [code for code in ignored_codes if not reasons.get(code)] == []
    lines = chain.from_iterable(path.read_text("utf-8").splitlines() for path in python_files("checkout", "app.py"))
    assert not [line for line in lines if "# noqa" in line and " - " not in line.partition("# noqa")[2]]
