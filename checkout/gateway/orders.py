"""What we bring to the gateway: whose account it is, and what is to be paid."""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from checkout.domain.signing import SignType


def budget_key(base_url: str, app_code: str) -> str:
    """What QFPay's limit of 400 calls a minute counts, and what falls silent together: one app code at one host."""
    return f"{urlsplit(base_url).netloc}/{app_code}"


@dataclass(frozen=True)
class Credentials:
    """A merchant's account at one of QFPay's hosts. Its repr is safe to log: the key is not in it."""

    app_code: str
    client_key: str = field(repr=False)
    base_url: str
    mchid: str | None
    sign_type: SignType

    @property
    def budget_key(self) -> str:
        return budget_key(self.base_url, self.app_code)


@dataclass(frozen=True, kw_only=True)
class RefundOrder:
    """Money to send back: `payment_syssn` is the gateway's number of the payment, `out_trade_no` the refund's own."""

    out_trade_no: str
    payment_syssn: str
    amount: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class PaymentOrder:
    """One attempt to be paid. `amount` is in minor units, `created_at` is aware, `minutes` is how long it lives."""

    out_trade_no: str
    pay_type: str
    amount: int
    currency: str
    created_at: datetime
    minutes: int | None
    goods_name: str
    return_url: str
    notify_url: str
    limit_pay: str | None = None
    udid: str | None = None
    openid: str | None = field(default=None, repr=False)  # whom Alipay knows: personal data
