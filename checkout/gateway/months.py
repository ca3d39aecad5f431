"""Which calendar months, in Hong Kong, an enquiry must name (qfpay.md section 11, "Month edge")."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

# Hong Kong has had no summer time since 1979, so that a fixed offset needs no time zone database.
HONG_KONG = timezone(timedelta(hours=8), "HKT")

_SKEW = timedelta(minutes=5)  # between our clock and the gateway's `sysdtm`
_EDGE = timedelta(minutes=10)  # this near to midnight we do not know which month the gateway calls "current"


@dataclass(frozen=True)
class Window:
    """A stretch of one calendar month in Hong Kong, both ends included: QFPay takes no range across two.

    For attempts these are whole months, so that those of one month have equal windows and are asked for in one call.
    """

    start: datetime
    end: datetime


def windows_for(created_at: datetime, ends_at: datetime, now: datetime) -> tuple[Window | None, ...]:
    """The windows to enquire in, oldest first, for a payment made at `created_at` that can be paid until `ends_at`.

    All three are aware. None stands for the current month, which needs no bounds.
    """
    first = _month_of(created_at - _SKEW)
    last = max(first, _month_of(min(now, ends_at) + _SKEW))
    current = {_month_of(now - _EDGE), _month_of(now + _EDGE)}
    if first == last and current == {first}:
        return (None,)
    months = [first]
    while months[-1] < last:
        months.append(_next(months[-1]))
    return tuple(Window(month, _next(month) - timedelta(seconds=1)) for month in months)


def windows_between(start: datetime, end: datetime) -> tuple[Window, ...]:
    """Windows for everything from `start` up to, not including, `end`; both aware. One for each month touched."""
    windows = []
    while start < end:
        stop = min(end, _next(_month_of(start)))
        windows.append(Window(start.astimezone(HONG_KONG), stop.astimezone(HONG_KONG) - timedelta(seconds=1)))
        start = stop
    return tuple(windows)


def day_of(moment: datetime) -> date:
    """The Hong Kong day of an aware moment."""
    return moment.astimezone(HONG_KONG).date()


def midnight(day: date) -> datetime:
    """When a Hong Kong day begins, in UTC."""
    return datetime.combine(day, time(), HONG_KONG).astimezone(UTC)


def _month_of(moment: datetime) -> datetime:
    return moment.astimezone(HONG_KONG).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    return (month + timedelta(days=31)).replace(day=1)
