"""Amounts as shoppers write them: with symbols, separators and full-width digits, and still to the cent."""

import re
import unicodedata
from enum import StrEnum

from checkout.domain.money import exponent, parse_amount


class Unreadable(StrEnum):
    EMPTY = "empty"
    NO_NUMBER = "no_number"
    DECIMALS = "decimals"
    LITTLE = "little"
    MUCH = "much"


class NotAnAmount(ValueError):
    def __init__(self, why: Unreadable) -> None:
        super().__init__(why.value)
        self.why = why


LONGEST = 40
# A currency in front or behind says nothing that the page does not say already.
_MARKS = re.compile(r"^(?:HK\$|US\$|CN¥|JP¥|RMB|[A-Z]{3}|\$|¥|元)|(?:[A-Z]{3}|元|圓|圆)$")
_NUMBER = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]*))?", re.ASCII)


def read_amount(text: str, currency: str, *, least: int, most: int) -> int:
    """`88`, `88.0`, `1,234.50`, `HK$88` or full-width digits as minor units. Raises NotAnAmount.

    A comma before two digits is no decimal point: whoever means 1.50 must not pay 150.
    """
    plain = _plain(text)
    if not text.strip():
        raise NotAnAmount(Unreadable.EMPTY)
    number = _NUMBER.fullmatch(plain) if len(plain) <= LONGEST else None
    if number is None:
        raise NotAnAmount(Unreadable.NO_NUMBER)
    whole, fraction = number[1].replace(",", "").lstrip("0") or "0", (number[2] or "").rstrip("0")
    if len(fraction) > exponent(currency):
        raise NotAnAmount(Unreadable.DECIMALS)
    if len(whole) > 12:
        raise NotAnAmount(Unreadable.MUCH)
    return _within(whole, fraction, currency, least, most)


def _within(whole: str, fraction: str, currency: str, least: int, most: int) -> int:
    minor = int(whole + fraction.ljust(exponent(currency), "0"))
    if minor < max(least, 1):
        raise NotAnAmount(Unreadable.LITTLE)
    if minor > most:
        raise NotAnAmount(Unreadable.MUCH)
    return parse_amount(f"{whole}.{fraction}" if fraction else whole, currency)


def _plain(text: str) -> str:
    """ASCII digits, commas and points, whatever keyboard they came from."""
    folded = unicodedata.normalize("NFKC", text).replace("。", ".").replace("、", ",")
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in folded)
    bare = "".join(digits.split()).upper()
    return _MARKS.sub("", _MARKS.sub("", bare))
