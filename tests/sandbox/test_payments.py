"""A payment call orders, a wallet scans and pays, an enquiry finds records."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from checkout.domain.signing import sign_request
from sandbox.facts import stamp
from tests.sandbox.cast import Merchant


@pytest.mark.parametrize(
    ("pay_type", "way", "shape"),
    [
        ("801101", "pay_url", r"http://127\.0\.0\.1:8000/sandbox/wallet/[\w-]{22}\?service=create_forex_trade&.+"),
        ("801514", "pay_url", r"http://127\.0\.0\.1:8000/sandbox/wallet/[\w-]{22}\?service=create_forex_trade&.+"),
        ("801107", "pay_url", r".+\?service=create_forex_trade_wap&.+&timeout_rule=30m&.+"),
        ("801512", "pay_url", r".+\?service=create_forex_trade_wap&.+&timeout_rule=30m&.+"),
        ("801501", "qrcode", r"http://127\.0\.0\.1:8000/sandbox/wallet/[\w-]{22}"),
        ("800101", "qrcode", r"http://127\.0\.0\.1:8000/sandbox/wallet/[\w-]{22}"),
    ],
)
def test_each_pay_type_has_its_way_to_the_wallet(bo: Merchant, pay_type: str, way: str, shape: str) -> None:
    answer = bo.order(pay_type=pay_type)
    assert re.fullmatch(shape, answer[way])
    assert {"pay_url", "qrcode", "pay_params"} & answer.keys() == {way}
    if way == "pay_url":
        assert 300 <= len(answer[way]) <= 560


def test_inside_alipay_the_way_is_a_trade_number(bo: Merchant) -> None:
    answer = bo.order(pay_type="800107", openid="2088000000000001")
    trade_number = answer["pay_params"]["tradeNO"]
    assert re.fullmatch(r"20260315\d{20}", trade_number)
    assert bo.app.test_client().get(f"/wallet/{trade_number}").status_code == 200


def test_an_answer_is_flat_and_all_text(bo: Merchant) -> None:
    answer = bo.order(out_trade_no="A")
    assert all(isinstance(value, str) for value in answer.values())
    assert re.fullmatch(r"20260315\d{18}", answer["syssn"])
    echoed = {name: answer[name] for name in ("out_trade_no", "txamt", "txcurrcd", "pay_type", "udid", "txdtm")}
    assert echoed == {
        "out_trade_no": "A",
        "txamt": "8800",
        "txcurrcd": "HKD",
        "pay_type": "801514",
        "udid": "qiantai2",
        "txdtm": "2026-03-15 12:00:00",
    }
    assert answer["paydtm"] == answer["sysdtm"] == "2026-03-15 12:00:00"


def test_there_is_no_record_until_the_code_is_opened(bo: Merchant) -> None:
    answer = bo.order(out_trade_no="A")
    assert bo.records("A") == []

    bo.app.test_client().get(bo.wallet(answer))
    assert bo.codes("A") == ["1143"]
    assert bo.records("A")[0]["syssn"] == answer["syssn"]


def test_a_record_follows_the_shopper(bo: Merchant) -> None:
    first = bo.order(out_trade_no="A")["syssn"]
    assert bo.ledger.decline("A").syssn == first
    assert bo.codes("A") == ["1201"]

    second = bo.ledger.pay("A").syssn
    assert second != first
    assert bo.codes("A") == ["0000", "1201"]  # newest first
    with pytest.raises(ValueError, match="paid already"):
        bo.ledger.pay("A")


@pytest.mark.parametrize(("pay_type", "minutes"), [("801101", 10), ("801501", 10), ("801514", 30)])
def test_a_code_ends_when_its_pay_type_heeds_the_time(bo: Merchant, pay_type: str, minutes: int) -> None:
    answer = bo.order(out_trade_no="A", pay_type=pay_type, expired_time="10")
    bo.app.test_client().get(bo.wallet(answer))
    bo.clock.pass_by(minutes=minutes, seconds=-1)
    assert bo.codes("A") == ["1143"]
    bo.clock.pass_by(seconds=1)
    assert bo.codes("A") == ["1181"]


def test_an_order_never_opened_leaves_nothing(bo: Merchant) -> None:
    answer = bo.order(out_trade_no="A")
    bo.clock.pass_by(minutes=31)
    assert b"has expired" in bo.app.test_client().get(bo.wallet(answer)).data
    assert bo.records("A") == []


def test_truth_may_come_late(bo: Merchant) -> None:
    bo.order(out_trade_no="A")
    bo.ledger.pay("A", bo.clock() + timedelta(hours=25))
    bo.clock.pass_by(hours=26)
    assert bo.codes("A") == ["0000"]
    assert bo.records("A")[0]["paydtm"] == "2026-03-16 13:00:00"


def test_an_enquiry_finds_several_numbers_newest_first(bo: Merchant) -> None:
    for number in ("A", "B", "C"):
        bo.order(out_trade_no=number)
        bo.ledger.pay(number)
        bo.clock.pass_by(seconds=5)

    assert [record["out_trade_no"] for record in bo.query(out_trade_no="A,C,unknown")["data"]] == ["C", "A"]
    syssns = [record["syssn"] for record in bo.query(out_trade_no="A,B,C")["data"]]
    assert [record["syssn"] for record in bo.query(syssn=",".join(syssns[1:]))["data"]] == syssns[1:]


def test_an_enquiry_pages_and_filters(bo: Merchant) -> None:
    numbers = [f"P{index}" for index in range(12)]
    for number in numbers:
        bo.order(out_trade_no=number, pay_type="801501" if number == "P3" else "801514")
        bo.ledger.pay(number) if number != "P5" else bo.ledger.decline(number)

    asked = {"out_trade_no": ",".join(numbers)}
    assert len(bo.query(**asked)["data"]) == 10
    assert len(bo.query(**asked, page="2")["data"]) == 2
    assert len(bo.query(**asked, page_size="100")["data"]) == 12
    assert (bo.query(**asked, page="2")["page"], bo.query(**asked)["page_size"]) == (2, 10)
    assert [record["out_trade_no"] for record in bo.query(**asked, pay_type="801501")["data"]] == ["P3"]
    assert [record["out_trade_no"] for record in bo.query(**asked, respcd="1201")["data"]] == ["P5"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"page": "1"},
        {"pay_type": "801514"},
        {"end_time": "2026-03-01 00:00:00"},
        {"start_time": "2026-03-01 00:00:00"},
        {"start_time": "2026-02-28 00:00:00", "end_time": "2026-03-01 00:00:00"},
        {"start_time": "2026-03-02 00:00:00", "end_time": "2026-03-01 00:00:00"},
        {"start_time": "2026-03-01", "end_time": "2026-03-02"},
        {"out_trade_no": "A", "page_size": "101"},
        {"out_trade_no": "A", "page": "0"},
        {"out_trade_no": "A,,B"},
        {"out_trade_no": "A", "txamt": "1"},
    ],
)
def test_an_enquiry_must_make_sense(bo: Merchant, params: dict[str, str]) -> None:
    assert bo.query(**params)["respcd"] == "1104"


def test_without_bounds_only_this_month_is_searched(bo: Merchant) -> None:
    bo.clock.now = datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC)  # the last second of March in Hong Kong
    answer = bo.order(out_trade_no="A")
    bo.ledger.pay("A")
    assert bo.codes("A") == ["0000"]

    bo.clock.pass_by(seconds=1)
    assert bo.records("A") == []
    assert bo.query(syssn=answer["syssn"])["data"] == []
    march = {"start_time": "2026-03-31 00:00:00", "end_time": "2026-03-31 23:59:59"}
    assert [record["respcd"] for record in bo.query(out_trade_no="A", **march)["data"]] == ["0000"]
    assert len(bo.query(**march)["data"]) == 1


def test_merchants_find_only_their_own(bo: Merchant) -> None:
    bo.order(out_trade_no="A")
    bo.ledger.pay("A")
    params = {"out_trade_no": "A"}
    headers = {"X-QF-APPCODE": "APP2", "X-QF-SIGN": sign_request(params, "another key", "sha256")}
    assert bo.ask("query", params, headers=headers)["data"] == []


def test_refunds_are_records_of_their_own(bo: Merchant) -> None:
    bo.order(out_trade_no="A")
    paid = bo.ledger.pay("A")
    answer = bo.refund(paid.syssn, "3000", number="R1x")
    assert (answer["respcd"], answer["orig_syssn"], answer["txamt"]) == ("0000", paid.syssn, "3000")
    assert bo.records("A")[0]["cancel"] == "5"
    [refund] = bo.records("R1x")
    assert (refund["order_type"], refund["origssn"], refund["txamt"]) == ("refund", paid.syssn, "3000")

    bo.clock.pass_by(seconds=3)
    assert bo.refund(paid.syssn, "5801")["respcd"] == "1272"
    assert bo.refund(paid.syssn, "5800")["respcd"] == "0000"
    assert bo.records("A")[0]["cancel"] == "3"
    assert bo.refund(paid.syssn, "1")["respcd"] == "1262"


def test_a_quick_second_refund_finds_the_first_still_being_processed(bo: Merchant) -> None:
    for number in ("A", "B"):
        bo.order(out_trade_no=number)
    one, other = bo.ledger.pay("A"), bo.ledger.pay("B")
    assert bo.refund(one.syssn, "100")["respcd"] == "0000"
    bo.clock.pass_by(seconds=2)
    answer = bo.refund(one.syssn, "100", number="R2x")
    assert (answer["respcd"], answer["resperr"]) == ("1145", "syssn: another refund of it is still being processed")
    assert bo.records("R2x") == []
    assert bo.refund(other.syssn, "100")["respcd"] == "0000"
    bo.clock.pass_by(seconds=1)
    assert bo.refund(one.syssn, "100", number="R2x")["respcd"] == "0000"


def test_only_what_is_paid_is_refunded(bo: Merchant) -> None:
    answer = bo.order(out_trade_no="A")
    assert bo.refund(answer["syssn"], "100")["respcd"] == "1268"
    declined = bo.ledger.decline("A")
    assert bo.refund(declined.syssn, "100")["respcd"] == "1261"


@pytest.mark.parametrize(
    ("wall", "code"), [("23:29", "0000"), ("23:30", "1265"), ("00:00", "1265"), ("00:29", "1265"), ("00:30", "0000")]
)
def test_no_refunds_around_midnight_in_hong_kong(bo: Merchant, wall: str, code: str) -> None:
    bo.order(out_trade_no="A")
    paid = bo.ledger.pay("A")
    bo.clock.now = datetime.fromisoformat(f"2026-03-16T{wall}:00+08:00")
    assert bo.refund(paid.syssn, "100")["respcd"] == code


@pytest.mark.parametrize(("verb", "pay_type"), [("close", "801514"), ("reversal", "801501"), ("reversal", "800101")])
def test_an_unpaid_order_can_be_withdrawn(bo: Merchant, verb: str, pay_type: str) -> None:
    answer = bo.order(out_trade_no="A", pay_type=pay_type)
    bo.app.test_client().get(bo.wallet(answer))
    undo = {"out_trade_no": "A", "txamt": "8800", "txdtm": answer["txdtm"]}
    assert bo.ask(verb, undo)["respcd"] == "0000"
    assert bo.codes("A") == ["1142"]
    page = bo.app.test_client().post(bo.wallet(answer), data={"action": "pay"})
    assert (page.status_code, b"withdrawn" in page.data) == (409, True)


@pytest.mark.parametrize(("verb", "pay_type"), [("close", "801514"), ("reversal", "801501")])
def test_what_has_ended_cannot_be_withdrawn(bo: Merchant, verb: str, pay_type: str) -> None:
    orders = {number: bo.order(out_trade_no=number, pay_type=pay_type) for number in ("A", "B")}
    undo = {number: {"out_trade_no": number, "txamt": "8800", "txdtm": orders[number]["txdtm"]} for number in orders}
    assert [bo.ask(verb, undo["A"])["respcd"] for _ in range(2)] == ["0000", "1142"]
    bo.clock.pass_by(minutes=30)
    assert bo.ask(verb, undo["A"])["respcd"] == "1142"
    assert bo.ask(verb, undo["B"])["respcd"] == "1181"


@pytest.mark.parametrize(
    ("verb", "changes", "code"),
    [
        ("close", {"out_trade_no": "Z"}, "1268"),
        ("close", {"txamt": "8801"}, "1266"),
        ("close", {"txdtm": "2026-03-15 12:00:01"}, "1267"),
        ("reversal", {}, "1297"),
    ],
)
def test_a_withdrawal_must_fit_its_order(bo: Merchant, verb: str, changes: dict[str, str], code: str) -> None:
    bo.order(out_trade_no="A")
    undo = {"out_trade_no": "A", "txamt": "8800", "txdtm": stamp(bo.clock())}
    assert bo.ask(verb, undo | changes)["respcd"] == code


def test_what_is_paid_is_not_withdrawn(bo: Merchant) -> None:
    answer = bo.order(out_trade_no="A")
    bo.ledger.pay("A")
    undo = {"syssn": answer["syssn"], "txamt": "8800", "txdtm": answer["txdtm"]}
    assert bo.ask("close", undo)["respcd"] == "1260"
    assert bo.codes("A") == ["0000"]
