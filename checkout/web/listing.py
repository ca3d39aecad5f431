"""What all calls that list have in common: filters that stand once, a page of so many rows, a cursor to go on from."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request

from checkout.domain.errors import Invalid
from checkout.domain.moments import HOW_TO_WRITE, UNREADABLE, read_moment

MOST_ROWS = 100
USUAL_ROWS = 20
NO_POSITION = (*UNREADABLE, RecursionError)

Position = tuple[datetime, str]  # of the last row of a page: when it was created, and its id
Filter = Callable[[str], Any]  # raises ValueError with words that follow the name of the parameter


@dataclass(frozen=True)
class Wishes:
    """What one call wants to see. `filters` holds every filter of the call, None where it was not given."""

    filters: dict[str, Any]
    limit: int
    after: Position | None


def read_wishes(filters: Mapping[str, Filter]) -> Wishes:
    """From the query of this request. Raises Invalid naming every parameter that is wrong."""
    readers: dict[str, Filter] = {**filters, "limit": _limit, "cursor": _position}
    errors = {name: "is not a parameter of this call; remove it" for name in request.args if name not in readers}
    errors |= {name: "must stand once" for name in request.args if len(request.args.getlist(name)) > 1}
    found: dict[str, Any] = dict.fromkeys(readers)
    for name, reader in readers.items():
        if name in request.args and name not in errors:
            try:
                found[name] = reader(request.args[name])
            except ValueError as problem:
                errors[name] = str(problem)
    if errors:
        raise Invalid(errors)
    return Wishes({name: found[name] for name in filters}, found["limit"] or USUAL_ROWS, found["cursor"])


def text(given: str) -> str:
    return given


def at_most(characters: int) -> Filter:
    def read(given: str) -> str:
        if len(given) > characters:
            raise ValueError(f"must have at most {characters} characters")
        return given

    return read


def one_of(words: Sequence[str]) -> Filter:
    def read(given: str) -> str:
        if given not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return given

    return read


def moment(given: str) -> datetime:
    """A moment with its zone; nothing is not one, and a filter that was meant must not find everything."""
    try:
        return read_moment(given)
    except UNREADABLE:
        raise ValueError(HOW_TO_WRITE) from None


def cursor_of(position: Position | None) -> str | None:
    """What goes on after this row; None after the last one."""
    if position is None:
        return None
    created_at, row_id = position
    text_of_it = json.dumps([created_at.isoformat(), row_id])
    return base64.urlsafe_b64encode(text_of_it.encode()).decode().rstrip("=")


def _limit(given: str) -> int:
    if not (re.fullmatch(r"[1-9][0-9]{0,2}", given, re.ASCII) and int(given) <= MOST_ROWS):
        raise ValueError(f"must be a whole number from 1 to {MOST_ROWS}")
    return int(given)


def _position(given: str) -> Position | None:
    try:
        return _read_position(given) if given else None
    except NO_POSITION:
        raise ValueError("must be the next_cursor of an earlier answer") from None


def _read_position(cursor: str) -> Position:
    created_at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    known = isinstance(row_id, str) and row_id.isascii() and row_id.isprintable()
    if not isinstance(created_at, str) or not known:
        raise ValueError("not a position")
    return read_moment(created_at), row_id


def position_in(given: str) -> Position | None:
    """For lists that people read: a cursor that is none begins at the beginning."""
    try:
        return _position(given)
    except ValueError:
        return None
