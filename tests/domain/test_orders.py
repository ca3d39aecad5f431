"""What a merchant sends: read strictly, every mistake told at once."""

from typing import Any

import pytest

from checkout.domain.errors import Invalid
from checkout.domain.orders import DEEPEST, SESSION_MINUTES, Order, read_json

LEAST = {"amount": 8800, "currency": "HKD", "reference": "A-1001", "return_url": "https://shop.example/thanks"}


def mistakes(data: object) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        Order.read(data)
    return refused.value.errors


def test_four_fields_are_enough() -> None:
    order = Order.read(LEAST)
    assert (order.expires_in, order.late_payment, order.wallets) == (SESSION_MINUTES, "hold", [])
    assert (order.description, order.items, order.metadata, order.cancel_url) == ("", [], {}, None)


def test_null_is_absent_where_a_field_may_be_absent() -> None:
    assert Order.read(LEAST | {"description": None, "metadata": None, "expires_in": None}) == Order.read(LEAST)
    assert mistakes(LEAST | {"amount": None}) == {"amount": "must be a whole number, such as 1234"}


def test_a_locale_becomes_one_of_ours() -> None:
    assert Order.read(LEAST | {"locale": "zh-Hant-TW"}).locale == "zh-HK"


def test_every_mistake_is_told_at_once() -> None:
    found = mistakes({"amount": "88.00", "currency": "XYZ", "colour": "red"})
    assert set(found) == {"amount", "currency", "colour", "reference", "return_url"}
    assert found["reference"] == "is required"
    assert found["colour"] == "is not a field of this call; remove it"


@pytest.mark.parametrize(("field", "value", "said"), [
    ("amount", 0,                          "at least 1"),
    ("amount", -1,                         "at least 1"),
    ("amount", 10**9 + 1,                  "at most 1000000000"),
    ("amount", 88.0,                       "whole number"),
    ("amount", "8800",                     "whole number"),
    ("amount", True,                       "whole number"),  # True is an int to Python, and no amount
    ("currency", "hkd",                    "one of AED"),
    ("currency", 344,                      "text"),
    ("reference", "",                      "at least 1"),
    ("reference", "x" * 129,               "at most 128"),
    ("reference", "A\n1",                  "control"),
    ("reference", "A\x001",                "control"),
    ("return_url", "",                     "at least 1"),
    ("return_url", "h" * 2049,             "at most 2048"),
    ("description", "x" * 501,             "at most 500"),
    ("description", "a\x7fb",              "control"),
    ("wallets", ["wechat"],                "one of alipay_hk, alipay"),
    ("wallets", ["alipay", "alipay"],      "once"),
    ("wallets", "alipay",                  "list"),
    ("locale", "fr",                       "en, zh-HK or zh-CN"),
    ("expires_in", 4,                      "at least 5"),
    ("expires_in", 1441,                   "at most 1440"),
    ("expires_in", 30.5,                   "whole number"),
    ("limit_pay", "credit",                "'no_credit'"),
    ("late_payment", "keep",               "'hold', 'accept' or 'refund'"),
    ("udid", "till 4",                     "printable ASCII"),
    ("metadata", {str(n): "" for n in range(21)}, "at most 20"),
    ("metadata", [],                       "object"),
])  # fmt: skip
def test_a_wrong_value_names_its_field_and_what_would_be_right(field: str, value: Any, said: str) -> None:
    found = mistakes(LEAST | {field: value})
    assert [name.split(".")[0] for name in found] == [field]
    assert said in next(iter(found.values()))


@pytest.mark.parametrize(("extra", "field"), [
    ({"items": [{"name": "Tea", "amount": 1}, {"name": "", "amount": 1}]}, "items.1.name"),
    ({"items": [{"name": "Tea", "amount": 1, "quantity": 0}]},             "items.0.quantity"),
    ({"items": [{"name": "Tea", "amount": -1}]},                           "items.0.amount"),
    ({"items": [{"name": "Tea", "amount": 1, "colour": "red"}]},           "items.0.colour"),
    ({"metadata": {"k": 1}},                                               "metadata.k"),
])  # fmt: skip
def test_a_mistake_inside_is_named_with_its_way(extra: dict[str, Any], field: str) -> None:
    assert field in mistakes(LEAST | extra)


def test_what_a_stranger_wrote_is_not_repeated_to_him() -> None:
    with pytest.raises(Invalid) as refused:
        Order.read(LEAST | {"currency": "sk_very_secret"})
    assert "sk_very_secret" not in str(refused.value)


@pytest.mark.parametrize("data", [None, [], "text", 5, True])
def test_only_an_object_is_an_order(data: object) -> None:
    assert mistakes(data) == {"body": "must be a JSON object"}


@pytest.mark.parametrize("body", [
    b"", b"{", b"{'a': 1}", b"\xff", b"\xef\xbb\xbf{}", b"NaN", b'{"a": Infinity}', b"{} {}",
    b'{"amount": 1, "amount": 2}', b'{"a": {"b": 1, "b": 1}}',
    b"[" * 100_000, b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
])  # fmt: skip
def test_doubtful_json_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read_json(body)
    assert set(refused.value.errors) == {"body"}


def test_plain_json_is_read() -> None:
    assert read_json('{"名": [1, null, "é"]}'.encode()) == {"名": [1, None, "é"]}
    assert read_json(b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1))
