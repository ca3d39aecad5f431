"""Each scenario does what its table says, however it was asked for."""

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox import MAGIC_AMOUNTS, TRICKS, Scenario, Trouble, deliver_due
from tests.sandbox.cast import Ear, Merchant, SandboxMaker
from tests.wsgi import session_to

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AMOUNT_OF = {scenario: str(amount) for amount, scenario in MAGIC_AMOUNTS.items()}


def test_every_scenario_can_be_asked_for_in_every_way() -> None:
    assert {trick.scenario for trick in TRICKS} == set(Scenario)
    assert len({trick.amount for trick in TRICKS}) == len({trick.words for trick in TRICKS}) == len(TRICKS)
    assert all(len(trick.words) <= 20 for trick in TRICKS)


@pytest.mark.parametrize(
    "asked",
    [{"txamt": "55518"}, {"txamt": "1255518"}, {"goods_name": "Try no pay url"}],
    ids=["amount", "larger", "words"],
)
def test_an_order_asks_for_its_scenario(bo: Merchant, asked: dict[str, str]) -> None:
    assert "pay_url" not in bo.order(**asked)


def test_tests_ask_for_a_scenario(bo: Merchant) -> None:
    admin = bo.app.test_client()
    assert admin.post("/admin/scenario", json={"next": "no_pay_url"}).status_code == 200
    assert "pay_url" not in bo.order()
    assert "pay_url" in bo.order()

    admin.post("/admin/scenario", json={"out_trade_no": "A", "scenario": "no_pay_url"})
    assert "pay_url" in bo.order(out_trade_no="B")
    assert "pay_url" not in bo.order(out_trade_no="A")

    admin.post("/admin/scenario", json={"out_trade_no": "B", "scenario": "wrong_amount"})
    bo.ledger.pay("B")
    assert bo.records("B")[0]["txamt"] == "8799"


@pytest.mark.parametrize("wrong", [{"next": "nothing"}, {"out_trade_no": "A"}, {}, []])
def test_an_unknown_scenario_is_refused(bo: Merchant, wrong: object) -> None:
    assert bo.app.test_client().post("/admin/scenario", json=wrong).status_code == 422
    assert bo.app.test_client().post("/admin/scenario", data={"next": "slow"}).status_code == 415


@pytest.mark.parametrize(
    ("scenario", "error"), [("never_answers", requests.ReadTimeout), ("lost_answer", requests.ConnectionError)]
)
def test_an_order_is_taken_although_its_answer_is_lost(
    bo: Merchant, scenario: Scenario, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bo.order(out_trade_no="A", txamt=AMOUNT_OF[scenario])
    bo.ledger.pay("A")
    assert bo.codes("A") == ["0000"]


def test_a_slow_answer_takes_its_time(make_sandbox: SandboxMaker) -> None:
    waited: list[float] = []
    bo = make_sandbox(pause=waited.append)
    assert bo.order(txamt="55503")["respcd"] == "0000"
    assert waited == [4.0]


@pytest.mark.parametrize(("scenario", "lag"), [("pending_1143", "1143"), ("processing_1145", "1145")])
def test_the_gateway_may_notice_late(bo: Merchant, ear: Ear, scenario: Scenario, lag: str) -> None:
    bo.order(out_trade_no="A", txamt=AMOUNT_OF[scenario])
    bo.ledger.pay("A")
    bo.clock.pass_by(seconds=19)
    assert bo.codes("A") == [lag]
    assert deliver_due(bo.app, bo.clock()) == []
    bo.clock.pass_by(seconds=1)
    assert bo.codes("A") == ["0000"]
    assert len(deliver_due(bo.app, bo.clock())) == 1


@pytest.mark.parametrize(
    ("scenario", "name", "value"),
    [
        ("wrong_amount", "txamt", "55505"),
        ("wrong_currency", "txcurrcd", "AED"),
        ("wrong_pay_type", "pay_type", "801101"),
        ("returned", "cancel", "3"),
    ],
)
def test_a_paid_record_may_differ_from_the_order(
    bo: Merchant, ear: Ear, scenario: Scenario, name: str, value: str
) -> None:
    bo.order(out_trade_no="A", txamt=AMOUNT_OF[scenario])
    bo.ledger.pay("A")
    [record] = bo.records("A")
    assert (record["respcd"], record[name]) == ("0000", value)
    [sent] = deliver_due(bo.app, bo.clock())
    assert json.loads(sent.body)[name] == value


@pytest.mark.parametrize(("scenario", "copies"), [("duplicate_notification", 3), ("notification_lost", 0)])
def test_notifications_may_repeat_or_fail(bo: Merchant, ear: Ear, scenario: Scenario, copies: int) -> None:
    bo.order(out_trade_no="A", txamt=AMOUNT_OF[scenario])
    bo.ledger.pay("A")
    deliver_due(bo.app, bo.clock())
    assert len(ear.heard) == copies
    assert len({heard.get_data() for heard in ear.heard}) <= 1


def test_a_notification_may_come_before_the_answer(make_sandbox: SandboxMaker) -> None:
    order_of_events: list[str] = []

    class Early(Ear):
        def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            order_of_events.append("told")
            return super().__call__(environ, start_response)

    bo = make_sandbox(http=session_to(Early()))
    assert bo.order(out_trade_no="A", txamt="55511")["respcd"] == "0000"
    order_of_events.append("answered")
    assert order_of_events == ["told", "answered"]
    assert deliver_due(bo.app, bo.clock()) == []


@pytest.mark.parametrize(
    ("scenario", "code", "records"),
    [("refused_1104", "1104", []), ("not_enough_balance", "1201", ["1201"]), ("busy_1298", "1298", ["1298"])],
)
def test_a_payment_call_may_be_refused(bo: Merchant, scenario: Scenario, code: str, records: list[str]) -> None:
    answer = bo.order(out_trade_no="A", txamt=AMOUNT_OF[scenario])
    assert answer["respcd"] == code
    assert not answer.keys() & {"pay_url", "syssn"}
    assert bo.codes("A") == records


@pytest.mark.parametrize(
    ("scenario", "status", "start"),
    [("http_500", 500, b"Internal"), ("html_answer", 200, b"<!doctype"), ("garbage_json", 200, b'{"respcd": "0000", ')],
)
def test_an_answer_may_be_spoilt(bo: Merchant, scenario: Scenario, status: int, start: bytes) -> None:
    answer = bo.call("payment", bo.form(out_trade_no="A", txamt=AMOUNT_OF[scenario]))
    assert (answer.status_code, answer.data.startswith(start)) == (status, True)
    assert bo.ledger.order("A").scenario == scenario


def test_a_pay_url_may_be_evil_and_an_echo_wrong(bo: Merchant) -> None:
    assert bo.order(txamt="55519")["pay_url"].startswith("javascript:")
    assert bo.order(txamt="55519", pay_type="801501")["qrcode"].startswith("javascript:")
    assert bo.order(txamt="55523")["txamt"] == "55522"


def test_two_scans_of_one_code_may_both_be_paid(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A", txamt="55520"))
    phones = [bo.app.test_client() for _ in range(2)]
    scans = [re.search(r'name="scan" value="(\d+)"', phone.get(path).text) for phone in phones]
    for phone, scan in zip(phones, scans, strict=True):
        assert scan
        assert phone.post(path, data={"action": "pay", "scan": scan[1]}).status_code == 303
    assert bo.codes("A") == ["0000", "0000"]
    assert len({record["syssn"] for record in bo.records("A")}) == 2
    bo.ledger.pay("A")
    assert len(bo.ledger.order("A").payments) == 3


def test_one_press_may_pay_twice(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A", txamt="55521"))
    bo.app.test_client().post(path, data={"action": "pay"})
    assert bo.codes("A") == ["0000", "0000"]
    assert len(bo.ledger.notices("A")) == 2
    assert bo.app.test_client().post(path, data={"action": "pay"}).status_code == 409


def test_a_wallet_may_pay_after_the_end(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A", txamt="55524"))
    bo.app.test_client().get(path)
    bo.clock.pass_by(hours=3)
    assert bo.codes("A") == ["1181"]
    bo.app.test_client().post(path, data={"action": "pay"})
    assert bo.codes("A") == ["0000"]


def test_refunds_have_scenarios_too(bo: Merchant, ear: Ear) -> None:
    bo.order(out_trade_no="A", txamt="55525")
    assert bo.refund(bo.ledger.pay("A").syssn, "100", number="R1x")["respcd"] == "1269"
    assert bo.records("R1x") == []

    bo.order(out_trade_no="B", txamt="55526")
    assert bo.refund(bo.ledger.pay("B").syssn, "100", number="R2x")["respcd"] == "1145"
    assert bo.codes("R2x") == ["1145"]
    bo.clock.pass_by(seconds=20)
    assert bo.codes("R2x") == ["0000"]

    bo.order(out_trade_no="C")
    bo.ledger.set_scenario("R3x", Scenario.LOST_ANSWER)
    with pytest.raises(requests.ConnectionError):
        bo.refund(bo.ledger.pay("C").syssn, "100", number="R3x")
    assert bo.codes("R3x") == ["0000"]


@pytest.mark.parametrize("code", ["1146", "1264", "1296", "1297"])
def test_a_refund_may_be_done_although_its_answer_says_no(bo: Merchant, ear: Ear, code: str) -> None:
    bo.order(out_trade_no="A", txamt=AMOUNT_OF[Scenario(f"refund_done_{code}")])
    answer = bo.refund(bo.ledger.pay("A").syssn, "100", number="R1x")
    assert (answer["respcd"], "syssn" in answer) == (code, False)
    assert bo.codes("R1x") == ["0000"]
    assert bo.records("A")[0]["cancel"] == "5"


def test_a_busy_bank_refunds_nothing(bo: Merchant, ear: Ear) -> None:
    bo.order(out_trade_no="A", goods_name="try no refund 1297")
    syssn = bo.ledger.pay("A").syssn
    assert bo.refund(syssn, "100", number="R1x")["respcd"] == "1297"
    assert bo.records("R1x") == []
    bo.ledger.set_scenario("A", Scenario.REFUND_PROCESSING)
    assert bo.refund(syssn, "100", number="R1x")["respcd"] == "1145"  # the number was not used


@pytest.mark.parametrize(("asked", "code"), [(None, "1262"), ("refunded_1125", "1125"), ("refunded_1264", "1264")])
def test_what_is_refunded_is_called_so_in_three_ways(bo: Merchant, ear: Ear, asked: str | None, code: str) -> None:
    bo.order(out_trade_no="A", txamt=AMOUNT_OF[Scenario(asked)] if asked else "8800")
    paid = bo.ledger.pay("A")
    assert bo.refund(paid.syssn, str(paid.amount))["respcd"] == "0000"
    assert bo.refund(paid.syssn, "1", number="R2x")["respcd"] == code
    assert bo.records("R2x") == []


@pytest.mark.parametrize(("fault", "status"), [("http_500", 500), ("http_429", 429), ("garbage", 200), ("html", 200)])
def test_calls_can_be_made_to_fail_without_effect(bo: Merchant, fault: str, status: int) -> None:
    admin = bo.app.test_client()
    assert admin.post("/admin/fault", json={"path": "/trade/v1/payment", "count": 2, "fault": fault}).status_code == 200
    answers = [bo.call("payment", bo.form(out_trade_no="A")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert json.loads(answers[2].data)["respcd"] == "0000"
    assert [call.answer for call in bo.ledger.calls("/trade/v1/payment")] == [fault, fault, "0000"]


def test_an_enquiry_can_hang(bo: Merchant) -> None:
    bo.ledger.inject("/trade/v1/query", Trouble.HANG)
    with pytest.raises(requests.ReadTimeout):
        bo.query(out_trade_no="A")
    assert bo.query(out_trade_no="A")["respcd"] == "0000"


def test_the_ledger_shows_everything(bo: Merchant) -> None:
    bo.order(out_trade_no="A", goods_name="Tea")
    bo.ledger.pay("A")
    bo.query(out_trade_no="A")
    [order] = bo.ledger.orders()
    assert (order.out_trade_no, order.amount, [record.respcd for record in order.payments]) == ("A", 8800, ["0000"])
    assert [(call.path, call.answer, call.params["out_trade_no"]) for call in bo.ledger.calls()] == [
        ("/trade/v1/payment", "0000", "A"),
        ("/trade/v1/query", "0000", "A"),
    ]
    shown = json.loads(bo.app.test_client().get("/admin/ledger").data)
    assert shown["orders"][0]["records"][0]["syssn"] == order.syssn
    assert (len(shown["calls"]), len(shown["notices"])) == (2, 1)
    page = bo.app.test_client().get("/").text
    assert f"/wallet/{order.token}" in page
    assert "55501" in page
