"""Amounts are exact, whatever a person types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.money import CURRENCIES, MAX_AMOUNT, exponent, parse_amount, to_text

DOCUMENTED = {"AED", "CNY", "EUR", "HKD", "IDR", "JPY", "MMK", "MYR", "SGD", "THB", "USD", "CAD", "AUD"}


def test_every_currency_of_the_gateway_has_an_exponent() -> None:
    assert CURRENCIES == DOCUMENTED
    assert {currency for currency in CURRENCIES if exponent(currency) == 0} == {"JPY"}
    assert {exponent(currency) for currency in CURRENCIES - {"JPY"}} == {2}


@pytest.mark.parametrize("currency", ["XXX", "hkd", "", "KWD", "HKD "])
def test_another_currency_is_refused(currency: str) -> None:
    for call in (lambda: exponent(currency), lambda: parse_amount("1", currency), lambda: to_text(1, currency)):
        with pytest.raises(ValueError, match="currency"):
            call()


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12.50", "HKD", 1250),
        ("12.5", "HKD", 1250),
        ("12", "HKD", 1200),
        ("0.01", "HKD", 1),
        ("00012", "HKD", 1200),
        ("0.29", "USD", 29),  # 28.999… as a float
        ("1.15", "EUR", 115),  # 114.999…
        ("1980", "JPY", 1980),
        ("21474836.47", "HKD", MAX_AMOUNT),
        ("2147483647", "JPY", MAX_AMOUNT),
    ],
)
def test_major_units_become_minor_units(text: str, currency: str, amount: int) -> None:
    assert parse_amount(text, currency) == amount


# fmt: off
UNREADABLE = [
    "", " ", "0", "0.00", "-1", "+1", "1,000", "1.", ".5", "1.234", "1e3", "0x10", "1_000", " 1", "1 ", "1\n", "NaN",
    "inf", "١٢", "１２", "12.5.0", "HKD 1", "$1", "21474836.48", "9" * 13, "9" * 5000, "1.5\x00",
]
# fmt: on


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_not_exactly_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals"):
        parse_amount(text, "HKD")


@pytest.mark.parametrize("text", ["1.0", "1.5", "0.1"])
def test_yen_have_no_decimals(text: str) -> None:
    with pytest.raises(ValueError, match="JPY has 0 decimals"):
        parse_amount(text, "JPY")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "HKD", "12.50"),
        (5, "HKD", "0.05"),
        (0, "HKD", "0.00"),
        (-150, "HKD", "-1.50"),
        (1980, "JPY", "1980"),
        (0, "JPY", "0"),
        (123456789012, "USD", "1234567890.12"),
    ],
)
def test_minor_units_are_written_plainly(amount: int, currency: str, text: str) -> None:
    assert to_text(amount, currency) == text


@given(st.integers(1, MAX_AMOUNT), st.sampled_from(sorted(CURRENCIES)))
def test_what_is_written_is_read_back(amount: int, currency: str) -> None:
    assert parse_amount(to_text(amount, currency), currency) == amount
