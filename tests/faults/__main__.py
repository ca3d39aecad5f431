"""`python -m tests.faults`: every fault by number, its tests, and whether they are green; `--save` keeps the list.

SAMPAN_PROVE=release makes the long ones whole: all orders of news, all spoilt answers, five hundred open payments.
With the path of a report that `pytest --junit-xml=report.xml` wrote, nothing is run anew.
"""

import ast
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.rows import ROWS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- faults begin -->", "<!-- faults end -->"
NAMED = re.compile(r"test_f(\d\d)_")


def main() -> int:
    given = [Path(word) for word in sys.argv[1:] if word.endswith(".xml")]
    with tempfile.TemporaryDirectory() as folder:
        report = given[0] if given else Path(folder) / "report.xml"
        ended = 0 if given else run(report)
        ran = results(ElementTree.parse(report))  # noqa: S314 - pytest wrote it
    table = "\n".join(rows(ran))
    print(table)
    if "--save" in sys.argv:
        keep(table)
    return ended


def run(report: Path) -> int:
    # Neither is a long test a hang, nor is one order of them better than another.
    options = ["-q", "-p", "no:randomly", "-o", "faulthandler_timeout=0", f"--junit-xml={report}"]
    return subprocess.run([sys.executable, "-m", "pytest", *options, str(HERE)], cwd=ROOT, check=False).returncode


def named_tests() -> dict[int, list[str]]:
    """The tests of this folder by the fault that each is named after; a test without a number belongs to none."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (named := NAMED.match(node.name)):
                found[int(named[1])].append(node.name)
    return found


def first_columns() -> Iterator[tuple[str, str, str]]:
    """As much of each line as does not depend on a run."""
    named = named_tests()
    for row in ROWS.values():
        yield f"| {row.name}", row.title, str(len(named[row.number]))


def rows(ran: dict[int, Counter[str]]) -> Iterator[str]:
    yield "| fault | what goes wrong | tests | cases | SQLite | PostgreSQL | result |"
    yield "|---|---|---|---|---|---|---|"
    for columns, row in zip(first_columns(), ROWS.values(), strict=True):
        counts = ran[row.number]
        cases = [str(counts["passed"] + counts["failed"]), *(str(counts[name] or "") for name in DATABASES)]
        yield " | ".join([*columns, *cases, _result(row.number, counts)]) + " |"


DATABASES = ("sqlite", "postgresql")


def _result(number: int, counts: Counter[str]) -> str:
    row = ROWS[number]
    if row.why_not:
        return f"no test: {row.why_not}"
    if not counts:
        return "not run"
    if counts["failed"]:
        return f"red: {counts['failed']} failed"
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"green{skipped}; {row.differs}" if row.differs else f"green{skipped}"


def results(report: "ElementTree.ElementTree[ElementTree.Element]") -> dict[int, Counter[str]]:
    """For each fault: cases passed and failed, and how many of them ran on which database."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for case in report.iter("testcase"):
        if not (named := NAMED.match(case.get("name", ""))):
            continue
        counts = found[int(named[1])]
        if case.find("skipped") is not None:  # proves nothing either way, and is told
            counts["skipped"] += 1
            continue
        bad = any(case.find(kind) is not None for kind in ("failure", "error"))
        counts["failed" if bad else "passed"] += 1
        counts.update(name for name in DATABASES if name in case.get("name", ""))
    return found


def keep(table: str) -> None:
    """Put the table between its two marks in docs/faults.md."""
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    today = datetime.now(UTC).date().isoformat()
    DOCUMENT.write_text(f"{before}{BEGIN}\n{today}, `python -m tests.faults --save`:\n\n{table}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
