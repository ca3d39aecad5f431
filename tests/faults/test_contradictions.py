"""F24, F25 and F27: the gateway speaks of other terms, or contradicts itself."""

from typing import Any

import pytest
from sqlalchemy import select

from checkout.store.models import Payment
from sandbox import Trouble
from tests.faults.wires import DAY, HOUR, PAYMENT, QUERY, asked_about, fingerprint, mended, notice, notify, paid_notice
from tests.hostile.tricks import gateway_answers
from tests.stories.cast import Merchant, Shopper, World

# --- F24: other terms

OTHERWISE: dict[str, tuple[Any, ...]] = {
    "txamt": ("8799", "1", "880000"),
    "txcurrcd": ("CNY", "USD", "hkd"),
    "pay_type": ("801101", "800107", "801512"),
}
TYPES = ("refund", "close", "payment_token")
TERMS = [(name, value) for name in OTHERWISE for value in OTHERWISE[name]]


@pytest.mark.parametrize(("field", "value"), TERMS)
def test_f24_the_gateways_word_about_other_terms_is_never_paid(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], field: str, value: str
) -> None:
    """Its notice and its books say the same: money moved, but not what was asked for."""
    ada.picks("alipay_hk")
    body = paid_notice(world, session, **{field: value})
    edit = {field: value}
    gateway_answers(world, QUERY, lambda answer: answer | {"data": [item | edit for item in answer["data"]]})
    assert notify(world, bo, body).data == b"SUCCESS"
    world.passes(120, step=5)
    told = bo.reads(session)
    assert (told["status"], told["review"], ada.stage()) == ("open", True, "review")
    assert [payment["role"] for payment in told["payments"]] == ["mismatch"]
    assert [news["type"] for news in bo.heard()] == ["checkout_session.review_opened"]


@pytest.mark.parametrize(("field", "value"), TERMS)
def test_f24_a_notice_about_other_terms_pays_nothing_while_nobody_can_be_asked(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], field: str, value: str
) -> None:
    ada.picks("alipay_hk")
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)
    body = notice(world.attempt(session).out_trade_no, **{field: value})
    assert notify(world, bo, body).data == b"SUCCESS"
    world.passes(2 * HOUR, step=60)
    told = bo.reads(session)
    assert (told["status"], told["review"], told["payments"]) == ("open", True, [])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("asked", ["answered", "unanswered"])
def test_f24_a_notice_of_another_kind_pays_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], kind: str, asked: str
) -> None:
    ada.picks("alipay_hk")
    if asked == "unanswered":
        world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)
    else:
        gateway_answers(world, QUERY, lambda a: a | {"data": [i | {"order_type": kind} for i in a["data"]]})
    body = paid_notice(world, session, notify_type=kind)
    assert notify(world, bo, body).data == b"SUCCESS"
    world.passes(10 * 60, step=10)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("open", [])


@pytest.mark.parametrize("mchid", ["OTHER01", "testmch01", "TESTMCH0"])
def test_f24_a_notice_about_another_shop_of_the_account_is_no_word_to_us(world: World, mchid: str) -> None:
    bo = world.merchant(mchid="TESTMCH01")
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    body = paid_notice(world, session, mchid=mchid)
    gateway_answers(world, QUERY, lambda a: a | {"data": [i | {"mchid": mchid} for i in a["data"]]})
    before = fingerprint(world)
    assert notify(world, bo, body).status_code == 401
    assert fingerprint(world) == before
    world.passes(60, step=3)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("open", [])


# --- F25: contradictions


def silent(world: World) -> None:
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)


def knows_nothing(world: World) -> None:
    """Enquiries are answered, and find no payment."""

    def unpaid(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"data": [item | {"respcd": "1143"} for item in answer["data"]]}

    gateway_answers(world, QUERY, unpaid)


def proofs(world: World) -> list[str]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(Payment.proof)))


def test_f25_paid_by_an_enquiry_stays_paid_whatever_contradicts_it(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert proofs(world) == ["enquiry"]
    number = world.attempt(session).out_trade_no
    paid = bo.reads(session)
    knows_nothing(world)
    for contradiction in ({"respcd": "1142"}, {"cancel": "3"}, {"respcd": "1181"}):
        notify(world, bo, notice(number, **contradiction))
        world.passes(30, step=3)
    world.passes(2 * DAY, step=HOUR)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("paid", paid["payments"])


def test_f25_a_notice_settles_when_no_enquiry_is_answered_for_a_minute(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    silent(world)
    body = paid_notice(world, session)
    assert notify(world, bo, body).data == b"SUCCESS"
    world.passes(55)
    assert bo.reads(session)["status"] == "open", "within the minute the books may still be asked"
    world.passes(70)
    assert (bo.reads(session)["status"], proofs(world)) == ("paid", ["notification"])
    asked = asked_about(world, world.attempt(session).out_trade_no)
    world.passes(30 * 60, step=10)
    assert asked_about(world, world.attempt(session).out_trade_no) > asked, "asking goes on"
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]


def test_f25_an_enquiry_that_agrees_later_confirms_the_notice(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.inject(QUERY, Trouble.HTTP_500, 1_000_000)
    notify(world, bo, paid_notice(world, session))
    world.passes(130)
    assert proofs(world) == ["notification"]
    enquiries_work_again(world)
    world.passes(2 * HOUR, step=30)
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("paid", False)
    with world.parts.sessions() as db:
        assert db.scalars(select(Payment.confirmed_at)).one() is not None
    assert [news["type"] for news in bo.heard()] == ["checkout_session.paid"]


def enquiries_work_again(world: World) -> None:
    with world.ledger.store.writing() as db:
        db.execute("DELETE FROM fault")


def test_f25_paid_by_a_notice_and_contradicted_for_a_day_calls_for_a_person_and_is_not_flipped(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    silent(world)
    notify(world, bo, paid_notice(world, session))
    world.passes(130)
    assert proofs(world) == ["notification"]
    enquiries_work_again(world)
    knows_nothing(world)
    world.passes(22 * HOUR, step=3600)
    assert bo.reads(session)["review"] is False
    world.passes(28 * HOUR, step=3600)
    told = bo.reads(session)
    assert (told["status"], told["review_reason"], proofs(world)) == ("paid", "contradicted", ["notification"])


def test_f25_a_notice_alone_pays_nothing_while_enquiries_are_answered(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.ledger.scan(world.ledger.order(world.attempt(session).out_trade_no).token)
    knows_nothing(world)
    assert notify(world, bo, notice(world.attempt(session).out_trade_no)).data == b"SUCCESS"
    world.passes(20 * 60, step=5)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("open", [])


# --- F27: the call worked, the payment did not


@pytest.mark.parametrize("inner", ["1143", "1145", "2999", "1201", "", None, 1143, "9999"])
def test_f27_an_outer_success_around_an_inner_failure_is_not_paid(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], inner: Any
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    gateway_answers(world, QUERY, lambda a: a | {"data": [item | {"respcd": inner} for item in a["data"]]})
    world.passes(30, step=3)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("open", [])


@pytest.mark.parametrize("outer", ["1143", "1104", "1108", "9999", "", None])
def test_f27_an_outer_failure_around_an_inner_success_proves_nothing(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], outer: Any
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    gateway_answers(world, QUERY, lambda answer: answer | {"respcd": outer})
    world.passes(30, step=3)
    told = bo.reads(session)
    assert (told["status"], told["payments"]) == ("open", [])
    mended(world)
    world.passes(60, step=3)
    assert ada.sees() == "Paid"


def test_f27_creating_with_an_outer_success_and_an_inner_failure_shows_no_code(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    gateway_answers(world, PAYMENT, lambda answer: {"respcd": "0000", "data": answer | {"respcd": "1145"}})
    ada.picks("alipay_hk")
    assert (world.attempt(session).status, world.attempt(session).target) == ("unknown", None)
