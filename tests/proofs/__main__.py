"""`python -m tests.proofs`: every proof at release scale, then a table of what was counted; `--save` keeps it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "docs" / "evidence.md"
KIND = "fault, "
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
    yield "| proof | database | counted | minutes | seeds |"
    yield "|---|---|---|---|---|"
    for (proof, database), parts in groupby(sorted(tallies, key=_what), key=_what):
        shards = list(parts)
        counts = {name: _together(name, shards) for name in dict.fromkeys(n for one in shards for n in one["counts"])}
        kinds = [name for name in counts if name.startswith(KIND)]
        if kinds:  # dozens of them: how many of how many kinds says enough
            counts |= {f"faults of {len(kinds)} kinds": sum(counts.pop(name) for name in kinds)}
        counted = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        minutes = sum(shard["seconds"] for shard in shards) / 60
        seeds = ", ".join(dict.fromkeys(shard["seed"] for shard in shards))
        yield f"| {proof} | {database} | {counted} | {minutes:,.1f} | {seeds} |"


def _what(tally: dict[str, Any]) -> tuple[str, str]:
    return tally["proof"], tally["database"]


def _together(name: str, shards: list[dict[str, Any]]) -> float:
    """Counts add up over the shards of one proof; what is slowest or grows most is told by the worst of them."""
    values: list[float] = [shard["counts"].get(name, 0) for shard in shards]
    return max(values) if name.startswith(("slowest", "%", "more")) else sum(values)


def keep(table: str) -> None:
    """Put the table between its two marks in docs/evidence.md."""
    text = EVIDENCE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    today = datetime.now(UTC).date().isoformat()
    EVIDENCE.write_text(f"{before}{BEGIN}\n{today}, `make prove`:\n\n{table}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
