"""A receipt: every payment and refund with all its numbers, in the shopper's language and in English beside it."""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from checkout.domain.lifecycle import RefundStatus
from checkout.domain.locales import Lang
from checkout.domain.wallets import WALLETS
from checkout.store.receipts import read_receipt
from checkout.web import filters, language
from checkout.web.context import parts

# fmt: off
LABELS = (
    "receipt", "shop", "amount", "paid_at", "reference", "checkout", "wallet", "syssn", "out_trade_no",
    "payment", "surplus", "late", "refund", "refunded", "refund_amount", "refund_at", "refund_syssn",
    "refund_out_trade_no", "sent", "going",
)
# fmt: on


@dataclass(frozen=True)
class Paid:
    """One payment. `kind` names its heading in templates/pay/receipt_words.html."""

    kind: str
    label: str
    amount: int
    syssn: str
    out_trade_no: str
    paid_at: datetime | None


@dataclass(frozen=True)
class Returned:
    amount: int
    sent: bool  # the gateway has said so
    syssn: str | None
    out_trade_no: str
    created_at: datetime


@dataclass(frozen=True)
class Receipt:
    session_id: str
    payments: tuple[Paid, ...]
    refunds: tuple[Returned, ...]
    english: dict[str, str]  # empty on an English page

    @staticmethod
    def english_time(moment: datetime) -> str:
        """As the English page writes it."""
        return filters.hong_kong_time(moment, Lang.EN)

    @property
    def returned(self) -> int:
        return sum(refund.amount for refund in self.refunds)


def receipt_of(session_id: str) -> Receipt:
    """Reads our database only."""
    with parts().reading.connect() as connection:
        paid, refunds = read_receipt(connection, session_id)
    return Receipt(
        session_id=session_id,
        payments=tuple(
            Paid(
                {"accepted": "payment", "surplus": "surplus"}.get(one.role, "late"),
                WALLETS[one.wallet].label,
                one.amount,
                one.syssn,
                one.out_trade_no,
                one.paid_at,
            )
            for one in paid
        ),
        refunds=tuple(
            Returned(one.amount, one.status is RefundStatus.SUCCEEDED, one.syssn, one.out_trade_no, one.created_at)
            for one in refunds
        ),
        english=in_english(),
    )


def in_english() -> dict[str, str]:
    """The same labels once more: whoever checks a claim abroad reads no Chinese."""
    if language.current() is Lang.EN:
        return {}
    with language.speaking(Lang.EN):
        words = current_app.jinja_env.get_template("pay/receipt_words.html").make_module()
        return {name: str(words.label(name)) for name in LABELS}  # type: ignore[attr-defined]
