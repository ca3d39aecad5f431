"""Creating a payment ends in one of four outcomes, whatever the wire does."""

import gzip
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checkout.domain.signing import sign_notification, sign_request
from checkout.gateway.client import Accepted, Gateway, Kind, NotSent, Outcome, PaymentOrder, Refused, Transport, Unknown
from checkout.gateway.codes import MEANINGS, Class
from checkout.gateway.transport import SentNothing
from tests.gateway.faults import FaultServer, hangs, refusing_port
from tests.gateway.test_records import GARBLED
from tests.gateway.wire import KEY, LINKS, Wire

ORDER = PaymentOrder(
    out_trade_no="ORD20260301000002",
    pay_type="801514",
    amount=8800,
    currency="HKD",
    created_at=datetime(2026, 3, 1, 10, 30, tzinfo=UTC),
    minutes=15,
    goods_name="測試商品!",
    return_url="https://pay.example.com/pay/cs_1/return",
    notify_url="https://pay.example.com/notify/m_1",
    udid="",
)
PAY_URL = "https://globalmapi.alipay.com/gateway.do?service=create_forex_trade&x=1"
ANSWER: dict[str, Any] = {
    "respcd": "0000",
    "resperr": "交易成功",
    "respmsg": "",
    "syssn": "20260301000200020000000001",
    "out_trade_no": "ORD20260301000002",
    "txamt": "8800",
    "txcurrcd": "HKD",
    "txdtm": "2026-03-01 18:30:00",
    "sysdtm": "2026-03-01 18:30:01",
    "paydtm": "2026-03-01 18:30:01",
    "pay_type": "801514",
    "udid": "qiantai2",
    "cardcd": "",
    "chnlsn": "",
    "pay_url": PAY_URL,
}


def outcome(answer: dict[str, Any] | bytes, order: PaymentOrder = ORDER, **wire: Any) -> Outcome:
    return Wire(answer, **wire).gateway().create_payment(order)


def without(*names: str, **fields: Any) -> dict[str, Any]:
    return {name: value for name, value in ANSWER.items() if name not in names} | fields


@pytest.mark.parametrize("sign_type", ["sha256", "md5"])
@pytest.mark.parametrize("mchid", [None, "TESTMCH01"])
def test_a_request_is_signed_over_exactly_what_is_sent(sign_type: Any, mchid: str | None) -> None:
    wire = Wire(ANSWER)
    wire.gateway(mchid, sign_type).create_payment(ORDER)
    path, form, environ = wire.asked[0]
    assert path == "/trade/v1/payment"
    assert environ["HTTP_X_QF_APPCODE"] == "APP1"
    assert environ["HTTP_X_QF_SIGN"] == sign_request(form, KEY, sign_type)
    assert environ.get("HTTP_X_QF_SIGNTYPE") == ("SHA256" if sign_type == "sha256" else None)
    assert form.get("mchid") == mchid
    assert all(form.values())
    assert form["goods_name"] == "測試商品"


def test_an_order_made_is_accepted() -> None:
    assert outcome(ANSWER) == Accepted(ANSWER["syssn"], PAY_URL, Kind.PAY_URL, json.dumps(ANSWER).encode())


def test_both_shapes_of_an_answer_are_read() -> None:
    inner = {"txamt": "8800", "out_trade_no": ORDER.out_trade_no, "txcurrcd": "HKD", "txstatus": "PENDING"}
    answer = {"respcd": "0000", "data": {**inner, "qf_trade_no": "S9", "pay_type": "801514", "pay_url": PAY_URL}}
    accepted = outcome(answer)
    assert isinstance(accepted, Accepted)
    assert (accepted.syssn, accepted.target) == ("S9", PAY_URL)


def test_numbers_may_come_as_numbers() -> None:
    assert isinstance(outcome(without(respcd=0, txamt=8800, pay_type=801514)), Accepted)


def test_the_text_of_a_code_leads_to_the_wallet_too() -> None:
    accepted = outcome(without("pay_url", qrcode="https://qr.alipay.com/bax1"))
    assert isinstance(accepted, Accepted)
    assert (accepted.kind, accepted.target) == (Kind.QRCODE, "https://qr.alipay.com/bax1")


def test_inside_the_wallet_parameters_lead_there() -> None:
    accepted = outcome(
        without("pay_url", "pay_type", pay_params={"tradeNO": "2026"}), replace(ORDER, pay_type="800107")
    )
    assert isinstance(accepted, Accepted)
    assert (accepted.kind, json.loads(accepted.target)) == (Kind.PAY_PARAMS, {"tradeNO": "2026"})


def test_whatever_else_stands_in_the_parameters_can_be_written_into_a_page() -> None:
    params = b'"pay_params": {"tradeNO": "2026", "rate": 1.10, "shop": "\xe8\x8c\xb6"}'
    body = json.dumps(without("pay_url", "pay_type")).encode()[:-1] + b", " + params + b"}"
    accepted = outcome(body, replace(ORDER, pay_type="800107"))
    assert isinstance(accepted, Accepted)
    assert accepted.target == '{"tradeNO": "2026", "rate": "1.10", "shop": "\\u8336"}'


@pytest.mark.parametrize("echo", ["out_trade_no", "txamt", "txcurrcd", "pay_type"])
def test_a_missing_echo_proves_nothing(echo: str) -> None:
    assert isinstance(outcome(without(echo)), Accepted)
    assert isinstance(outcome({**ANSWER, echo: ""}), Accepted)


@pytest.mark.parametrize(
    ("echo", "value"),
    [
        ("out_trade_no", "ORD20260301000003"),
        ("out_trade_no", "ord20260301000002"),
        ("txamt", "8801"),
        ("txamt", 88),
        ("txamt", "88.00"),
        ("txamt", 8800.5),
        ("txamt", []),
        ("txamt", "HKD 88"),
        ("txcurrcd", "CNY"),
        ("txcurrcd", "hkd"),
        ("pay_type", "801101"),
    ],
)
def test_a_yes_to_something_else_is_suspicious(echo: str, value: object) -> None:
    unknown = outcome({**ANSWER, echo: value})
    assert isinstance(unknown, Unknown)
    assert unknown.suspicious
    assert unknown.raw == json.dumps({**ANSWER, echo: value}).encode()
    told = {"txamt": "amount", "txcurrcd": "currency", "pay_type": "pay type"}.get(echo, echo)
    assert unknown.reason == f"the answer is for another {told}"


@pytest.mark.parametrize(
    "answer",
    [
        without("pay_url"),
        without(pay_url=""),
        without(pay_url=None),
        without(pay_url="javascript:alert(1)"),
        without(pay_url="http://qr.alipay.com/x"),
        without(pay_url="https://evil.example/x"),
        without(pay_url="https://qr.alipay.com/" + "a" * 8000),
        without(pay_url=["https://qr.alipay.com/x"]),
        without("pay_url", qrcode="https://evil.example/x"),
        without("pay_url", pay_params={}),
        without("pay_url", pay_params="{}"),
        without("syssn"),
    ],
)
def test_a_yes_without_an_address_that_we_may_show_is_suspicious(answer: dict[str, Any]) -> None:
    raw = json.dumps(answer).encode()
    assert outcome(answer) == Unknown("the answer has no address that we may show", raw, suspicious=True)


@pytest.mark.parametrize("params", [None, {}, "{}", [], {"tradeNO": ""}, {"tradeNO": ["2026"]}, {"trade_no": "2026"}])
def test_parameters_without_a_trade_number_open_no_pay_sheet(params: object) -> None:
    answer = without("pay_type", pay_params=params)  # it has an address too, which no browser can be sent to
    raw = json.dumps(answer).encode()
    suspicious = Unknown("the answer has no address that we may show", raw, suspicious=True)
    assert outcome(answer, replace(ORDER, pay_type="800107")) == suspicious


@pytest.mark.parametrize(("syssn", "fits"), [("1", True), ("9" * 64, True), ("9" * 65, False)])
def test_a_number_of_the_gateways_has_up_to_64_characters(syssn: str, fits: bool) -> None:
    assert isinstance(outcome(without(syssn=syssn)), Accepted if fits else Unknown)


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_each_code_has_its_outcome(code: str) -> None:
    answer = outcome(without("pay_url", respcd=code))
    klass = MEANINGS[code].klass
    if klass in (Class.PEND, Class.STATE):
        assert answer == Unknown(f"code {code}", json.dumps(without("pay_url", respcd=code)).encode(), code)
    elif klass is not Class.OK:
        assert isinstance(answer, Refused)
        assert answer == Refused(code, MEANINGS[code], "交易成功")
        assert answer.raw == json.dumps(without("pay_url", respcd=code)).encode()


def test_why_it_was_refused_may_stand_in_either_field() -> None:
    refused = outcome({"respcd": "1103", "resperr": "", "respmsg": "格式錯誤"})
    assert isinstance(refused, Refused)
    assert refused.message == "格式錯誤"


def test_an_unlisted_code_is_refused_since_nobody_can_pay_yet() -> None:
    refused = outcome({"respcd": "7777", "resperr": "?"})
    assert isinstance(refused, Refused)
    assert (refused.code, refused.meaning.listed) == ("7777", False)


@pytest.mark.parametrize("respcd", [None, "", False, [], "OK", "00000"])
def test_an_answer_without_a_code_is_unknown(respcd: object) -> None:
    answer = {**ANSWER, "respcd": respcd}
    assert outcome(answer) == Unknown("no code", json.dumps(answer).encode())


def test_an_inner_failure_is_no_outer_success() -> None:
    assert isinstance(outcome({**ANSWER, "data": {"respcd": "1143"}}), Unknown)
    assert isinstance(outcome({**ANSWER, "data": {"respcd": "1103"}}), Refused)


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_an_unreadable_answer_is_unknown(body: bytes) -> None:
    unknown = outcome(body)
    assert isinstance(unknown, Unknown)
    assert unknown.raw == body
    assert unknown.reason.startswith(("not proper JSON", "not a JSON object")), "an operator reads it"


@pytest.mark.parametrize(
    "status", ["201 X", "204 X", "301 X", "302 X", "400 X", "401 X", "403 X", "404 X", "500 X", "503 X"]
)
def test_another_status_is_unknown_even_with_a_proper_body(status: str) -> None:
    silent = status.startswith("5")  # a server error: no use in waiting for the next one
    assert outcome(ANSWER, status=status) == Unknown(f"http {status[:3]}", json.dumps(ANSWER).encode(), silent=silent)


def test_too_many_calls_is_not_sent() -> None:
    assert outcome(b"slow down", status="429 Too Many Requests") == NotSent("http 429")


def test_a_refused_connection_is_not_sent_and_silence_is_unknown() -> None:
    transport = Transport(total_seconds=2)
    with refusing_port() as port, FaultServer(hangs) as silent:
        for url, expected in ((f"http://127.0.0.1:{port}", NotSent), (silent.url, Unknown)):
            credentials = replace(Wire(ANSWER).gateway()._credentials, base_url=url)
            assert isinstance(Gateway(credentials, transport, LINKS).create_payment(ORDER), expected)


def test_a_transport_may_prove_that_nothing_was_sent() -> None:
    assert Wire(SentNothing("refused")).gateway().create_payment(ORDER) == NotSent("refused", silent=True)


def test_an_answer_may_carry_a_signature(caplog: pytest.LogCaptureFixture) -> None:
    right = sign_notification(json.dumps(ANSWER).encode(), KEY)
    assert isinstance(outcome(ANSWER, headers=(("X-QF-SIGN", right),)), Accepted)
    assert not caplog.records


def test_a_signature_that_does_not_match_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(outcome(ANSWER, headers=(("X-QF-SIGN", "0" * 32),)), Accepted)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_order_against_the_rules_is_our_mistake_and_is_not_sent() -> None:
    wire = Wire(ANSWER)
    with pytest.raises(ValueError, match="out_trade_no"):
        wire.gateway().create_payment(replace(ORDER, out_trade_no="A-1"))
    assert not wire.asked


def test_no_secret_shows() -> None:
    gateway = Wire(ANSWER).gateway()
    assert KEY not in repr(gateway._credentials)
    assert PAY_URL.encode() not in repr(Unknown("x", PAY_URL.encode())).encode()


def test_a_budget_is_one_app_code_at_one_host() -> None:
    mine = Wire(ANSWER).gateway()._credentials
    assert mine.budget_key == "gateway.example/APP1"
    assert replace(mine, client_key="other", mchid="M").budget_key == mine.budget_key


def test_a_gzipped_answer_is_garbled_rather_than_guessed() -> None:
    assert isinstance(outcome(gzip.compress(json.dumps(ANSWER).encode())), Unknown)
