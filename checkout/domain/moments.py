"""Moments as others write them."""

from datetime import UTC, datetime, timedelta

UNREADABLE = (ValueError, TypeError, OverflowError)
HOW_TO_WRITE = "must be an RFC 3339 time with its zone, such as 2026-03-01T18:30:00Z"
MILLISECOND = timedelta(milliseconds=1)


def read_moment(given: str) -> datetime:
    """In UTC. Raises one of UNREADABLE, also for a year that no database of ours holds."""
    read = datetime.fromisoformat(given)
    if read.tzinfo is None or not 2000 <= read.year < 3000:  # nothing of ours is older, and databases end somewhere
        raise ValueError("no zone, or no year of ours")
    return read.astimezone(UTC)


def next_printed(moment: datetime) -> datetime:
    """The first moment that the API prints as a later one: it prints milliseconds, and cuts off what is finer."""
    return moment - timedelta(microseconds=moment.microsecond % 1000) + MILLISECOND
