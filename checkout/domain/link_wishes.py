"""What a merchant wants of a reusable link: read strictly, with every mistake told at once."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from checkout.domain.money import to_text
from checkout.domain.orders import MAX_AMOUNT, Amount, CurrencyCode, Strict, Text, Url, WalletCode

LEAST = 200  # minor units: below this QFPay's risk control may refuse

Name = Annotated[Text, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


def _once_each(codes: list[str]) -> list[str]:
    if len(set(codes)) != len(codes):
        raise PydanticCustomError("twice", "must name each wallet once")
    return codes


class LinkWish(Strict):
    """A fixed `amount`, or `least` and `most` between which the shopper enters it; all in minor units."""

    name: Name
    currency: CurrencyCode
    amount: Amount | None = None
    least: Amount = LEAST
    most: Amount = MAX_AMOUNT
    description: Annotated[Text, StringConstraints(max_length=500)] = ""
    prefix: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$")] = "LINK-"
    wallets: Annotated[list[WalletCode], AfterValidator(_once_each)] = Field(default_factory=list)
    return_url: Url | None = None
    max_paid: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    expires_at: datetime | None = None

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.least > self.most:
            least, most = to_text(self.least, self.currency), to_text(self.most, self.currency)
            raise PydanticCustomError("limits", f"least is {least} and most is {most}: nothing fits between them")
        if self.expires_at and self.expires_at.tzinfo is None:
            raise PydanticCustomError("zone", "expires_at must have a time zone")
        return self
