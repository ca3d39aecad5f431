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
_MARKS = re.compile(r"^(?:HK\$|US\$|CN¥|JP¥|RMB|[A-Z]{3}|\$|¥|元)|(?:[A-Z]{3}|元|圓|圆)$")
_NUMBER = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]*))?", re.ASCII)
_SIGNS = {"$": "D", "¥": "Y", "元": "", "圓": "", "圆": ""}  # how the currencies end that have it


def read_amount(text: str, currency: str, *, least: int, most: int) -> int:
    """`88`, `88.0`, `1,234.50`, `HK$88` or full-width digits as minor units. Raises NotAnAmount.

    A comma or a blank before two digits is no decimal point: whoever means 1.50 must not pay 150. Nor is a point before
    three zeros: whoever means 1,000 must not pay 1. The mark of another currency is no mark of this one.
    """
    if not text.strip():
        raise NotAnAmount(Unreadable.EMPTY)
    number = _NUMBER.fullmatch(_plain(text, currency)) if len(text) <= LONGEST else None
    if number is None or number[2] == "000":
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


def marks(mark: str, currency: str) -> bool:
    """`HKD`, `HK$` and `$` are Hong Kong dollars, `US$` is not. In capitals."""
    letters = mark.rstrip("".join(_SIGNS))
    sign = mark[len(letters) :]
    return currency.startswith("CNY" if letters == "RMB" else letters) and currency.endswith(_SIGNS.get(sign, ""))


def _plain(text: str, currency: str) -> str:
    """ASCII digits, commas and points, whatever keyboard they came from, without the currency's own mark."""
    raised = "".join("?" if c.isdigit() and not c.isdecimal() else c for c in text)  # 5² is not 52
    folded = unicodedata.normalize("NFKC", raised).replace("。", ".").replace("、", ",")
    digits = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in folded)
    bare = digits.strip().upper()
    for _ in "front", "behind":
        mark = _MARKS.search(bare)
        if mark and marks(mark[0], currency):
            bare = (bare[: mark.start()] + bare[mark.end() :]).strip()
    return re.sub(r"(?<=[0-9])\s(?=[0-9]{3}(?![0-9]))", ",", bare)
