"""A small chart of bars, as numbers that a template draws."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP = 620, 120, 4


@dataclass(frozen=True)
class Bar:
    """One day's bar in units of the drawing; `amount` is minor units."""

    day: int
    amount: int
    x: float
    y: float
    width: float
    height: float
    now: bool


def bars(amounts: Sequence[int], today: int) -> list[Bar]:
    """One bar a day; the highest fills the height. `today` is the day of the month, 0 if it is another month."""
    highest = max(amounts, default=0)
    step = WIDTH / max(len(amounts), 1)
    drawn = []
    for index, amount in enumerate(amounts):
        height = max(HEIGHT * amount / highest, 2.0) if amount else 0.0
        drawn.append(
            Bar(
                index + 1, amount, round(index * step, 1), round(HEIGHT - height, 1), round(step - GAP, 1),
                round(height, 1), index + 1 == today,
            )
        )  # fmt: skip
    return drawn
