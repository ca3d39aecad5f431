"""How often one caller may call: the limits by name, and how RATE_LIMITS changes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = {"second": 1, "minute": 60, "hour": 3600}
MOST = 1_000_000


@dataclass(frozen=True)
class Rate:
    """So many calls in so many seconds. All of them may come at once; then they come back one by one."""

    count: int
    seconds: int

    @property
    def each(self) -> int:
        """Microseconds until one call has come back."""
        return self.seconds * 1_000_000 // self.count


# fmt: off
USUAL: Mapping[str, Rate] = {
    "api":     Rate(1200, 60),  # every call, for each API key
    "create":  Rate(600, 60),   # sessions opened and refunds asked for, for each API key
    "bad_key": Rate(30, 60),    # calls with a key that is not ours, for each client address
    "shopper": Rate(300, 60),   # a shopper's choices, for each client address: a whole town may share one
    "link":    Rate(120, 60),   # links and codes looked at, checked and opened, for each client address
}
# fmt: on
_FIGURE = re.compile(r"([a-z_]+)=(?:([1-9][0-9]{0,6})/(second|minute|hour)|(off))", re.ASCII)


def read_rates(text: str) -> dict[str, Rate]:
    """Read `on`, `off`, or `api=600/minute,link=off`: what is not named stays as usual.

    Raises ValueError that says what is wrong with the figure.
    """
    if text == "off":
        return {}
    found = dict(USUAL)
    for figure in (part.strip() for part in text.split(",")) if text != "on" else ():
        read = _FIGURE.fullmatch(figure)
        if not read:
            raise ValueError(f"{figure!r} is not written like api=600/minute (second, minute or hour) or api=off")
        name, count, unit, off = read.groups()
        if name not in USUAL:
            raise ValueError(f"{name!r} is none of {', '.join(USUAL)}")
        if off:
            found.pop(name, None)
        else:
            found[name] = Rate(min(int(count), MOST), SECONDS[unit])
    return found
