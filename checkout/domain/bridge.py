"""What the bridge of Alipay's app is called with, and what it answers (qfpay.md 3.7)."""

import json
import re
from collections.abc import Mapping
from typing import Any

_NAME = "tradeNO"
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def trade_number(pay_params: object) -> str | None:
    """The number of Alipay's trade in QFPay's `pay_params`; None where there is none that a page may show."""
    given: Mapping[str, Any] = pay_params if isinstance(pay_params, Mapping) else {}
    number = given.get(_NAME)
    return number if isinstance(number, str) and _NUMBER.fullmatch(number) else None


def stored_trade_number(target: str | None) -> str | None:
    """The same, of an attempt's `target`, where `pay_params` are kept as JSON text."""
    try:
        return trade_number(json.loads(target or "null"))
    except ValueError:
        return None
