"""What somebody typed to find a payment, read into what the books can be asked."""

import re
from datetime import date, timedelta

from flask import request

from checkout.domain.entered_amounts import marks
from checkout.domain.money import exponent, parse_amount
from checkout.gateway.months import midnight
from checkout.store.office_queries import STATUSES, Wanted
from checkout.web import listing

LONGEST_TEXT = 128
_MONEY = re.compile(
    r"((?:[A-Z]{2,3}[$¥]?|[$¥])?)\s*((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]{1,2})?)", re.ASCII | re.IGNORECASE
)


def read_wanted(merchant_id: str) -> Wanted:
    """From this request's query. What makes no sense is not asked for: a list is not the place for an error."""
    text = " ".join(request.args.get("q", "").split())[:LONGEST_TEXT].lstrip("#")
    status = request.args.get("status", "")
    first, last = day_of(request.args.get("from", "")), day_of(request.args.get("to", ""))
    return Wanted(
        merchant_id,
        text=text,
        amounts=amounts_in(text),
        status=status if status in STATUSES else "",
        start=midnight(first) if first else None,
        end=midnight(last + timedelta(days=1)) if last else None,
        after=listing.position_in(request.args.get("cursor", "")),
    )


def amounts_in(text: str) -> frozenset[int]:
    """What it would be in minor units, with two decimals and with none: `HK$1,088.00`, `88`."""
    written = _MONEY.fullmatch(text)
    if written is None:
        return frozenset()
    plain, found = written[2].replace(",", ""), set()
    for currency in ("HKD", "JPY"):
        try:
            found.add(parse_amount(plain, currency))
        except ValueError:
            continue
    return frozenset(found)


def typed_amount(text: str, currency: str) -> int:
    """An amount as people write it, into minor units. Raises ValueError, also for the mark of another currency.

    A comma before two digits is no decimal point: whoever means 12.50 must not send 1,250.
    """
    exponent(currency)
    written = _MONEY.fullmatch(text.strip())
    if written is None or not marks(written[1].upper(), currency):
        raise ValueError(f"not an amount in {currency}")
    return parse_amount(written[2].replace(",", ""), currency)


def day_of(text: str) -> date | None:
    """YYYY-MM-DD, of the years that our books can hold."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 3000 else None


def month_of(text: str) -> date | None:
    """YYYY-MM, as its first day."""
    return day_of(f"{text}-01") if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text, re.ASCII) else None
