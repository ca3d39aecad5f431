"""`python -m bench [--save]`: measures, prints tables, and never fails because of a time."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import answers, browser, screens, searching, timing

RESULTS = Path(__file__).with_name("results.md")


def machine() -> str:
    """What the numbers were measured on, and how busy it was beside us."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores ({model}), {memory:.0f} GiB; "
        f"Linux {platform.release()}, Python {platform.python_version()}; load average before: "
        f"{os.getloadavg()[0]:.1f}. Client, server, gateway and database share these cores."
    )


def main() -> None:
    parts = [f"## `python -m bench`: {machine()}\n"]
    print(parts[0], flush=True)
    for measure in (screens.measure, answers.measure, browser.measure, timing.measure, searching.measure):
        for text in measure():
            print(text, flush=True)
            parts.append(text)
    if "--save" in sys.argv[1:]:
        with RESULTS.open("a") as results:
            results.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
