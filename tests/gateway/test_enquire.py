"""An enquiry lists what the gateway knows of our numbers, and nothing else."""

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from checkout.domain.errors import GatewayError, GatewayGarbled, GatewayRefused, GatewayUnreachable
from checkout.domain.signing import sign_request
from checkout.gateway.client import PAGE_SIZE, Gateway, Says, Window
from checkout.gateway.codes import MEANINGS
from checkout.gateway.months import HONG_KONG
from checkout.gateway.transport import SentNothing, SentUnanswered, Transport
from tests.gateway.faults import FaultServer, hangs
from tests.gateway.test_records import GARBLED, ITEM
from tests.gateway.wire import KEY, LINKS, Wire

MARCH = Window(datetime(2026, 3, 1, tzinfo=HONG_KONG), datetime(2026, 3, 31, 23, 59, 59, tzinfo=HONG_KONG))


def page(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"respcd": "0000", "resperr": "", "respmsg": "", "page": 1, "page_size": "100", "data": [*items], **fields}


def full_page(start: int) -> dict[str, Any]:
    return page(*({**ITEM, "syssn": f"S{start + number}"} for number in range(PAGE_SIZE)))


def test_several_numbers_are_one_signed_call() -> None:
    wire = Wire(page())
    wire.gateway("M1").enquire(["ORD1", "ORD2"], None)
    path, form, environ = wire.asked[0]
    assert path == "/trade/v1/query"
    assert form == {"out_trade_no": "ORD1,ORD2", "page": "1", "page_size": str(PAGE_SIZE), "mchid": "M1"}
    assert environ["HTTP_X_QF_SIGN"] == sign_request(form, KEY, "sha256")


def test_a_window_is_named_in_hong_kong_time() -> None:
    wire = Wire(page())
    wire.gateway().enquire(["ORD1"], MARCH)
    assert (wire.form["start_time"], wire.form["end_time"]) == ("2026-03-01 00:00:00", "2026-03-31 23:59:59")


def test_every_record_of_a_number_is_kept() -> None:
    items = [{**ITEM, "respcd": "1181", "syssn": "S1"}, {**ITEM, "syssn": "S2"}, {**ITEM, "syssn": "S3"}]
    refund = {**ITEM, "out_trade_no": "REF1", "order_type": "refund", "origssn": "S2", "syssn": "S4"}
    enquiry = Wire(page(*items, refund)).gateway().enquire(["ORD1", "REF1"], None)
    assert [(one.syssn, one.kind, one.says) for one in enquiry.records] == [
        ("S1", "payment", Says.CLOSED),
        ("S2", "payment", Says.SUCCEEDED),
        ("S3", "payment", Says.SUCCEEDED),
        ("S4", "refund", Says.SUCCEEDED),
    ]


def test_records_that_are_not_ours_are_dropped() -> None:
    foreign = [{**ITEM, "out_trade_no": other} for other in ("ORD", "ORD10", "ord1", "", None, "ORD1,ORD2")]
    other_merchant = {**ITEM, "mchid": "M2"}
    enquiry = Wire(page(*foreign, other_merchant, {**ITEM, "mchid": "M1"})).gateway("M1").enquire(["ORD1"], None)
    assert [one.mchid for one in enquiry.records] == ["M1"]


def test_without_an_own_mchid_any_is_taken() -> None:
    assert Wire(page({**ITEM, "mchid": "M2"})).gateway().enquire(["ORD1"], None).records


@pytest.mark.parametrize("data", [[], None, ""])
def test_no_record_is_an_answer_too(data: object) -> None:
    assert Wire(page(data=data)).gateway().enquire(["ORD1"], None).records == ()


def test_pages_are_turned_until_one_is_not_full() -> None:
    wire = Wire(full_page(0), full_page(PAGE_SIZE), page({**ITEM, "syssn": "last"}))
    enquiry = wire.gateway().enquire(["ORD1"], None)
    assert len(enquiry.records) == 2 * PAGE_SIZE + 1
    assert [form["page"] for _, form, _ in wire.asked] == ["1", "2", "3"]
    assert enquiry.raw.splitlines() == [
        json.dumps(one).encode() for one in (full_page(0), full_page(PAGE_SIZE), page({**ITEM, "syssn": "last"}))
    ]


def test_a_gateway_that_does_not_turn_pages_is_asked_twice_and_no_more() -> None:
    wire = Wire(full_page(0))
    assert len(wire.gateway().enquire(["ORD1"], None).records) == PAGE_SIZE
    assert len(wire.asked) == 2


def test_an_enquiry_without_end_is_given_up() -> None:
    wire = Wire(*(full_page(PAGE_SIZE * number) for number in range(50)))
    with pytest.raises(GatewayGarbled, match=r"^an enquiry without end"):
        wire.gateway().enquire(["ORD1"], None)
    assert len(wire.asked) == 20


def test_the_outer_success_is_never_a_records() -> None:
    bare = {name: value for name, value in ITEM.items() if name != "respcd"}
    for data in ([bare], bare, [{**ITEM, "respcd": "1143"}], [{**ITEM, "respcd": None}]):
        records = Wire(page(data=data)).gateway().enquire(["ORD1"], None).records
        assert [one.says for one in records] == [Says.PENDING]


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_an_unreadable_answer_is_garbled(body: bytes) -> None:
    with pytest.raises(GatewayGarbled):
        Wire(body).gateway().enquire(["ORD1"], None)


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        ({}, "without a code"),
        ({"data": []}, "without a code"),
        ({"respcd": "0000"}, "without data"),
        (page(respcd=None), "without a code"),
        (page(respcd="OK"), "without a code"),
        (page(data="x"), "lists no records"),
        (page(data=5), "lists no records"),
        (page("x"), "lists no records"),
        (page(None), "lists no records"),
    ],
)
def test_an_answer_of_another_shape_is_garbled(answer: dict[str, Any], lacks: str) -> None:
    with pytest.raises(GatewayGarbled, match=f"^an enquiry's answer {lacks}$"):
        Wire(answer).gateway().enquire(["ORD1"], None)


@pytest.mark.parametrize(
    ("wire", "error", "told"),
    [
        (Wire(SentNothing("x")), GatewayUnreachable, "x"),
        (Wire(SentUnanswered("x")), GatewayUnreachable, "x"),
        (Wire(page(), status="500 X"), GatewayUnreachable, "http 500"),
        (Wire(page(), status="503 X"), GatewayUnreachable, "http 503"),
        (Wire(page(), status="302 X"), GatewayGarbled, "http 302"),
        (Wire(page(), status="404 X"), GatewayGarbled, "http 404"),
        (Wire(page(), status="429 X"), GatewayRefused, "429 too many calls"),
        (Wire(page(respcd="1108")), GatewayRefused, "1108 " + MEANINGS["1108"].text),
        (Wire(page({**ITEM}, respcd="1143")), GatewayRefused, "1143 " + MEANINGS["1143"].text),
    ],
)
def test_a_call_that_fails_says_nothing_about_any_payment(wire: Wire, error: type[GatewayError], told: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(told)}$"):
        wire.gateway().enquire(["ORD1"], None)


@pytest.mark.parametrize(("wire", "code"), [(Wire(b"", status="429 X"), "429"), (Wire(page(respcd=1108)), "1108")])
def test_a_refusal_has_its_code(wire: Wire, code: str) -> None:
    with pytest.raises(GatewayRefused) as refused:
        wire.gateway().enquire(["ORD1"], None)
    assert refused.value.code == code


def test_an_enquiry_out_of_time_is_not_begun() -> None:
    wire = Wire(page())
    with pytest.raises(GatewayUnreachable, match=r"^no time is left"):
        wire.gateway().enquire(["ORD1"], None, deadline=0)
    assert not wire.asked


def test_an_enquiry_ends_in_time_while_nobody_answers() -> None:
    with FaultServer(hangs) as silent:
        credentials = replace(Wire(page()).gateway()._credentials, base_url=silent.url)
        gateway = Gateway(credentials, Transport(total_seconds=60), LINKS)
        with pytest.raises(GatewayUnreachable, match=r"(?i)timeout"):
            gateway.enquire(["ORD1"], None, deadline=2)


@pytest.mark.parametrize(("sent", "kind"), [("refund", "refund"), ("payment", "payment"), ("", "payment")])
def test_a_record_that_does_not_say_what_it_is_is_a_payment(sent: str, kind: str) -> None:
    (record,) = Wire(page({**ITEM, "order_type": sent})).gateway().enquire(["ORD1"], None).records
    assert record.kind == kind
