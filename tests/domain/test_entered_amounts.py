"""What a shopper writes is read as she means it, or not at all."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.entered_amounts import NotAnAmount, read_amount

READ = [
    ("88", "HKD", 8800),
    ("88.0", "HKD", 8800),
    ("88.", "HKD", 8800),
    (" 1,234.50 ", "HKD", 123450),
    ("1 234", "HKD", 123400),
    ("HK$88", "HKD", 8800),
    ("hkd 88", "HKD", 8800),
    ("88元", "CNY", 8800),
    ("¥88", "CNY", 8800),
    ("８８．５０", "HKD", 8850),
    ("１，２３４", "HKD", 123400),
    ("1 234 567.50", "HKD", 123456750),
    ("HK$ 88 HKD", "HKD", 8800),
    ("$ 88", "HKD", 8800),
    ("RMB 88", "CNY", 8800),
    ("88 圓", "HKD", 8800),
    ("US$88", "HKD", None),
    ("88 USD", "HKD", None),
    ("¥88", "HKD", None),
    ("12 50", "HKD", None),
    ("1 5", "HKD", None),
    ("1 2345", "HKD", None),
    ("1.000", "HKD", None),
    ("1.000", "JPY", None),
    ("5²", "HKD", None),
    ("八八", "HKD", None),
    ("٨٨", "HKD", 8800),
    ("88。5", "HKD", 8850),
    ("0088", "HKD", 8800),
    ("88.500", "HKD", 8850),
    ("88.00", "JPY", 88),
    ("1,980", "JPY", 1980),
    ("19.8", "JPY", None),
    ("1,5", "HKD", None),
    ("12,34", "HKD", None),
    ("1.234,50", "HKD", None),
    ("-5", "HKD", None),
    ("+5", "HKD", None),
    ("1e3", "HKD", None),
    ("0", "HKD", None),
    ("0.001", "HKD", None),
    ("", "HKD", None),
    ("$", "HKD", None),
    ("9" * 40, "HKD", None),
    ("1\u0000", "HKD", None),
]


@pytest.mark.parametrize(("written", "currency", "amount"), READ)
def test_an_amount_is_read_exactly_or_refused(written: str, currency: str, amount: int | None) -> None:
    if amount is None:
        with pytest.raises(NotAnAmount):
            read_amount(written, currency, least=1, most=10**9)
    else:
        assert read_amount(written, currency, least=1, most=10**9) == amount


@given(st.integers(1, 10**9))
def test_every_amount_can_be_written_with_and_without_separators(amount: int) -> None:
    for written in (f"{amount // 100:,}.{amount % 100:02}", f"{amount // 100}.{amount % 100:02}"):
        assert read_amount(written, "HKD", least=1, most=10**9) == amount


@given(st.text(max_size=50))
def test_any_text_is_an_amount_or_none(text: str) -> None:
    with suppress(NotAnAmount):
        assert 1 <= read_amount(text, "HKD", least=1, most=1000) <= 1000
