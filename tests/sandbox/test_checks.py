"""The sandbox refuses what QFPay's documents do not allow, and says which parameter is at fault."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checkout.domain.signing import sign_notification
from sandbox import Credential
from sandbox.facts import stamp
from tests.sandbox.cast import KEY, NOON, Merchant, SandboxMaker

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "qfpay.json").read_text())
REQUESTS = {vector["id"]: vector for vector in VECTORS["requests"]}


@pytest.mark.parametrize("headers", ["headers_if_md5", "headers_if_sha256"])
@pytest.mark.parametrize("vector", REQUESTS.values(), ids=REQUESTS)
def test_the_signature_of_every_vector_is_accepted(
    make_sandbox: SandboxMaker, vector: dict[str, Any], headers: str
) -> None:
    sandbox = make_sandbox(
        credentials={vector[headers]["X-QF-APPCODE"]: Credential(vector["client_key"], mchid="TESTMCH01")}
    )
    answer = sandbox.ask("payment", {}, headers=vector[headers], body=vector["wire_body_form_urlencoded"])
    # Some vectors are no complete orders; but they get as far as the parameters.
    assert answer["respcd"] == "1104"

    strangers = vector[headers] | {"X-QF-SIGN": vector[headers]["X-QF-SIGN"][::-1]}
    assert sandbox.ask("payment", {}, headers=strangers, body=vector["wire_body_form_urlencoded"])["respcd"] == "1108"


@pytest.mark.parametrize("negative", VECTORS["request_negatives"], ids=lambda vector: vector["id"])
def test_a_signature_over_other_bytes_is_refused(bo: Merchant, negative: dict[str, Any]) -> None:
    of = REQUESTS[negative["of"]]
    headers = {"X-QF-SIGN": negative["md5_upper"], "X-QF-SIGNTYPE": "MD5"}
    assert bo.ask("payment", {}, headers=headers, body=of["wire_body_form_urlencoded"])["respcd"] == "1108"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-QF-APPCODE": "NOBODY"}, "1203"),
        ({"X-QF-APPCODE": None}, "1203"),
        ({"X-QF-APPCODE": "APP2"}, "1108"),
        ({"X-QF-SIGN": None}, "1108"),
        ({"X-QF-SIGN": "é"}, "1108"),
        ({"X-QF-SIGNTYPE": "SHA1"}, "1108"),
        ({"X-QF-SIGNTYPE": None}, "1108"),  # absent means MD5, and this is signed with SHA256
        ({"Content-Type": "application/json"}, "1103"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "1103"),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=big5"}, "1103"),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}, "0000"),
    ],
)
def test_headers_must_be_right(bo: Merchant, headers: dict[str, str | None], code: str) -> None:
    assert bo.ask("payment", bo.form(), headers=headers)["respcd"] == code


def test_md5_needs_no_sign_type(bo: Merchant) -> None:
    answer = bo.ask("payment", bo.form(), sign_type="md5", headers={"X-QF-SIGNTYPE": None})
    assert answer["respcd"] == "0000"


@pytest.mark.parametrize("extra", ["&udid=", "&txamt=8800", "&sign=abc"], ids=["empty", "repeated", "unknown"])
def test_parameters_that_the_signature_may_not_cover_are_refused(bo: Merchant, extra: str) -> None:
    params = bo.form(goods_name=None)
    body = "&".join(f"{name}={value}" for name, value in params.items()) + extra
    answer = bo.ask("payment", params, body=body)
    assert answer["respcd"] == "1104"
    assert answer["resperr"].startswith(extra[1:].split("=", maxsplit=1)[0])


@pytest.mark.parametrize("body", ["txamt=%FF", "txamt=測", "txamt", "a=1&&b=2"])
def test_a_body_that_is_no_percent_encoded_utf8_is_refused(bo: Merchant, body: str) -> None:
    assert bo.ask("payment", {}, body=body)["respcd"] == "1103"


def test_parameters_in_the_address_are_refused(bo: Merchant) -> None:
    params = bo.form()
    assert bo.ask("payment?page=1", params)["respcd"] == "1103"


# fmt: off
REFUSED = [
    *(("txamt", bad) for bad in ("0", "-1", "1.5", "012", "1e3", "123456789012", "１２", None)),
    *(("txcurrcd", bad) for bad in ("hkd", "XXX", "USD", None)),
    *(("pay_type", bad) for bad in ("801999", "801110", "abc", None)),
    *(("out_trade_no", bad) for bad in ("a-b", "a b", "茶", "a" * 129, "a.b", None)),
    *(("txdtm", bad) for bad in ("2026-03-15T12:00:00", "2026-3-15 12:00:00", "2026-02-30 12:00:00", None)),
    *(("txdtm", stamp(NOON + timedelta(minutes=off))) for off in (-11, 11, -8 * 60)),
    *(("goods_name", bad) for bad in ("a" * 21, "50% off", "a  b", " a", "a ", "a-b", "a\tb", "☕", "A&B")),
    *(("expired_time", bad) for bad in ("4", "121", "05", "30.0", "a")),
    *(("return_url", bad) for bad in ("/back", "ftp://a/b", "http://a/b?c=1", "http://a/b?", "http://a/#x", "https://",
                                      "http://u@a/b", "http://a/ b", "https://a/" + "b" * 191)),
    *(("notify_url", bad) for bad in ("notify", "javascript:alert(1)", "https://a/" + "b" * 246)),
    ("limit_pay", "credit"),
    ("udid", "u" * 41), ("openid", "2088000000000001"), ("pay_tag", "ALIPAYHK"), ("txzone", "+0000"),
    ("mchid", "M1"), ("colour", "red"),
]
# fmt: on


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_each_parameter_has_its_rule(bo: Merchant, name: str, value: str | None) -> None:
    answer = bo.order(**{name: value})
    assert answer["respcd"] == "1104"
    assert answer["resperr"].startswith(f"{name}:")
    assert bo.ledger.orders() == []


# fmt: off
ALLOWED = [
    {"txamt": "99999999999"}, {"txamt": "1"},
    {"out_trade_no": "A_z|9*" + "a" * 122},
    {"txdtm": stamp(NOON + timedelta(minutes=10))}, {"txdtm": stamp(NOON - timedelta(minutes=10))},
    {"goods_name": "測試商品 お茶 Tee 12"}, {"goods_name": None}, {"goods_name": "a" * 20},
    {"expired_time": "5"}, {"expired_time": "120"}, {"expired_time": "30"},
    {"return_url": "https://a.example/" + "b" * 182}, {"return_url": None}, {"notify_url": None},
    {"udid": "u" * 40}, {"txzone": "+0800"},
    {"pay_type": "801501", "pay_tag": "ALIPAYHK"},
    {"pay_type": "801101", "txamt": "101"}, {"pay_type": "801101", "txcurrcd": "JPY", "txamt": "2"},
    {"pay_type": "800107", "openid": "2088000000000001", "limit_pay": "no_credit"},
]
# fmt: on


@pytest.mark.parametrize("changes", ALLOWED)
def test_what_the_documents_allow_is_accepted(bo: Merchant, changes: dict[str, str | None]) -> None:
    answer = bo.order(**changes)
    assert (answer["respcd"], answer["resperr"]) == ("0000", "交易成功")


@pytest.mark.parametrize("missing", ["goods_name", "return_url", "notify_url"])
@pytest.mark.parametrize("pay_type", ["801107", "801512"])
def test_wap_needs_what_its_page_lists(bo: Merchant, pay_type: str, missing: str) -> None:
    assert bo.order(pay_type=pay_type, **{missing: None})["resperr"] == f"{missing}: is missing"


def test_inside_alipay_an_openid_is_needed(bo: Merchant) -> None:
    assert bo.order(pay_type="800107")["resperr"] == "openid: is missing"


def test_inside_alipay_no_time_is_documented(bo: Merchant) -> None:
    asked = {"pay_type": "800107", "openid": "2088000000000001"}
    refused = bo.order(**asked, expired_time="10")
    assert (refused["respcd"], refused["resperr"]) == ("1104", "expired_time: is not a parameter of this call")
    assert bo.order(**asked, out_trade_no="A")["respcd"] == "0000"
    assert bo.ledger.order("A").expires_at - bo.clock() == timedelta(minutes=30)


@pytest.mark.parametrize(("currency", "amount"), [("HKD", "100"), ("JPY", "1"), ("USD", "50")])
def test_the_overseas_web_type_is_too_good_for_one_unit(bo: Merchant, currency: str, amount: str) -> None:
    assert bo.order(pay_type="801101", txcurrcd=currency, txamt=amount)["respcd"] == "1123"


@pytest.mark.parametrize(
    ("issued", "sent", "code"),
    [("M1", "M1", "0000"), ("M1", None, "1104"), ("M1", "M2", "1203"), (None, "M1", "1104"), (None, None, "0000")],
)
def test_an_mchid_is_sent_if_and_only_if_issued(
    make_sandbox: SandboxMaker, issued: str | None, sent: str | None, code: str
) -> None:
    assert make_sandbox(credentials={"APP1": Credential(KEY, mchid=issued)}).order(mchid=sent)["respcd"] == code


@pytest.mark.parametrize("changes", [{"pay_type": "801101"}, {"pay_type": "801512", "txcurrcd": "USD"}])
def test_an_account_has_what_was_enabled_for_it(make_sandbox: SandboxMaker, changes: dict[str, str]) -> None:
    enabled = Credential(KEY, pay_types=frozenset({"801514", "801512"}), currencies=frozenset({"HKD"}))
    sandbox = make_sandbox(credentials={"APP1": enabled})
    assert sandbox.order(**changes)["respcd"] == "1104"
    assert sandbox.order()["respcd"] == "0000"


def test_a_number_is_used_once_by_payments_and_refunds_together(bo: Merchant) -> None:
    bo.order(out_trade_no="A")
    assert bo.order(out_trade_no="A")["respcd"] == "1251"

    paid = bo.ledger.pay("A")
    assert bo.refund(paid.syssn, "100", number="A")["respcd"] == "1251"
    assert bo.refund(paid.syssn, "100", number="B")["respcd"] == "0000"
    assert bo.order(out_trade_no="B")["respcd"] == "1251"


def test_a_refused_order_leaves_its_number_free(bo: Merchant) -> None:
    assert bo.order(out_trade_no="A", txamt="0")["respcd"] == "1104"
    assert bo.order(out_trade_no="A")["respcd"] == "0000"


def test_answers_are_signed_over_their_raw_body(bo: Merchant) -> None:
    for params in (bo.form(), bo.form(txamt="0")):
        answer = bo.call("payment", params)
        assert answer.headers["X-QF-SIGN"] == sign_notification(answer.data, KEY)
        assert b'", "' in answer.data
        assert b'": "' in answer.data
        assert answer.data.isascii()


def test_no_second_has_more_than_a_hundred_calls(bo: Merchant) -> None:
    asked = [bo.call("query", {"out_trade_no": "A"}).status_code for _ in range(101)]
    assert asked == [200] * 100 + [429]
    assert bo.call("query", {}, headers={"X-QF-APPCODE": "APP2"}).status_code == 200
    bo.clock.pass_by(seconds=1)
    assert bo.call("query", {"out_trade_no": "A"}).status_code == 200


def test_the_rate_limit_is_per_app_code_and_minute(make_sandbox: SandboxMaker) -> None:
    bo = make_sandbox(calls_per_minute=3)
    assert [bo.call("query", {"out_trade_no": "A"}).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert bo.call("query", {}, headers={"X-QF-APPCODE": "APP2"}).status_code == 200
    bo.clock.pass_by(seconds=61)
    assert bo.call("query", {"out_trade_no": "A"}).status_code == 200
