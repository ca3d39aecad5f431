"""The wallets and QFPay's pay types for them, as data (qfpay.md sections 3.2, 3.5 and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from checkout.domain.devices import Device
from checkout.domain.money import CURRENCIES, exponent

Answer = Literal["pay_url", "qrcode", "pay_params"]


@dataclass(frozen=True)
class PayType:
    """One way to reach a wallet. `answer` is the field of QFPay's answer that says where to pay."""

    code: str
    answer: Answer
    # 801514 is not in QFPay's list of types that obey expired_time: sent all the same, never relied on.
    obeys_expired_time: bool = True
    # What pay_url opens on a desktop: Alipay's own cashier, worth offering beside the QR.
    is_page: bool = False
    more_than_major_units: int = 0
    # The shopper's user id at Alipay, without which QFPay cannot open a payment inside the wallet.
    needs_openid: bool = False


# fmt: off
PAY_TYPES = {p.code: p for p in (
    PayType("801101", "pay_url",    is_page=True, more_than_major_units=1),
    PayType("801107", "pay_url"),
    # Not in that list either (qfpay.md 3.5), and expired_time is not sent: QFPay's own 30 minutes.
    PayType("800107", "pay_params", obeys_expired_time=False, needs_openid=True),
    PayType("801514", "pay_url",    obeys_expired_time=False),
    PayType("801501", "qrcode"),
    PayType("801512", "pay_url"),
)}


@dataclass(frozen=True)
class Wallet:
    """A brand that the shopper picks. `label` is the English message id; templates translate it."""

    code: str
    label: str
    currencies: frozenset[str]
    desktop: tuple[str, ...]  # pay types, the default first; the others one setting away
    mobile: str
    in_wallet: str | None = None  # opened by the wallet's own bridge, once we know the shopper's user id


WALLETS = {w.code: w for w in (
    Wallet("alipay_hk", "AlipayHK", frozenset({"HKD"}), desktop=("801514", "801501"), mobile="801512"),
    Wallet("alipay", "Alipay", CURRENCIES, desktop=("801101",), mobile="801107", in_wallet="800107"),
)}
# fmt: on

# What a merchant may choose for desktops instead of the default: AlipayHK's own QR.
DESKTOP_SWITCHES = tuple(code for wallet in WALLETS.values() if len(wallet.desktop) > 1 for code in wallet.desktop)

RISKY_AMOUNT = 200  # minor units: QFPay advises more than this, or its risk control may refuse


@dataclass(frozen=True)
class WalletChoice:
    """One wallet as a merchant offers it: for these currencies only, or (empty) for all that it takes."""

    code: str
    currencies: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "WalletChoice":
        """Read `alipay` or `alipay:HKD+USD`. Raises ValueError naming what is wrong."""
        code, _, listed = text.strip().partition(":")
        currencies = tuple(c for c in listed.upper().split("+") if c)
        if code not in WALLETS:
            raise ValueError(f"{code!r} is no wallet; choose from {', '.join(WALLETS)}")
        if unknown := [c for c in currencies if c not in WALLETS[code].currencies]:
            raise ValueError(f"{WALLETS[code].label} does not take {', '.join(unknown)}")
        return cls(code, currencies)

    def __str__(self) -> str:
        return f"{self.code}:{'+'.join(self.currencies)}" if self.currencies else self.code

    def takes(self, currency: str) -> bool:
        return currency in (self.currencies or WALLETS[self.code].currencies)


def offered(
    choices: Sequence[WalletChoice], *, currency: str, amount: int, narrowed: Sequence[str] = ()
) -> list[Wallet]:
    """The wallets that a shopper may pick, in the merchant's order; a session may narrow them."""
    return [
        WALLETS[choice.code]
        for choice in choices
        if choice.takes(currency)
        and (not narrowed or choice.code in narrowed)
        and enough_for(PAY_TYPES[WALLETS[choice.code].desktop[0]], amount, currency)
    ]


def enough_for(pay_type: PayType, amount: int, currency: str) -> bool:
    """801101 refuses amounts of one major unit or less (qfpay.md 3.2)."""
    return (
        amount > pay_type.more_than_major_units * int(10 ** exponent(currency))
        if pay_type.more_than_major_units
        else True
    )


def pay_type_for(wallet: Wallet, device: Device, preferred: Sequence[str] = (), *, knows_user: bool = False) -> PayType:
    """The pay type that fits the shopper's device; `preferred` holds the merchant's switches, such as 801501."""
    if knows_user and device is Device.IN_WALLET and wallet.in_wallet:
        return PAY_TYPES[wallet.in_wallet]
    if device in (Device.MOBILE, Device.IN_WALLET):
        return PAY_TYPES[wallet.mobile]
    return PAY_TYPES[next((code for code in preferred if code in wallet.desktop), wallet.desktop[0])]
