"""When to ask the gateway about an attempt, and when to try a webhook again: tables, in seconds."""

from datetime import datetime, timedelta

# (age of the attempt up to, pause) while its code can be paid. An open page halves nothing:
# it only lifts the pause from the quiet to the lively table (design.md section 4).
LIVELY = ((60, 3), (300, 5))
QUIET = 15
FIRST = timedelta(seconds=2)
# After the code's end of life: late payments are rare, and found all the same.
AFTER_END = (10, 60, 5 * 60, 30 * 60, 6 * 3600, 24 * 3600)
UNANSWERED_AFTER_END = 24 * 3600  # then a person must look, and asking goes on daily
SHORTEST_PAUSE = timedelta(seconds=2)  # at most one enquiry per 2 s and payment (interface.md section 6)
WATCHED_FOR = timedelta(seconds=30)  # how long one sign of life of a page counts

CLAIM_LEASE = timedelta(seconds=30)  # longer than any gateway call: a crash leaves the row due
IGNORED_EXPIRED_TIME = timedelta(minutes=35)  # 30 by QFPay's default, and 5 to be sure
GRACE = timedelta(seconds=60)

CODE_MINUTES = 30  # how long a code may be paid, unless the merchant or the session's deadline says otherwise
# From here on the shopper is warned, and may have a fresh code with one key (WCAG 2.2.1, decision 0016).
WARNING = timedelta(minutes=3)


def code_ends_at(created_at: datetime, *, minutes: int, obeyed: bool) -> datetime:
    """When the code can surely no longer be paid. `minutes` is the expired_time that was sent."""
    life = timedelta(minutes=minutes)
    return created_at + (life if obeyed else max(life + timedelta(minutes=5), IGNORED_EXPIRED_TIME)) + GRACE


def code_minutes(left: timedelta, wanted: int = CODE_MINUTES) -> int:
    """How long a code shall live: no longer than the session, within QFPay's 5 to 120 minutes (qfpay.md 3.5)."""
    return int(max(5, min(-(-left.total_seconds() // 60), wanted, 120)))


def next_enquiry(now: datetime, *, created_at: datetime, ends_at: datetime, watched: bool) -> datetime | None:
    """When to ask next, after asking at `now`. None: the last question after the end has been asked."""
    if now >= ends_at:
        return next((ends_at + timedelta(seconds=s) for s in AFTER_END if ends_at + timedelta(seconds=s) > now), None)
    age = (now - created_at).total_seconds()
    pause = next((pause for up_to, pause in LIVELY if watched and age < up_to), QUIET)
    # One question lands right after the end of life, because expiry waits for its answer.
    return min(now + timedelta(seconds=pause), ends_at + timedelta(seconds=1))


def unanswered_enquiry(now: datetime, *, tries: int) -> datetime:
    """When to ask again after a question that got no answer: 2 s, 4 s, 8 s … a minute."""
    return now + timedelta(seconds=min(2 ** min(tries, 6), 60))


def undecided_enquiry(now: datetime, *, ends_at: datetime) -> datetime:
    """When to ask again about an attempt whose code has ended, but not its story: a minute, half an hour, a day."""
    since = (now - ends_at).total_seconds()
    pause = 60 if since < 3600 else 1800 if since < UNANSWERED_AFTER_END else 86400
    return now + timedelta(seconds=pause)


def next_poll_ms(age_seconds: float) -> int:
    """How soon an open page should ask us again, in milliseconds."""
    return next((ms for up_to, ms in ((60, 2000), (300, 3000), (900, 5000)) if age_seconds < up_to), 10_000)
