"""Reading the gateway's JSON: strict about JSON, tolerant about shapes."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout.domain.errors import GatewayGarbled
from checkout.gateway.codes import Says
from checkout.gateway.records import overlaid, read_json, read_record

ITEM: dict[str, Any] = {
    "syssn": "20260301000200020000000001",
    "out_trade_no": "ORD1",
    "order_type": "payment",
    "pay_type": "801514",
    "txamt": "8800",
    "txcurrcd": "HKD",
    "txdtm": "2026-03-01 18:30:00",
    "sysdtm": "2026-03-01 18:30:01",
    "paydtm": "2026-03-01 18:30:44",
    "respcd": "0000",
    "cancel": "0",
    "origssn": None,
}

GARBLED = [
    b"",
    b" ",
    b"null",
    b"true",
    b"0000",
    b'"0000"',
    b"[]",
    b'[{"respcd":"0000"}]',
    b"{",
    b'{"respcd":"0000"',
    b'{"respcd":"0000"}}',
    b'{"respcd":"0000"} {"respcd":"1143"}',
    b"{'respcd':'0000'}",
    b'{"respcd":0000}',  # as a sample in the gateway's own documents has it
    b'{"respcd":"0000",}',
    b'{"respcd":"0000" "a":1}',
    b'{"respcd":"1143","respcd":"0000"}',
    b'{"data":{"respcd":"1143","respcd":"0000"}}',
    b'{"data":[{"txamt":1,"txamt":2}]}',
    b'{"respcd":"0000","resp\\u0063d":"1143"}',
    b'{"txamt":NaN}',
    b'{"txamt":Infinity}',
    b'{"txamt":-Infinity}',
    b'{"txamt":1e309}',
    b'{"txamt":1e-400}',
    b'{"txamt":1e999999999999999999999}',
    b'{"txamt":' + b"9" * 5000 + b"}",
    b'{"a":' * 30 + b"1" + b"}" * 30,
    b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"a":' * 10_000,
    b"[" * 60_000,
    b"<html><body>Sign in</body></html>",
    b"respcd=0000&syssn=1",
    b"\x1f\x8b\x08\x00",
    b"\xff\xfe{\x00}\x00",
    b'{"resperr":"\xb4\xfa"}',  # Big5
    b'{"a":"\n"}',
    b"\x00" * 100,
    b'callback({"respcd":"0000"})',
    b'{"respcd":"0000"}\x00',
    b"/* */{}",
]


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_what_is_not_one_proper_object_is_garbled(body: bytes) -> None:
    with pytest.raises(GatewayGarbled):
        read_json(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_garbled(body: bytes) -> None:
    with contextlib.suppress(GatewayGarbled):
        assert isinstance(read_json(body), dict)


@pytest.mark.parametrize(("opens", "ends"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_it_may_be_nineteen_levels_deep(opens: bytes, ends: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + opens * (levels - 1) + b"1" + ends * (levels - 1) + b"}"

    assert read_json(nested(19))
    with pytest.raises(GatewayGarbled, match="not a JSON object as we know them"):
        read_json(nested(20))


def test_a_number_may_have_300_places_before_or_after_its_point() -> None:
    for fits in (b"1e300", b"1e-300"):
        assert read_json(b'{"txamt":' + fits + b"}")
    for too_large in (b"1e301", b"1e-301"):
        with pytest.raises(GatewayGarbled):
            read_json(b'{"txamt":' + too_large + b"}")


def test_a_byte_order_mark_does_no_harm() -> None:
    assert read_json(b'\xef\xbb\xbf{"respcd":"0000"}') == {"respcd": "0000"}


def test_a_record_is_in_our_words() -> None:
    record = read_record(ITEM, "payment")
    assert (record.kind, record.out_trade_no, record.syssn) == ("payment", "ORD1", "20260301000200020000000001")
    assert (record.amount, record.currency, record.pay_type) == (8800, "HKD", "801514")
    assert (record.code, record.cancel, record.orig_syssn, record.mchid) == ("0000", "0", None, None)
    assert record.paid_at == datetime(2026, 3, 1, 10, 30, 44, tzinfo=UTC)
    assert record.system_at == datetime(2026, 3, 1, 10, 30, 1, tzinfo=UTC)
    assert record.says is Says.SUCCEEDED


def test_numbers_and_strings_alternate() -> None:
    numbers = {**ITEM, "txamt": 8800, "respcd": 0, "cancel": 0, "pay_type": 801514, "syssn": 20260301000200020000000001}
    assert read_record(numbers, "payment") == read_record(ITEM, "payment")


@pytest.mark.parametrize("value", [True, False, None, 1.5, [], {}, ["S1"]])
def test_what_is_neither_text_nor_a_number_is_absent(value: object) -> None:
    assert read_record({**ITEM, "syssn": value}, "payment").syssn == ""


@pytest.mark.parametrize("name", ["orig_syssn", "origssn"])
def test_the_payment_of_a_refund_has_two_names(name: str) -> None:
    assert read_record({**ITEM, "origssn": None, name: "S0"}, "refund").orig_syssn == "S0"


@pytest.mark.parametrize("value", [None, "", "1.5", "-1", "+1", "1e3", " 1", "１", "9" * 13, 1.5, True, [], {}, "HKD"])
def test_an_amount_that_is_none_equals_no_amount(value: object) -> None:
    assert read_record({**ITEM, "txamt": value}, "payment").amount is None


@pytest.mark.parametrize(
    "value", [None, "", "0", "2026-03-01", "2026-02-30 00:00:00", "0001-01-01 00:00:00", 5, [], {}]
)
def test_a_moment_that_is_none_is_absent(value: object) -> None:
    assert read_record({**ITEM, "paydtm": value}, "payment").paid_at is None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault of ours
@given(
    st.dictionaries(
        st.sampled_from(sorted(ITEM)), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
    )
)
def test_no_item_is_so_odd_that_it_cannot_be_read(fields: dict[str, Any]) -> None:
    assert read_record({**ITEM, **fields}, "payment").says in Says


@pytest.mark.parametrize(
    ("code", "cancel", "says"),
    [
        ("0000", "0", Says.SUCCEEDED),
        ("0000", "", Says.SUCCEEDED),
        ("0000", None, Says.SUCCEEDED),
        ("0000", 4, Says.SUCCEEDED),
        ("0000", "5", Says.SUCCEEDED),
        ("0000", 0, Says.SUCCEEDED),
        ("0000", 1, Says.RETURNED),
        ("0000", "1", Says.RETURNED),
        ("0000", "2", Says.RETURNED),
        ("0000", 3, Says.RETURNED),
        ("0000", "6", Says.PENDING),
        ("0000", "x", Says.PENDING),
        ("1143", "0", Says.PENDING),
        ("1145", "3", Says.PENDING),
        ("1298", "0", Says.PENDING),
        ("1161", "0", Says.PENDING),
        ("2999", "0", Says.PENDING),
        ("1142", "0", Says.CLOSED),
        ("1181", "0", Says.CLOSED),
        ("1263", "0", Says.CLOSED),
        ("1264", "0", Says.CLOSED),
        ("1201", "0", Says.FAILED),
        ("1294", "0", Says.FAILED),
        ("9999", "0", Says.PENDING),
        ("", "0", Says.PENDING),
        (None, "0", Says.PENDING),
        (False, "0", Says.PENDING),
    ],
)
def test_a_record_says_what_the_table_says(code: object, cancel: object, says: Says) -> None:
    assert read_record({**ITEM, "respcd": code, "cancel": cancel}, "payment").says is says


def test_a_flat_answer_stays_as_it_is() -> None:
    assert overlaid(ITEM) == ITEM


@pytest.mark.parametrize("data", [None, "", [], "x", 5])
def test_data_that_is_no_object_is_no_overlay(data: object) -> None:
    assert overlaid({**ITEM, "data": data})["txamt"] == "8800"


def test_a_data_object_lies_over_the_outer_fields() -> None:
    answer = {
        "respcd": "0000",
        "out_trade_no": "outer",
        "data": {"out_trade_no": "inner", "qf_trade_no": "S1", "txamt": 5},
    }
    record = read_record(overlaid(answer), "payment")
    assert (record.out_trade_no, record.syssn, record.amount, record.code) == ("inner", "S1", 5, "0000")


def test_what_is_empty_in_data_hides_nothing() -> None:
    assert overlaid({"txamt": "5", "data": {"txamt": "", "txcurrcd": None}})["txamt"] == "5"


@pytest.mark.parametrize(("outer", "inner"), [("0000", "1143"), ("1143", "0000"), ("1143", "1143")])
def test_of_two_codes_the_one_that_says_no_wins(outer: str, inner: str) -> None:
    assert overlaid({"respcd": outer, "data": {"respcd": inner}})["respcd"] == "1143"


def test_json_of_the_gateway_is_read_whole() -> None:
    assert (
        read_json(json.dumps({**ITEM, "resperr": "交易成功", "nested": {"a": [1, 2.5]}}).encode())["resperr"]
        == "交易成功"
    )
