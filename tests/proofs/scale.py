"""How much a proof does: a sample with every test run, the whole with `make prove`; and what it counted."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RELEASE = os.environ.get("SAMPAN_PROVE", "") == "release"
COUNTS = os.environ.get("SAMPAN_PROVE_COUNTS", "")  # a file of JSON lines; empty: nobody wants to know
SEED = os.environ.get("SAMPAN_PROVE_SEED", "")  # one number for all that is random; empty: a new one each time


@dataclass(frozen=True)
class Scale:
    """How much of each, for one run. `release` is what docs/evidence.md shows."""

    release: bool
    steps: int  # of the state machine, over all its processes
    kills: int  # processes killed, per database
    lost_commits: int  # COMMITs whose answer is cut off
    rounds: int  # of sixteen processes at once, per database
    restarts: int  # of PostgreSQL under load
    forgeries: int  # notifications
    soak_seconds: int
    patience: float  # times the seconds that something may take: the sample shares its machine with other tests


SAMPLE = Scale(
    release=False, steps=200_000, kills=60, lost_commits=20, rounds=10, restarts=1, forgeries=10_000,
    soak_seconds=20, patience=3.0,
)  # fmt: skip
WHOLE = Scale(
    release=True, steps=2_000_000, kills=900, lost_commits=200, rounds=500, restarts=5, forgeries=10_000,
    soak_seconds=600, patience=1.0,
)  # fmt: skip


def scale() -> Scale:
    return WHOLE if RELEASE else SAMPLE


@dataclass
class Tally:
    """What one proof did: each count by its name, such as `kills` or `violations`."""

    proof: str
    database: str = ""
    seed: str = ""
    seconds: float = 0.0
    counts: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, more: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + more

    def write(self) -> None:
        if COUNTS:
            with Path(COUNTS).open("a") as file:
                file.write(json.dumps(asdict(self)) + "\n")
