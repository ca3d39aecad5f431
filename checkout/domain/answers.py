"""What the merchant's API answers, as models: the OpenAPI document is made from them, tests read answers by them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from checkout.domain.lifecycle import AttemptStatus, Role
from checkout.domain.money import CURRENCIES
from checkout.domain.orders import Item, WalletCode

SessionWord = Literal["open", "paid", "expired", "cancelled"]
RefundWord = Literal["pending", "succeeded", "failed"]
Minor = Annotated[int, Field(ge=0, description="Whole minor units: 8800 is HK$88.00, and 8800 JPY is ¥8,800.")]
Currency = Annotated[str, Field(json_schema_extra={"enum": sorted(CURRENCIES)})]


class Answer(BaseModel):
    """Closed, so that a field which the document does not know cannot be answered unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Failure(Answer):
    """Why an attempt or a refund did not work."""

    code: str | None = Field(description="The gateway's own code, if it gave one.")
    reason: str | None = Field(
        default=None, description="Our word for it, such as `balance` or `refused` (attempts only)."
    )


class SessionWarning(Answer):
    """Something that is allowed and may be a mistake."""

    code: str = Field(description="`small_amount`, `reference_in_use` or `reference_paid_twice`.")
    message: str


class Attempt(Answer):
    """One try to pay with one wallet."""

    id: str
    wallet: WalletCode
    pay_type: str = Field(description="QFPay's code for the wallet on the shopper's device.")
    status: AttemptStatus = Field(description="`unknown`: the gateway has not told us; do not take it for failed.")
    out_trade_no: str = Field(description="Our number for it at QFPay.")
    created_at: datetime
    failure: Failure | None


class Payment(Answer):
    """Money that moved; one per number of the gateway."""

    id: str
    attempt: str
    role: Role = Field(description="`accepted` is the one to deliver for; the others are for a person, or go back.")
    out_trade_no: str
    syssn: str = Field(description="QFPay's own number.")
    amount: Minor
    currency: Currency
    paid_at: datetime | None


class Refund(Answer):
    """Money going back, whole or in part."""

    id: str
    session: str
    payment: str
    amount: Minor
    currency: Currency
    reason: str
    cause: str = Field(description="`merchant`, `portal`, or the role of money that nobody may keep.")
    status: RefundWord
    failure: Failure | None
    waits_until: datetime | None = Field(description="QFPay refused for now; it is tried again then.")
    out_trade_no: str
    syssn: str | None
    created_at: datetime


class CheckoutSession(Answer):
    """What a merchant wants paid, with everything that happened to it."""

    id: str
    url: str = Field(description="Where the shopper goes to pay.")
    status: SessionWord
    review: bool = Field(description="A person must look before anything is delivered.")
    review_reason: str | None
    amount: Minor
    currency: Currency
    amount_refunded: Minor
    reference: str = Field(description="Your order number.")
    description: str
    items: list[Item]
    metadata: dict[str, str]
    wallets: list[WalletCode]
    locale: Literal["en", "zh-HK", "zh-CN"] | None
    return_url: str
    cancel_url: str | None
    late_payment: Literal["hold", "accept", "refund"]
    support_code: str = Field(description="Six characters that a shopper can read out to you.")
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    warnings: list[SessionWarning]
    attempts: list[Attempt]
    payments: list[Payment]
    refunds: list[Refund]
    version: int = Field(ge=1, description="Only rises: of two snapshots the higher one is the later.")


class CheckoutSessions(Answer):
    """One page of sessions, newest first."""

    data: list[CheckoutSession]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null: this was the last.")


class Refunds(Answer):
    """One page of refunds, newest first."""

    data: list[Refund]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null: this was the last.")


class Mistake(Answer):
    """One field of the request, and what is wrong with it."""

    field: str
    message: str


class Problem(Answer):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mistake] = Field(default=[], description="Every mistake at once; only when fields are wrong.")


class WebhookMessage(Answer):
    """What your endpoint hears: the news, and the whole session as it then was."""

    type: str
    timestamp: datetime
    data: CheckoutSession
