"""`python -m tests.proofs`: every proof at release scale, then a table of what was counted; `--save` keeps it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "docs" / "evidence.md"
BEGIN, END = "<!-- proofs begin -->", "<!-- proofs end -->"


def main() -> int:
    chosen = [word for word in sys.argv[1:] if word != "--save"] or ["tests/proofs"]
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.jsonl"
        counts.touch()
        env = os.environ | {"SAMPAN_PROVE": "release", "SAMPAN_PROVE_COUNTS": str(counts)}
        # A proof of an hour is no hang.
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-o", "faulthandler_timeout=0", "-q", *chosen]
        ended = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        table = "\n".join(rows([json.loads(line) for line in counts.read_text().splitlines()]))
    print(table)
    if "--save" in sys.argv and ended == 0:
        keep(table)
    return ended


def rows(tallies: list[dict[str, Any]]) -> Iterator[str]:
    yield "| proof | database | counted | seconds | seed |"
    yield "|---|---|---|---|---|"
    for one in tallies:
        counted = ", ".join(f"{value:,} {name}" for name, value in one["counts"].items())
        yield f"| {one['proof']} | {one['database']} | {counted} | {one['seconds']:,.0f} | {one['seed']} |"


def keep(table: str) -> None:
    """Put the table between its two marks in docs/evidence.md."""
    text = EVIDENCE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    today = datetime.now(UTC).date().isoformat()
    EVIDENCE.write_text(f"{before}{BEGIN}\n{today}, `make prove`:\n\n{table}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
