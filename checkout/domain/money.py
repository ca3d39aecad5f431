"""Amounts: whole numbers of a currency's smallest unit, never a float."""

import re

# ISO 4217 decimals for every currency that QFPay lists (qfpay.md section 9). QFPay states only
# that JPY has none; where it is silent, IDR and MMK, the standard decides.
# fmt: off
_EXPONENTS = {
    "AED": 2, "AUD": 2, "CAD": 2, "CNY": 2, "EUR": 2, "HKD": 2, "IDR": 2,
    "JPY": 0, "MMK": 2, "MYR": 2, "SGD": 2, "THB": 2, "USD": 2,
}
# fmt: on
CURRENCIES = frozenset(_EXPONENTS)

# `txamt` is documented as Int(11), which in most databases is a number of 32 bits.
MAX_AMOUNT = 2**31 - 1

_PLAIN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,4}))?", re.ASCII)


def exponent(currency: str) -> int:
    """How many decimals the currency has. Raises ValueError for one that QFPay does not take."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"not a currency that QFPay takes: {currency!r}") from None


def parse_amount(text: str, currency: str) -> int:
    """Read major units as a person writes them, `"12.5"`, into minor units, `1250`.

    Exact or ValueError: no signs, blanks, separators, exponents or further digits, and 1 to MAX_AMOUNT.
    """
    decimals = exponent(currency)
    written = _PLAIN.fullmatch(text)
    if written is None:
        raise ValueError("an amount is digits, with a point before the decimals")
    fraction = written[2] or ""
    if len(fraction) > decimals:
        raise ValueError(f"{currency} has {decimals} decimals")
    amount = int(written[1] + fraction.ljust(decimals, "0"))
    if not 1 <= amount <= MAX_AMOUNT:
        raise ValueError(f"an amount is 1 to {MAX_AMOUNT} in the smallest unit")
    return amount


def to_text(amount: int, currency: str) -> str:
    """Write minor units, `1250`, as plain major units, `"12.50"`: no separators, no symbol."""
    decimals = exponent(currency)
    digits = str(abs(amount)).zfill(decimals + 1)
    sign = "-" if amount < 0 else ""
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
