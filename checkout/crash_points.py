"""Places where a test may kill this process, as a power cut would; nothing at all in production."""

import itertools
import os
import signal

# Armed from outside, before the process starts: `attempt.answered` or `attempt.answered:2` for the second time.
_ARMED = os.environ.get("SAMPAN_CRASH_AT", "") if os.environ.get("ENV", "development") == "development" else ""
_NAME, _, _TIMES = _ARMED.partition(":")
_passed = itertools.count(1)


def crash_point(name: str) -> None:
    """SIGKILL to ourselves if a test armed this point."""
    if _NAME and name == _NAME and next(_passed) == int(_TIMES or 1):
        os.kill(os.getpid(), signal.SIGKILL)
