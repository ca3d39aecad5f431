"""Reading what QFPay says, tolerantly about shapes and strictly about JSON (qfpay.md sections 3.4, 4 and 6)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from checkout.domain.errors import GatewayGarbled
from checkout.gateway.codes import Class, Says, look_up, plain
from checkout.gateway.months import HONG_KONG

Fields = Mapping[str, Any]

_DEEPEST = 20
_LARGEST_EXPONENT = 300
_AMOUNT = re.compile(r"[0-9]{1,12}", re.ASCII)

# What an amount that went back, in whole, leaves in `cancel` (section 4); 5 is a part, 4 a completed pre-authorisation.
_RETURNED = {"1", "2", "3"}
_KEPT = {"", "0", "4", "5"}


@dataclass(frozen=True)
class Record:
    """One thing the gateway knows: a payment, a refund or a close.

    `amount` is in minor units, None if unreadable; `code` is four digits, or `""` if there was none; `cancel` is
    as sent. Text that is missing is `""`. Moments are UTC.
    """

    kind: str
    out_trade_no: str
    syssn: str
    orig_syssn: str | None
    amount: int | None
    currency: str
    pay_type: str
    code: str
    cancel: str
    paid_at: datetime | None
    system_at: datetime | None
    mchid: str | None

    @property
    def says(self) -> Says:
        """What it says about the money, by the table "How to decide" of section 4."""
        says = look_up(self.code).says
        if says is not Says.SUCCEEDED or self.cancel in _KEPT:
            return says
        return Says.RETURNED if self.cancel in _RETURNED else Says.PENDING

    def foreign_to(self, mchid: str | None) -> bool:
        """It names a merchant, and not this one. Without an agent neither side names any."""
        return bool(self.mchid and mchid and self.mchid != mchid)


def read_json(body: bytes) -> dict[str, Any]:
    """Parse one JSON object. Raises GatewayGarbled for all else, and for what two parsers could read differently."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise GatewayGarbled(f"not proper JSON: {type(error).__name__}") from error
    if not isinstance(value, dict) or _deeper_than(_DEEPEST, value):
        raise GatewayGarbled("not a JSON object as we know them")
    return value


def overlaid(answer: Fields) -> Fields:
    """One flat answer, whichever of QFPay's two shapes it came in: a `data` object lies over the outer fields.

    Of two codes the one that says no wins, or an inner failure would look like an outer success.
    """
    data = answer.get("data")
    if not isinstance(data, dict):
        return answer
    flat = {**answer, **{name: value for name, value in data.items() if text(data, name)}}
    if look_up(answer.get("respcd")).klass is not Class.OK:
        flat["respcd"] = answer.get("respcd")
    return flat


def read_record(fields: Fields, kind: str) -> Record:
    """Translate one item. Never raises: what cannot be read is None or empty, and so equals nothing of ours."""
    return Record(
        kind=kind,
        out_trade_no=text(fields, "out_trade_no"),
        syssn=text(fields, "syssn", "qf_trade_no"),
        orig_syssn=text(fields, "orig_syssn", "origssn") or None,
        amount=read_amount(fields),
        currency=text(fields, "txcurrcd"),
        pay_type=text(fields, "pay_type"),
        code=plain(fields.get("respcd")),
        cancel=text(fields, "cancel"),
        paid_at=_moment(text(fields, "paydtm")),
        system_at=_moment(text(fields, "sysdtm")),
        mchid=text(fields, "mchid") or None,
    )


def text(fields: Fields, *names: str) -> str:
    """The first of these fields that holds text or a number, as text; `""` if none does."""
    return next((str(value) for value in map(fields.get, names) if _is_text(value)), "")


def _is_text(value: object) -> bool:
    # Not `value in ("", True, False)`: to Python, 1 is True and 0 is False, and `cancel` may be either number.
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def read_amount(fields: Fields) -> int | None:
    written = text(fields, "txamt")
    return int(written) if _AMOUNT.fullmatch(written) else None


def _moment(written: str) -> datetime | None:
    try:
        return datetime.strptime(written, "%Y-%m-%d %H:%M:%S").replace(tzinfo=HONG_KONG).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(written: str) -> Decimal:
    number = Decimal(written)
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError("a number too large to hold")
    return number


def _deeper_than(levels: int, value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper_than(levels - 1, one) for one in inside)
