"""What goes on the wire for a payment, by the rules of qfpay.md section 3; nothing empty is ever sent."""

import re
import unicodedata
from datetime import datetime
from urllib.parse import urlsplit

from checkout.domain.money import MAX_AMOUNT, exponent
from checkout.gateway.months import HONG_KONG
from checkout.gateway.orders import PaymentOrder, RefundOrder

MAX_GOODS_NAME = 20
MAX_OWN_URL = 200  # Alipay's WAP page takes no more, whatever QFPay's tables say
SHORTEST, LONGEST = 5, 120  # minutes

# Where `expired_time` is documented (section 3.5), and 801514, where one page of two lists it. Our deadline decides.
_EXPIRING = {"800101", "800201", "801010", "801101", "801107", "801501", "801510", "801512", "801514"}
_WAP = {"801107", "801512"}  # without a goods_name refused with 1104, if the stricter of their pages is right (3.3)
_NUMBER = re.compile(r"[A-Za-z0-9_]{1,128}", re.ASCII)


def payment_fields(order: PaymentOrder) -> dict[str, str]:
    """The parameters of POST /trade/v1/payment but `mchid`. Raises ValueError for an order that must not be sent."""
    fields = {
        "out_trade_no": out_trade_no(order.out_trade_no),
        "pay_type": order.pay_type,
        "txamt": txamt(order.amount, order.currency),
        "txcurrcd": order.currency,
        "txdtm": txdtm(order.created_at),
        "expired_time": expired_time(order.minutes) if order.pay_type in _EXPIRING else None,
        "goods_name": _goods_name(order),
        "return_url": own_url(order.return_url),
        "notify_url": own_url(order.notify_url),
        # Whoever asks for no credit is not silently ignored: the gateway decides which wallets obey (section 3.1).
        "limit_pay": order.limit_pay,
        "udid": order.udid,
        "openid": order.openid,
    }
    return {name: value for name, value in fields.items() if value}


def refund_fields(order: RefundOrder) -> dict[str, str]:
    """The parameters of POST /trade/v1/refund but `mchid` (section 5.1). Raises ValueError as payment_fields does."""
    return {
        "syssn": order.payment_syssn,
        "out_trade_no": out_trade_no(order.out_trade_no),
        "txamt": _whole(order.amount),  # in the currency of its payment, whichever QFPay says that is
        "txdtm": txdtm(order.created_at),
    }


def out_trade_no(number: str) -> str:
    """Our numbers keep to what even QFPay's oldest text allows."""
    if not _NUMBER.fullmatch(number):
        raise ValueError("an out_trade_no is 1 to 128 letters, digits and _")
    return number


def txamt(amount: int, currency: str) -> str:
    exponent(currency)
    return _whole(amount)


def _whole(amount: int) -> str:
    if not 1 <= amount <= MAX_AMOUNT:
        raise ValueError(f"an amount is 1 to {MAX_AMOUNT} in the smallest unit")
    return str(amount)


def txdtm(moment: datetime) -> str:
    """Hong Kong wall time: QFPay echoes it unconverted, and reads it as its own."""
    if moment.tzinfo is None:
        raise ValueError("a moment on the wire must know its time zone")
    return moment.astimezone(HONG_KONG).strftime("%Y-%m-%d %H:%M:%S")


def expired_time(minutes: int | None) -> str | None:
    return None if minutes is None else str(min(max(minutes, SHORTEST), LONGEST))


def _goods_name(order: PaymentOrder) -> str:
    name = goods_name(order.goods_name)
    if not name and order.pay_type in _WAP:
        raise ValueError("a WAP payment needs a goods_name of which something may be sent")
    return name


def sendable(*names: str) -> str:
    """The first of which anything may be sent as `goods_name`, else a word of ours: WAP needs one (section 3.3)."""
    return next(filter(goods_name, (*names, "Order")))


def goods_name(text: str) -> str:
    """Letters of any script, digits and single blanks, at most 20; `""` when nothing of it may be sent."""
    kept = "".join(map(_letter_or_blank, unicodedata.normalize("NFC", text)))
    return " ".join(kept.split())[:MAX_GOODS_NAME].rstrip()


def _letter_or_blank(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("L") or category == "Nd":
        return character
    # Marks and invisible characters sit inside words; whatever else is left out stood between them.
    return "" if category.startswith("M") or category in ("Cf", "Cs", "Co", "Cn") else " "


def own_url(url: str) -> str:
    """An address of ours, short and without a query: wallets append their own."""
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("a return_url or notify_url is an absolute http(s) URL in ASCII")
    if len(url) > MAX_OWN_URL or "?" in url or "#" in url:
        raise ValueError(f"a return_url or notify_url has at most {MAX_OWN_URL} characters and no query")
    return url
