"""What goes on the wire keeps the gateway's rules, whatever the order holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.gateway.fields import expired_time, goods_name, own_url, payment_fields, txamt, txdtm
from checkout.gateway.orders import PaymentOrder

ORDER = PaymentOrder(
    out_trade_no="A1b2",
    pay_type="801101",
    amount=1250,
    currency="HKD",
    created_at=datetime(2026, 3, 1, 10, 30, tzinfo=UTC),
    minutes=30,
    goods_name="Tea",
    return_url="https://pay.example.com/pay/cs_1/return",
    notify_url="https://pay.example.com/notify/m_1",
)


def test_an_order_becomes_the_documented_parameters() -> None:
    assert payment_fields(ORDER) == {
        "out_trade_no": "A1b2",
        "pay_type": "801101",
        "txamt": "1250",
        "txcurrcd": "HKD",
        "txdtm": "2026-03-01 18:30:00",
        "expired_time": "30",
        "goods_name": "Tea",
        "return_url": "https://pay.example.com/pay/cs_1/return",
        "notify_url": "https://pay.example.com/notify/m_1",
    }


def test_nothing_empty_is_sent() -> None:
    bare = replace(ORDER, goods_name="!", minutes=None, udid="", openid=None, limit_pay="")
    assert all(payment_fields(bare).values())
    assert not {"goods_name", "expired_time", "udid", "openid", "limit_pay"} & set(payment_fields(bare))


@pytest.mark.parametrize("pay_type", ["801107", "801512"])
def test_a_wap_payment_has_a_goods_name(pay_type: str) -> None:
    with pytest.raises(ValueError, match="goods_name"):
        payment_fields(replace(ORDER, pay_type=pay_type, goods_name="★★★"))


def test_optional_parameters_are_sent_when_given() -> None:
    full = replace(ORDER, pay_type="800107", openid="2088", udid="page", limit_pay="no_credit")
    sent = payment_fields(full)
    assert (sent["openid"], sent["udid"]) == ("2088", "page")
    assert sent["limit_pay"] == "no_credit"


@pytest.mark.parametrize("pay_type", ["801501", "801512", "801514"])
def test_a_wish_for_no_credit_is_never_dropped_in_silence(pay_type: str) -> None:
    assert "no_credit" in payment_fields(replace(ORDER, pay_type=pay_type, limit_pay="no_credit")).values()


def test_only_pay_types_that_know_it_get_an_expired_time() -> None:
    pay_types = ["800101", "800107", "801101", "801107", "801501", "801512", "801514"]
    with_time = {one for one in pay_types if "expired_time" in payment_fields(replace(ORDER, pay_type=one))}
    assert with_time == set(pay_types) - {"800107"}


@pytest.mark.parametrize(("minutes", "sent"), [(-1, "5"), (0, "5"), (5, "5"), (17, "17"), (120, "120"), (1440, "120")])
def test_a_code_lives_5_to_120_minutes(minutes: int, sent: str) -> None:
    assert expired_time(minutes) == sent


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        (datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), "2026-03-01 23:59:59"),
        (datetime(2026, 2, 28, 16, 0, tzinfo=UTC), "2026-03-01 00:00:00"),
        (datetime(2026, 7, 1, 5, 4, 3, tzinfo=UTC), "2026-07-01 13:04:03"),  # 24 hours, no summer time
        (datetime(2026, 3, 1, 0, 0, tzinfo=timezone(timedelta(hours=-8))), "2026-03-01 16:00:00"),
    ],
)
def test_moments_are_hong_kong_wall_time(moment: datetime, sent: str) -> None:
    assert txdtm(moment) == sent


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        txdtm(datetime(2026, 3, 1))  # noqa: DTZ001  # the very mistake


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Tea", "Tea"),
        ("  Green   tea \n no. 2 ", "Green tea no 2"),
        ("茶餐廳 $88 & 奶茶", "茶餐廳 88 奶茶"),
        ("測試商品", "測試商品"),
        ("お茶ー々", "お茶ー々"),
        ("Order #1001 (2× Tea)", "Order 1001 2 Tea"),
        ("Cafe\u0301", "Caf\u00e9"),  # one letter in NFC
        ("x\u0301\u0302", "x"),  # no such letter: the marks go
        ("a\u200bb\u202ec\ufeffd", "abcd"),
        ("a\u00a0b\u3000c", "a b c"),
        ("tea\x00\x1b[0m", "tea 0m"),
        ("🍵🍵", ""),
        ("*$&§|°", ""),
        ("", ""),
        ("a" * 30, "a" * 20),
        ("a" * 19 + " b", "a" * 19),  # no blank at the cut
        ("\ud800x", "x"),
        ("R&D", "R D"),
    ],
)
def test_a_goods_name_is_letters_digits_and_single_blanks(text: str, sent: str) -> None:
    assert goods_name(text) == sent


@given(st.text())
def test_a_goods_name_keeps_its_rules_whatever_comes_in(text: str) -> None:
    name = goods_name(text)
    assert len(name) <= 20
    assert name == name.strip()
    assert "  " not in name
    assert all(one == " " or one.isalpha() or one.isdecimal() for one in name)
    assert goods_name(name) == name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/return",
        "ftp://pay.example.com/",
        "https:///x",
        "https://pay.example.com/?a=1",
        "https://pay.example.com/#a",
        "https://pay.example.com/a b",
        "https://pay.example.com/\n",
        "https://pay.example.com/é",
        "https://pay.example.com/" + "a" * 177,
    ],
)
def test_an_address_the_gateway_would_mangle_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="return_url"):
        own_url(url)


def test_an_address_may_have_200_characters() -> None:
    url = "https://pay.example.com/" + "a" * 176
    assert own_url(url) == url


@pytest.mark.parametrize("change", [{"amount": 0}, {"amount": -1}, {"amount": 2**31}, {"currency": "XXX"}])
def test_an_impossible_amount_is_refused(change: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match=r"amount|currency"):
        payment_fields(replace(ORDER, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["", "A-1", "A 1", "é", "A\n", "a" * 129, "a,b"])
def test_a_number_the_gateway_might_refuse_is_not_sent(number: str) -> None:
    with pytest.raises(ValueError, match="out_trade_no"):
        payment_fields(replace(ORDER, out_trade_no=number))


def test_yen_are_whole() -> None:
    assert txamt(1980, "JPY") == "1980"
