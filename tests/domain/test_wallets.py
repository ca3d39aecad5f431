"""The table of wallets: what is offered where, and through which pay type."""

import pytest

from checkout.domain.devices import Device
from checkout.domain.money import CURRENCIES
from checkout.domain.wallets import (
    DESKTOP_SWITCHES,
    PAY_TYPES,
    WALLETS,
    Wallet,
    WalletChoice,
    enough_for,
    offered,
    pay_type_for,
)

BOTH = tuple(WalletChoice(code) for code in WALLETS)
HK, CN = WALLETS["alipay_hk"], WALLETS["alipay"]


def codes(
    currency: str, amount: int = 8800, choices: tuple[WalletChoice, ...] = BOTH, **narrowed: list[str]
) -> list[str]:
    return [wallet.code for wallet in offered(choices, currency=currency, amount=amount, **narrowed)]


def test_the_table_names_only_pay_types_and_currencies_that_exist() -> None:
    for code, wallet in WALLETS.items():
        assert code == wallet.code
        assert {*wallet.desktop, wallet.mobile, wallet.in_wallet or wallet.mobile} <= set(PAY_TYPES)
        assert wallet.currencies <= CURRENCIES
        assert wallet.desktop


@pytest.mark.parametrize(("wallet", "device", "pay_type"), [
    (HK, Device.DESKTOP,   "801514"), (HK, Device.TABLET, "801514"), (HK, Device.BOT, "801514"),
    (HK, Device.MOBILE,    "801512"), (HK, Device.IN_WALLET, "801512"),
    (CN, Device.DESKTOP,   "801101"), (CN, Device.TABLET, "801101"), (CN, Device.BOT, "801101"),
    (CN, Device.MOBILE,    "801107"), (CN, Device.IN_WALLET, "801107"),
])  # fmt: skip
def test_the_device_decides_the_pay_type(wallet: Wallet, device: Device, pay_type: str) -> None:
    assert pay_type_for(wallet, device).code == pay_type


def test_a_switch_of_the_merchant_changes_the_desktop_and_only_its_own_wallet() -> None:
    assert DESKTOP_SWITCHES == ("801514", "801501")
    assert pay_type_for(HK, Device.DESKTOP, ["801501"]).code == "801501"
    assert pay_type_for(HK, Device.MOBILE, ["801501"]).code == "801512"
    assert pay_type_for(CN, Device.DESKTOP, ["801501"]).code == "801101"


def test_a_wallet_is_offered_for_the_currencies_that_it_takes() -> None:
    assert codes("HKD") == ["alipay_hk", "alipay"]
    assert codes("USD") == ["alipay"]


def test_the_merchant_orders_and_limits_the_session_narrows() -> None:
    choices = (WalletChoice("alipay", ("HKD",)), WalletChoice("alipay_hk"))
    assert codes("HKD", choices=choices) == ["alipay", "alipay_hk"]
    assert codes("USD", choices=choices) == []
    assert codes("HKD", choices=choices, narrowed=["alipay_hk"]) == ["alipay_hk"]
    assert codes("HKD", choices=choices[:1], narrowed=["alipay_hk"]) == []


@pytest.mark.parametrize(
    ("amount", "currency", "enough"), [(100, "HKD", False), (101, "HKD", True), (1, "JPY", False), (2, "JPY", True)]
)
def test_alipay_on_the_web_wants_more_than_one_unit(amount: int, currency: str, enough: bool) -> None:
    assert enough_for(PAY_TYPES["801101"], amount, currency) is enough
    assert ("alipay" in codes(currency, amount)) is enough
    assert enough_for(PAY_TYPES["801514"], amount, currency)


@pytest.mark.parametrize("text", ["alipay", "alipay:HKD", "alipay:HKD+USD", "alipay_hk:HKD"])
def test_a_choice_reads_as_it_is_written(text: str) -> None:
    assert str(WalletChoice.parse(text)) == text


def test_a_choice_is_read_kindly() -> None:
    assert WalletChoice.parse(" alipay:hkd+usd ") == WalletChoice("alipay", ("HKD", "USD"))
    assert WalletChoice.parse("alipay:") == WalletChoice("alipay")


@pytest.mark.parametrize(("text", "said"), [
    ("wechat", "'wechat' is no wallet"), ("", "'' is no wallet"), ("Alipay", "'Alipay' is no wallet"),
    ("alipay_hk:USD", "AlipayHK does not take USD"), ("alipay:XXX", "Alipay does not take XXX"),
])  # fmt: skip
def test_a_wrong_choice_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WalletChoice.parse(text)
