"""Places where a test may kill this process, as a power cut would; nothing at all in production."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_DEVELOPMENT = os.environ.get("ENV", "development") == "development"


@dataclass
class _Trap:
    name: str = ""
    times: int = 1
    passed: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


_trap = _Trap()
_watching: list[Callable[[str], object]] = []


def arm(where: str) -> None:
    """From here this process dies at `attempt.answered`, or at `attempt.answered:2` the second time; empty: nowhere."""
    name, _, times = where.partition(":")
    if _DEVELOPMENT:
        _trap.name, _trap.times, _trap.passed = name, int(times or 1), itertools.count(1)


@contextmanager
def watched(told: Callable[[str], object]) -> Iterator[None]:
    """Inside, `told` hears of each point that is passed, and may raise: a death that spares the rest of the process.

    RuntimeError outside of development.
    """
    if not _DEVELOPMENT:
        raise RuntimeError("crash points are for tests")
    _watching.append(told)
    try:
        yield
    finally:
        _watching.remove(told)


def crash_point(name: str) -> None:
    """SIGKILL to ourselves if a test armed this point."""
    if _trap.name and name == _trap.name and next(_trap.passed) == _trap.times:
        os.kill(os.getpid(), signal.SIGKILL)
    for told in _watching:
        told(name)


arm(os.environ.get("SAMPAN_CRASH_AT", ""))  # from outside, before the process starts
