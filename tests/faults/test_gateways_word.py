"""F16, F17, F21, F22 and F26: notifications again, late, early and unknown; many records for one number."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete
from werkzeug.wrappers import Request, Response

from checkout.services.enquiries import Lanes, enquire_next
from checkout.store.models import Attempt, Event, GatewayWord, Payment, TradeNo
from sandbox import Scenario, Trouble
from tests.faults.wires import HOUR, PAYMENT, QUERY, at_once, count, mended, notice, notify, paid_notice
from tests.hostile.tricks import gateway_hooks, mount
from tests.stories.cast import Merchant, Shopper, World

# --- F16: again and again


def test_f16_ten_notices_in_a_row_and_eight_workers_at_once_are_one_payment(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    body = paid_notice(world, session)
    answers = [notify(world, bo, body) for _ in range(10)]
    answers += at_once(*[lambda: notify(world, bo, body)] * 8)
    assert {(answer.status_code, answer.data) for answer in answers} == {(200, b"SUCCESS")}
    world.clock.now += timedelta(seconds=3)
    workers = [replace(world.asking, lanes=Lanes()) for _ in range(8)]  # as eight processes would have their own
    asked = at_once(*[lambda worker=worker: enquire_next(worker) for worker in workers])
    assert not [error for error in asked if isinstance(error, Exception)]
    again = at_once(*[lambda: notify(world, bo, body)] * 8)
    assert {(answer.status_code, answer.data) for answer in again} == {(200, b"SUCCESS")}
    world.passes(90, step=5)
    assert ada.sees() == "Paid"
    assert count(world, Payment) == 1
    assert count(world, Event) == 1
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]
    assert count(world, GatewayWord, GatewayWord.source == "notification") == 1


# --- F17: a day late


@pytest.mark.parametrize(
    ("policy", "status", "roles", "refunds", "review"),
    [
        ("accept", "paid", ["accepted"], [], False),
        ("refund", "expired", ["late"], ["late"], False),
        ("hold", "expired", ["late"], [], True),
    ],
)
def test_f17_a_payment_after_the_end_announced_a_day_late_follows_the_merchants_policy(
    world: World, bo: Merchant, policy: str, status: str, roles: list[str], refunds: list[str], review: bool
) -> None:
    session = bo.opens(late_payment=policy)
    world.next(Scenario.LATE_PAYMENT)
    world.shopper(session).picks("alipay_hk")
    world.passes(2 * HOUR, step=60)
    assert bo.reads(session)["status"] == "expired"
    world.passes(25 * HOUR, step=1800)
    world.pays(session)
    assert world.notifies() == [200]
    world.passes(180, step=5)
    told = bo.reads(session)
    assert (told["status"], told["review"]) == (status, review)
    assert [payment["role"] for payment in told["payments"]] == roles
    assert [refund["cause"] for refund in told["refunds"]] == refunds


def test_f17_a_payment_in_time_announced_a_day_late_is_in_time(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """Nobody could be asked, so nothing had ended; and what counts is when it was paid, not when it was told."""
    ada.picks("alipay_hk")
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)
    paid_at = world.clock() + timedelta(minutes=5)
    body = notice(world.attempt(session).out_trade_no, paydtm="2026-03-10 12:05:00")
    world.passes(25 * HOUR, step=1800)
    assert bo.reads(session)["status"] == "open"
    record = world.ledger.pay(world.attempt(session).out_trade_no, at=paid_at)
    body = notice(record.out_trade_no, syssn=record.syssn, paydtm="2026-03-10 12:05:00")
    assert notify(world, bo, body).data == b"SUCCESS"
    world.passes(HOUR, step=30)
    told = bo.reads(session)
    assert (told["status"], [payment["role"] for payment in told["payments"]]) == ("paid", ["accepted"])


# --- F21: before the answer


def test_f21_a_notice_before_the_answer_is_stored_is_applied_and_the_late_answer_does_no_harm(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    def pays_and_is_found(_: Request) -> None:
        assert notify(world, bo, paid_notice(world, session)).data == b"SUCCESS"
        world.passes(3)
        assert bo.reads(session)["status"] == "paid"
        assert world.attempt(session).target is None

    gateway_hooks(world, PAYMENT, pays_and_is_found)
    assert ada.picks("alipay_hk").status_code == 303
    attempt = world.attempt(session)
    assert (attempt.status, ada.sees()) == ("succeeded", "Paid")
    assert attempt.target, "the answer adds its address, and moves nothing back"
    world.passes(HOUR, step=30)
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]
    assert count(world, Payment) == 1


class PowerCut(BaseException):
    """Ends a request as a dead process does: nothing after it is done."""


def test_f21_a_notice_counts_although_the_answer_died_with_its_process(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    def pays_and_dies(_: Request) -> None:
        assert notify(world, bo, paid_notice(world, session)).data == b"SUCCESS"
        raise PowerCut

    gateway_hooks(world, PAYMENT, pays_and_dies)
    with pytest.raises(PowerCut):
        ada.picks("alipay_hk")
    mended(world)
    assert world.attempt(session).status == "created"
    world.passes(40)
    assert ada.sees() == "Paid"
    assert count(world, Payment) == 1


# --- F22: an unknown number


def test_f22_a_notice_for_an_unknown_number_is_kept_told_and_counts_once_its_row_is_back(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    ada.picks("alipay_hk")
    body = paid_notice(world, session)
    lost = world.attempt(session)
    with world.parts.sessions() as db:  # as a backup would leave it that is a minute too old
        rows = [columns(db.get_one(TradeNo, lost.out_trade_no)), columns(db.get_one(Attempt, lost.id))]
        db.execute(delete(Attempt))
        db.execute(delete(TradeNo))
        db.commit()
    assert notify(world, bo, body).data == b"SUCCESS"
    assert [r for r in caplog.records if r.levelname == "ERROR" and "unknown number" in r.message], "somebody is told"
    assert count(world, GatewayWord, GatewayWord.known.is_(False)) == 1
    world.passes(30)
    assert bo.reads(session)["status"] == "open"
    with world.parts.sessions() as db:  # a fuller backup is found
        db.add(TradeNo(**rows[0]))
        db.flush()
        db.add(Attempt(**rows[1]))
        db.commit()
    world.passes(10)
    assert ada.sees() == "Paid"


def columns(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}


# --- F26: many records

BOOKED = {"20260310000200020000000002": "accepted", "20260310000200020000000003": "surplus"}


def listed(number: str, mchid: str) -> list[dict[str, str]]:
    """Two successes, a declined scan, a refund, and two records that are none of ours."""
    one: dict[str, str] = json.loads(notice(number)) | {"mchid": mchid, "order_type": "payment"}
    first, second = BOOKED

    def record(syssn: str, **changes: str) -> dict[str, str]:
        return one | {"syssn": syssn} | changes

    return [
        record(first, paydtm="2026-03-10 12:00:10"),
        record(second, paydtm="2026-03-10 12:00:20"),
        record("20260310000200020000000004", respcd="1201"),
        record("20260310000200020000000005", order_type="refund", txamt="100", orig_syssn=first),
        record("20260310000200020000000006", out_trade_no="SNOTOURS", paydtm="2026-03-10 12:00:05"),
        record("20260310000200020000000007", mchid="OTHER01", paydtm="2026-03-10 12:00:01"),
    ]


@pytest.mark.parametrize("turn", range(6))
@pytest.mark.parametrize("back", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("page_size", [None, 40], ids=["one page", "two pages"])
def test_f26_of_many_records_the_earliest_success_settles_and_the_rest_is_surplus(
    world: World, turn: int, back: bool, page_size: int | None
) -> None:
    bo = world.merchant(mchid="TESTMCH01")
    session = bo.opens()
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    number = world.attempt(session).out_trade_no
    records = listed(number, "TESTMCH01")
    records = (records[turn:] + records[:turn])[:: -1 if back else 1]
    if page_size:  # a page is full of scans that were declined, so that some of ours stand on the next
        scan = json.loads(notice(number, respcd="1201", mchid="TESTMCH01", order_type="payment"))
        scans = [scan | {"syssn": f"2026031000020002{n:010d}"} for n in range(100, 138)]
        records = records[:1] + scans + records[1:]

    def pages(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != QUERY:
            return world.sandbox(environ, start_response)
        asked = Request(environ).form
        start = (int(asked["page"]) - 1) * int(asked["page_size"])
        data = records[start : start + int(asked["page_size"])]
        return Response(json.dumps({"respcd": "0000", "data": data}))(environ, start_response)

    mount(world, pages)
    world.passes(4)
    assert ada.sees() == "Paid"
    told = bo.reads(session)
    assert {payment["syssn"]: payment["role"] for payment in told["payments"]} == BOOKED
    assert [refund["cause"] for refund in told["refunds"]] == ["surplus"]
    mended(world)
