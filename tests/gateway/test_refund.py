"""Sending money back ends in one of four outcomes, and only the gateway's own yes to this very refund is one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checkout.domain.refunding import NOTHING_LEFT
from checkout.domain.signing import sign_notification
from checkout.gateway.client import Gateway, NotSent, Refunded, RefundOrder, RefundOutcome, Refused, Unknown
from checkout.gateway.codes import MEANINGS, Class
from checkout.gateway.transport import SentNothing, SentUnanswered, Transport
from tests.gateway.faults import FaultServer, hangs
from tests.gateway.test_records import GARBLED
from tests.gateway.wire import LINKS, Wire

ORDER = RefundOrder(
    out_trade_no="REF20260301000002",
    payment_syssn="20260301000200020000000001",
    amount=3000,
    currency="HKD",
    created_at=datetime(2026, 3, 1, 10, 30, tzinfo=UTC),
)
ANSWER: dict[str, Any] = {
    "respcd": "0000",
    "resperr": "success",
    "syssn": "20260301000200020000000009",
    "orig_syssn": "20260301000200020000000001",
    "out_trade_no": "REF20260301000002",
    "txamt": "3000",
}
UNASKED = {Class.PEND, Class.STATE}


def refund(answer: dict[str, Any] | bytes, **wire: Any) -> RefundOutcome:
    return Wire(answer, **wire).gateway().refund(ORDER)


def test_what_goes_back_is_named_by_both_numbers() -> None:
    wire = Wire(ANSWER)
    assert wire.gateway("M1").refund(ORDER) == Refunded("20260301000200020000000009", json.dumps(ANSWER).encode())
    path, form, _ = wire.asked[0]
    assert path == "/trade/v1/refund"
    assert form == {
        "syssn": "20260301000200020000000001", "out_trade_no": "REF20260301000002", "txamt": "3000",
        "txdtm": "2026-03-01 18:30:00", "mchid": "M1",
    }  # fmt: skip


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_each_code_has_its_outcome(code: str) -> None:
    answer, meaning = ANSWER | {"respcd": code}, MEANINGS[code]
    raw = json.dumps(answer).encode()
    expected: RefundOutcome = Refused(code, meaning, "success", raw)
    if meaning.klass is Class.OK:
        expected = Refunded("20260301000200020000000009", raw)
    elif meaning.klass in UNASKED or code in NOTHING_LEFT:
        expected = Unknown(f"code {code}", raw, code)
    outcome = refund(answer)
    assert outcome == expected
    assert not isinstance(outcome, NotSent)
    assert outcome.raw == raw


@pytest.mark.parametrize("respcd", [None, "", False, [], "OK", "00000", "7777"])
def test_a_code_that_says_nothing_is_asked_about(respcd: object) -> None:
    """An unlisted one too: money may be on its way, other than when a payment is created."""
    answer = {**ANSWER, "respcd": respcd}
    told = "7777" if respcd == "7777" else "missing"
    assert refund(answer) == Unknown(f"code {told}", json.dumps(answer).encode())


def test_why_it_was_refused_may_stand_in_either_field() -> None:
    refused = refund({"respcd": "1271", "resperr": "", "respmsg": "已退款"})
    assert isinstance(refused, Refused)
    assert refused.message == "已退款"


def test_the_gateways_number_may_come_under_its_other_name() -> None:
    answer = {name: value for name, value in ANSWER.items() if name != "syssn"} | {"qf_trade_no": "2026"}
    assert refund(answer) == Refunded("2026", json.dumps(answer).encode())


def test_a_refund_is_waited_for_as_long_as_is_said_and_no_longer() -> None:
    with FaultServer(hangs) as silent:
        credentials = replace(Wire(ANSWER).gateway()._credentials, base_url=silent.url)
        outcome = Gateway(credentials, Transport(total_seconds=60), LINKS).refund(ORDER, seconds=2)
    assert isinstance(outcome, Unknown)
    assert outcome.silent
    assert "timeout" in outcome.reason.lower()


@pytest.mark.parametrize(
    "echo",
    [
        {"out_trade_no": "REF20260301000003"},
        {"orig_syssn": "20260301000200020000000002"},
        {"txcurrcd": "CNY"},
        {"txamt": "3001"},
        {"txamt": 30},
        {"data": {"txamt": "1"}},
        {"txamt": "30.00"},
        {"txamt": []},
        {"out_trade_no": {}},
    ],
)
def test_a_yes_to_something_else_is_suspicious(echo: dict[str, Any]) -> None:
    raw = json.dumps(ANSWER | echo).encode()
    assert refund(ANSWER | echo) == Unknown("the answer is for another refund", raw, suspicious=True)


@pytest.mark.parametrize("echo", [{"out_trade_no": ""}, {"out_trade_no": None}, {"txamt": ""}, {"txamt": None}])
def test_an_echo_that_is_missing_contradicts_nothing(echo: dict[str, Any]) -> None:
    assert isinstance(refund(ANSWER | echo), Refunded)


def test_an_inner_failure_is_no_outer_success() -> None:
    assert isinstance(refund(ANSWER | {"data": {"respcd": "1145"}}), Unknown)
    assert isinstance(refund(ANSWER | {"data": {"respcd": "1271"}}), Refused)


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_an_unreadable_answer_is_unknown(body: bytes) -> None:
    unknown = refund(body)
    assert isinstance(unknown, Unknown)
    assert unknown.raw == body
    assert unknown.reason.startswith(("not proper JSON", "not a JSON object")), "an operator reads it"


def test_only_what_provably_was_not_sent_is_not_sent() -> None:
    assert Wire(SentNothing("refused")).gateway().refund(ORDER) == NotSent("refused", silent=True)
    assert Wire(SentUnanswered("cut")).gateway().refund(ORDER) == Unknown("cut", silent=True)
    assert refund(ANSWER, status="429 X") == NotSent("http 429")
    assert refund(ANSWER, status="302 X") == Unknown("http 302", json.dumps(ANSWER).encode())
    assert refund(ANSWER, status="503 X") == Unknown("http 503", json.dumps(ANSWER).encode(), silent=True)


@pytest.mark.parametrize("strict", [False, True])
def test_a_yes_with_a_wrong_signature_is_no_answer_where_signatures_are_strict(strict: bool) -> None:
    wire = Wire(ANSWER, headers=(("X-QF-SIGN", "0" * 32),))
    lenient = wire.gateway()
    gateway = Gateway(lenient._credentials, lenient._transport, LINKS, strict_signatures=strict)
    if strict:
        assert gateway.refund(ORDER) == Unknown("the signature of the answer does not match", silent=True)
    else:
        assert isinstance(gateway.refund(ORDER), Refunded)


def test_a_right_signature_is_enough_for_the_strict() -> None:
    right = sign_notification(json.dumps(ANSWER).encode(), Wire(ANSWER).gateway()._credentials.client_key)
    lenient = Wire(ANSWER, headers=(("X-QF-SIGN", right),)).gateway()
    strict = Gateway(lenient._credentials, lenient._transport, LINKS, strict_signatures=True)
    assert isinstance(strict.refund(ORDER), Refunded)


def test_a_refund_against_the_rules_is_our_mistake_and_is_not_sent() -> None:
    wire = Wire(ANSWER)
    for wrong in ({"amount": 0}, {"amount": -1}, {"out_trade_no": "A-1"}):
        with pytest.raises(ValueError, match=r"out_trade_no|amount"):
            wire.gateway().refund(replace(ORDER, **wrong))
    assert not wire.asked


@pytest.mark.parametrize("syssn", ["9" * 65, "2026\0", "\ud800", [], None])
def test_a_refund_without_a_number_that_can_be_kept_is_a_refund_all_the_same(syssn: object) -> None:
    outcome = Wire(json.dumps(ANSWER | {"syssn": syssn}).encode()).gateway("M1").refund(ORDER)
    assert isinstance(outcome, Refunded)
    assert outcome.syssn == ""
