"""Names that nobody can guess, and codes that people can read out."""

import secrets
import time

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Without 0 O 1 I L U V: a support code is read out over the phone, in Cantonese or English.
SPOKEN = "23456789ABCDEFGHJKMNPQRSTWXYZ"


def new_id(prefix: str) -> str:
    """`prefix` and 22 characters of base62: 131 random bits (safety.md S9)."""
    return prefix + "".join(secrets.choice(BASE62) for _ in range(22))


def new_ordered_id(prefix: str) -> str:
    """An id that sorts by the moment it was made in, so that news of one moment keeps its order. Not a secret."""
    ticks, digits = time.time_ns(), ""
    while ticks:
        ticks, digit = divmod(ticks, 62)
        digits = BASE62[digit] + digits
    return prefix + digits.rjust(11, "0") + "".join(secrets.choice(BASE62) for _ in range(11))


def new_trade_no() -> str:
    """A number for QFPay: letters and digits (qfpay.md 3.1), and no sequence that a restored backup could repeat."""
    return "S" + "".join(secrets.choice(BASE62) for _ in range(25))


def new_support_code() -> str:
    return "".join(secrets.choice(SPOKEN) for _ in range(6))
