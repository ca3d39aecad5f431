"""`python -m tests.states`: the state machines as pictures, drawn from the tables; `--save` keeps them in the docs."""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    REFUND_COMES_FROM,
    SESSION_COMES_FROM,
    AttemptStatus,
    DeliveryStatus,
    RefundStatus,
    SessionStatus,
)

PAGE = Path(__file__).parents[1] / "docs" / "states.md"
MEANING = re.compile(r'^ +[A-Z]+ = "(?P<status>\w+)"(?:  # (?P<meaning>.+))?$', re.MULTILINE)

OPENING = """# What becomes of a payment

<!-- Drawn by `make states` from checkout/domain/lifecycle.py: change the tables there, not this page. -->

Four things have a status. Each arrow is an entry of a table “may come from” in
[lifecycle.py](../checkout/domain/lifecycle.py); one function for each, in [moves.py](../checkout/store/moves.py), puts
that table into the `WHERE` of its `UPDATE`, so that the database refuses everything that is not drawn here. What no
arrow leaves never changes again: paid stays paid.
"""


@dataclass(frozen=True)
class Machine:
    name: str
    says: str
    words: type[StrEnum]
    comes_from: Mapping[Any, frozenset[Any]]
    start: StrEnum


MACHINES = (
    Machine("Session", "What a merchant wants paid.", SessionStatus, SESSION_COMES_FROM, SessionStatus.OPEN),
    Machine("Attempt", "One try to pay it, with one wallet.", AttemptStatus, ATTEMPT_COMES_FROM, AttemptStatus.CREATED),
    Machine("Refund", "Money that goes back.", RefundStatus, REFUND_COMES_FROM, RefundStatus.RESERVED),
    Machine("Delivery", "News on its way to the merchant.", DeliveryStatus, DELIVERY_COMES_FROM, DeliveryStatus.DUE),
)


def page() -> str:
    return "\n".join([OPENING, *(line for machine in MACHINES for line in section(machine))])


def section(machine: Machine) -> Iterator[str]:
    yield from (f"## {machine.name}", "", machine.says, "", "```mermaid", "stateDiagram-v2")
    yield from (f"    {line}" for line in edges(machine))
    yield from ("```", "")
    meant = {status: meaning for status, meaning in meanings(machine.words).items() if meaning}
    yield from (f"- `{status}`: {meaning}" for status, meaning in meant.items())
    if meant:
        yield ""


def edges(machine: Machine) -> Iterator[str]:
    yield f"[*] --> {machine.start}"
    for earlier in machine.words:
        later = [status for status in machine.words if earlier in machine.comes_from[status]]
        yield from (f"{earlier} --> {status}" for status in later)
        if not later:
            yield f"{earlier} --> [*]"


def meanings(words: type[StrEnum]) -> dict[str, str]:
    """The comment beside each status in lifecycle.py, which is where its meaning is written down."""
    return {found["status"]: found["meaning"] or "" for found in MEANING.finditer(inspect.getsource(words))}


def main() -> int:
    if "--save" in sys.argv:
        PAGE.write_text(page())
    else:
        print(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
