"""QFPay may sign its answers by two rules, and neither is a reason to lose a payment (qfpay.md section 2.2)."""

import json
from typing import Any

import pytest

from checkout.domain.signing import sign_notification
from checkout.gateway.client import Accepted, Gateway, Unknown
from checkout.gateway.signatures import data_text, is_signed
from checkout.gateway.transport import Answer
from tests.gateway.test_create_payment import ORDER, PAY_URL
from tests.gateway.wire import KEY, LINKS, Wire

# Made by md5sum over a text written by hand: the sorted fields of `data`, and the key directly behind them.
DATA = {
    "txamt": 8800, "out_trade_no": "ORD20260301000002", "txcurrcd": "HKD", "txstatus": "PENDING",
    "qf_trade_no": "20260301000200020000000001", "pay_type": "801514", "txdtm": "2026-03-01 18:30:00",
}  # fmt: skip
TEXT = (
    "out_trade_no=ORD20260301000002&pay_type=801514&qf_trade_no=20260301000200020000000001&txamt=8800&txcurrcd=HKD"
    "&txdtm=2026-03-01 18:30:00&txstatus=PENDING"
)
SIGN = "045B60D9619C79EB7CD342A01086AFCF"
VECTORS = [(DATA, SIGN), ({"txamt": "8800", "goods_name": "測試商品"}, "0927DA438AEBC7BEBCBD67C02860AB75")]
SHAPE: dict[str, Any] = {"respcd": "0000", "respmsg": "", "data": DATA, "pay_url": PAY_URL}


def signed(answer: dict[str, Any], signature: str, *, sent: str = "") -> bool:
    return is_signed(Answer(200, json.dumps(answer).encode(), signature), KEY, sent=sent)


@pytest.mark.parametrize(("data", "signature"), VECTORS)
def test_todays_text_signs_the_sorted_fields_of_data(data: dict[str, Any], signature: str) -> None:
    assert signed({"respcd": "0000", "data": data}, signature)
    assert signed({"respcd": "0000", "data": data}, signature.lower())
    assert not signed({"respcd": "0000", "data": data | {"txamt": "8801"}}, signature)
    assert not signed({"respcd": "0000", "data": data | {"more": ""}}, signature)
    assert not signed({"respcd": "0000"} | data, signature)


def test_the_text_is_the_documented_one() -> None:
    assert data_text(json.dumps(SHAPE).encode()) == TEXT


def test_the_older_text_signs_the_raw_body() -> None:
    body = json.dumps(SHAPE).encode()
    assert is_signed(Answer(200, body, sign_notification(body, KEY)), KEY, sent="")
    assert not is_signed(Answer(200, body + b" ", sign_notification(body, KEY)), KEY, sent="")


@pytest.mark.parametrize("data", [None, [], [DATA], {}, "x", {"a": {}}, {"a": None}, {"a": 1.5}, {"a": True}])
def test_where_the_rule_says_nothing_nothing_fits(data: object) -> None:
    assert data_text(json.dumps({"respcd": "0000", "data": data}).encode()) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"data": {"a": 1, "a": 2}}', b"\xff", b'{"data": {"a": "\\ud800"}}']
)
def test_an_answer_that_cannot_be_read_is_not_signed_by_it(body: bytes) -> None:
    assert data_text(body) is None


def test_our_own_signature_come_back_proves_nothing() -> None:
    """An account that signs with MD5 signs its requests as today's text signs answers."""
    assert not signed(SHAPE, SIGN, sent=SIGN)


@pytest.mark.parametrize(("signature", "kind"), [(SIGN, Accepted), ("0" * 32, Unknown)])
def test_the_strict_take_an_answer_signed_by_todays_text(signature: str, kind: type) -> None:
    lenient = Wire(SHAPE, headers=(("X-QF-SIGN", signature),)).gateway()
    strict = Gateway(lenient._credentials, lenient._transport, LINKS, strict_signatures=True)
    assert isinstance(strict.create_payment(ORDER), kind)
