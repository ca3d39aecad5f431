"""A process that has read all our code and forks one child for each errand: the cheapest way to have many to kill."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import event

from checkout.crash_points import arm, crash_point
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from tests.proofs.roads import Party
from tests.proofs.stage import Place, Stage
from tests.servers import REPOSITORY

LONGEST_SECONDS = 60  # then the child is taken for dead: SIGALRM ends it, which is no SIGKILL
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Errand:
    """What one child does: a party's steps, or the worker at these moments, or bringing the tables up to date."""

    place: Place
    at: str  # the clock's time when it begins
    steps: str = ""
    key: str = ""
    generous: bool = False
    moments: Sequence[float] = field(default_factory=list)  # seconds from `at`, at which the worker works
    upgrades: bool = False
    trap: str = ""


class Nursery:
    """The parent's side. Every child is a fresh process on the errand's books; its end is its answer."""

    def __init__(self, **environment: str) -> None:
        self._environment = environment

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.nursery"], cwd=REPOSITORY, env=os.environ | self._environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate(timeout=LONGEST_SECONDS)  # its input ends, and so does it
        self._log.close()

    def sends(self, errand: Errand) -> int:
        """The child's exit code; negative: the signal that ended it."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write(json.dumps(asdict(errand)) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        assert answer, f"the nursery is gone:\n{self.output()}"
        return int(answer)

    def must_end(self, errand: Errand, code: int) -> None:
        ended = self.sends(errand)
        assert ended == code, f"ended with {ended} instead of {code}: {errand}\n{self.output()[-6000:]}"

    def output(self) -> str:
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")


def main() -> None:
    """Single-threaded, and without a connection to anything: what is forked from it starts as if alone."""
    stages: dict[Place, Stage] = {}
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what we log must not look like an answer
    for line in sys.stdin:
        read = json.loads(line)
        errand = Errand(**read | {"place": Place(**read["place"])})
        if not errand.upgrades and errand.place not in stages:
            stages = {errand.place: Stage(errand.place)}
        child = os.fork()
        if child == 0:
            _run(errand, stages.get(errand.place))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _run(errand: Errand, stage: Stage | None) -> None:
    """Never returns. Nothing of the parent's is closed or flushed on the way out."""
    signal.alarm(LONGEST_SECONDS)
    try:
        _do(errand, stage)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _do(errand: Errand, stage: Stage | None) -> None:
    if stage is None:
        _upgrade(errand)
        return
    stage.clock.now = began = datetime.fromisoformat(errand.at)
    if errand.steps:
        Party(stage, errand.key, errand.generous).walks(errand.steps, errand.trap)
    arm(errand.trap if errand.moments else "")
    for seconds in errand.moments:
        stage.clock.now = began + timedelta(seconds=seconds)
        stage.works()


def _upgrade(errand: Errand) -> None:
    """`statement:3` is a trap behind the third statement that reaches the database."""
    engine = make_engine(errand.place.database_url)
    arm(errand.trap)
    event.listen(engine, "after_cursor_execute", lambda *_: crash_point("statement"))
    upgrade(engine)


if __name__ == "__main__":
    main()
