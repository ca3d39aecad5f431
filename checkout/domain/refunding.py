"""When a refund may be sent, and how long one that was refused waits (qfpay.md section 5.1): rules and a table."""

from datetime import datetime, time, timedelta, timezone

HONG_KONG = timezone(timedelta(hours=8), "HKT")

# QFPay takes no refunds from 23:30 to 00:30; five minutes on both sides for clocks that differ.
PAUSE_FROM, PAUSE_TO = time(23, 25), time(0, 35)
MOST_TRIES = 8  # a week of empty takings, or as many sendings that nobody remembers: then a person must look
BETWEEN = timedelta(seconds=5)  # QFPay wants some seconds between partial refunds of one payment
# Of the whole payment nothing is left: said of a refund that may be there or not, so that an enquiry must tell.
NOTHING_LEFT = frozenset({"1125", "1262", "1264"})
# These say later, and are certain: nothing was booked, and `waits_until` knows until when.
LATER = frozenset({"1265", "1269"})
PATIENCE = timedelta(days=1)  # then a person is told that nobody knows yet, or that it could not be sent
UNTIL_STUCK = timedelta(minutes=15)  # one whose outcome stays open holds up other refunds of its payment so long
NOT_FOUND_FOR = timedelta(minutes=5)  # so long must enquiries miss a refund before its number is sent again


def pause_ends(now: datetime) -> datetime | None:
    """The end of tonight's pause, in UTC, if `now` lies in it."""
    wall = now.astimezone(HONG_KONG)
    if PAUSE_TO <= wall.time() < PAUSE_FROM:
        return None
    day = wall if wall.time() < PAUSE_TO else wall + timedelta(days=1)
    return day.replace(hour=PAUSE_TO.hour, minute=PAUSE_TO.minute, second=0, microsecond=0).astimezone(now.tzinfo)


def waits_until(code: str, now: datetime, tries: int) -> datetime | None:
    """When a refused refund may be tried again; None: never, it has failed.

    1265 by day says that the window for refunds is over; only at night does it say "later".
    """
    if tries >= MOST_TRIES:
        return None
    if code == "1265":
        return pause_ends(now)
    if code == "1269":  # the day's unsettled takings are too low; tomorrow there are new ones
        return now + timedelta(days=1)
    return None


def may_be_there(code: str, klass: str) -> bool:
    """Whether a refusal leaves open what the channel did, as under maintenance, when a bank is busy or states clash.

    An enquiry must tell before the number is sent again (qfpay.md section 7: "retry after query", "new after query"),
    and no other number may take its place.
    """
    return klass in {"retry", "new", "state"} and code not in LATER


def was_refused(code: str, klass: str, tries: int) -> bool:
    """Whether the refusal of the last sending (`""`: it was none) ends a refund that enquiries have missed.

    One that left open what the channel did is asked about and sent again first, as often as sending is worth.
    """
    if not code or code in NOTHING_LEFT:
        return False
    return tries >= MOST_TRIES or not may_be_there(code, klass)


def after_no_answer(now: datetime, *, since: datetime) -> datetime:
    """When to ask again about a refund: after a quarter of the time that it has taken so far, 3 s to half an hour."""
    return now + min(max((now - since) / 4, timedelta(seconds=3)), timedelta(minutes=30))
