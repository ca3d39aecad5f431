"""The sandbox tells of successes as QFPay does: signed over the raw body, again and again until SUCCESS."""

import json
from datetime import timedelta

import pytest
from werkzeug.wrappers import Response

from checkout.domain.signing import sign_notification
from sandbox import Credential, deliver_due
from tests.sandbox.cast import KEY, Ear, Merchant, SandboxMaker
from tests.sandbox.test_checks import VECTORS

ESCAPED = next(vector for vector in VECTORS["notifications"] if vector["id"] == "ntf-payment-escaped")
MINUTES = (2, 10, 10, 60, 120, 360, 900)


def test_a_payment_is_told_in_qfpays_own_spelling(make_sandbox: SandboxMaker, ear: Ear) -> None:
    bo = make_sandbox(credentials={"APP1": Credential(KEY, mchid="TESTMCH01")})
    bo.order(out_trade_no="A", goods_name="測試商品", mchid="TESTMCH01")
    bo.clock.pass_by(seconds=44)
    paid = bo.ledger.pay("A")
    [sent] = deliver_due(bo.app, bo.clock())

    [heard] = ear.heard
    assert heard.get_data() == sent.body
    assert heard.headers["X-QF-SIGN"] == sent.sign == sign_notification(sent.body, KEY)
    assert (sent.url, sent.status) == ("http://127.0.0.1:8000/notify/mer_1", 200)
    assert heard.content_type == "application/json"
    told = json.loads(sent.body)
    assert list(told) == list(json.loads(ESCAPED["body"]))  # the same fields in the same order
    assert sent.body.decode() == json.dumps(told)  # ", " and ": ", everything else escaped
    assert b'"goods_name": "\\u6e2c\\u8a66\\u5546\\u54c1"' in sent.body
    assert (told["syssn"], told["paydtm"], told["notify_type"]) == (paid.syssn, "2026-03-15 12:00:44", "payment")


def test_our_spelling_gives_the_vectors_bytes() -> None:
    assert json.dumps(json.loads(ESCAPED["body"])) == ESCAPED["body"]
    assert sign_notification(ESCAPED["body"].encode(), ESCAPED["client_key"]) == ESCAPED["x_qf_sign"]


def test_a_refund_is_told_under_its_own_number(bo: Merchant, ear: Ear) -> None:
    bo.order(out_trade_no="A")
    paid = bo.ledger.pay("A")
    receipt = bo.refund(paid.syssn, "100", number="R1x")
    told = [json.loads(sent.body) for sent in deliver_due(bo.app, bo.clock())]
    assert [(one["notify_type"], one["out_trade_no"], one["syssn"], one["txamt"]) for one in told] == [
        ("payment", "A", paid.syssn, "8800"),
        ("refund", "R1x", receipt["syssn"], "100"),
    ]


def test_nothing_but_success_is_told(bo: Merchant, ear: Ear) -> None:
    bo.order(out_trade_no="A")
    bo.ledger.decline("A")
    bo.clock.pass_by(hours=1)
    assert deliver_due(bo.app, bo.clock()) == []


def test_no_address_no_notification(bo: Merchant) -> None:
    bo.order(out_trade_no="A", notify_url=None)
    bo.ledger.pay("A")
    assert deliver_due(bo.app, bo.clock()) == []


@pytest.mark.parametrize(
    "answer",
    [Response("success"), Response("SUCCESS\n"), Response("SUCCESS", 201), Response("", 503), Response("", 302)],
)
def test_only_the_exact_answer_ends_it(bo: Merchant, ear: Ear, answer: Response) -> None:
    bo.order(out_trade_no="A")
    bo.ledger.pay("A")
    ear.answers = [answer]
    deliver_due(bo.app, bo.clock())
    bo.clock.pass_by(minutes=2)
    deliver_due(bo.app, bo.clock())
    bo.clock.pass_by(days=2)
    deliver_due(bo.app, bo.clock())
    assert len(ear.heard) == 2
    assert ear.heard[0].get_data() == ear.heard[1].get_data()


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_it_is_repeated_on_the_documented_schedule_and_then_given_up(
    make_sandbox: SandboxMaker, ear: Ear, speed: float
) -> None:
    bo = make_sandbox(notify_speed=speed)
    bo.order(out_trade_no="A")
    bo.ledger.pay("A")
    ear.answers = [Response("", 500)] * 20
    deliver_due(bo.app, bo.clock())
    for told, minutes in enumerate(MINUTES, start=1):
        wait = timedelta(minutes=minutes) / speed
        assert deliver_due(bo.app, bo.clock() + wait - timedelta(milliseconds=1)) == []
        bo.clock.now += wait
        deliver_due(bo.app, bo.clock())
        assert len(ear.heard) == told + 1
    [notice] = bo.ledger.notices("A")
    assert (notice.tries, notice.over, notice.status) == (8, True, 500)
    assert deliver_due(bo.app, bo.clock() + timedelta(days=9)) == []


def test_a_dead_address_is_tried_again(make_sandbox: SandboxMaker) -> None:
    bo = make_sandbox(http=None)
    bo.order(out_trade_no="A", notify_url="http://127.0.0.1:9/notify")
    bo.ledger.pay("A")
    assert [sent.status for sent in deliver_due(bo.app, bo.clock())] == [None]
    [notice] = bo.ledger.notices("A")
    assert (notice.tries, notice.over) == (1, False)
