"""`python -m tests.slim`: the scripts and styles of static/, as small as they go; `--save` keeps them in made.json.

In a process of its own: what makes them small is written in Go, whose runtime does not survive a fork.
"""

import json
import sys
from pathlib import Path

import minify

STATIC = Path(__file__).parents[1] / "static"
MADE = STATIC / "made.json"
KINDS = {".css": "text/css", ".js": "application/javascript"}


def made() -> str:
    """By its path below static/, one to a line, so that a difference shows what has changed."""
    paths = sorted(path for path in STATIC.rglob("*.*") if path.suffix in KINDS)
    small = {str(path.relative_to(STATIC)): minify.string(KINDS[path.suffix], path.read_text()) for path in paths}
    return json.dumps(small, indent=0, ensure_ascii=False) + "\n"


def main() -> int:
    if "--save" in sys.argv[1:]:
        MADE.write_text(made())
        return 0
    if MADE.read_text() == made():
        return 0
    sys.stderr.write("static/made.json is older than what it is made of: run `make scripts` and keep its result.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
