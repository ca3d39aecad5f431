"""The database obeys the tables: every pair of every machine, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id, new_trade_no
from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    REFUND_COMES_FROM,
    SESSION_COMES_FROM,
    UNHEARD,
    AttemptStatus,
    DeliveryStatus,
    RefundStatus,
    Role,
    SessionStatus,
)
from checkout.services.events import send_again
from checkout.store.engine import writing_sessions
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, Merchant, Payment, Refund, TradeNo
from checkout.store.moves import (
    move_attempt,
    move_delivery,
    move_refund,
    move_session,
    touch_session,
    wake_closing,
)

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
S, A = SessionStatus, AttemptStatus


@pytest.fixture
def db(books: Engine) -> Iterator[Session]:
    """One transaction that is never committed."""
    with writing_sessions(books)() as db:
        yield db
        db.rollback()


def a_merchant(db: Session) -> Merchant:
    key = new_id("digest")
    merchant = Merchant(
        id=new_id("m_"), name="Bo's Tea", app_code="A", client_key_sealed=b"", base_url="https://qfpay.example",
        sign_type="sha256", wallets=["alipay_hk"], return_origins=[], options={}, api_key_digest=key,
        webhook_secret_sealed=b"", created_at=NOON,
    )  # fmt: skip
    db.add(merchant)
    db.flush()
    return merchant


def a_session(db: Session, status: SessionStatus = S.OPEN) -> CheckoutSession:
    session = CheckoutSession(
        id=new_id("cs_"), merchant_id=a_merchant(db).id, support_code="K7M2QX", reference="A-1001", amount=8800,
        currency="HKD", description="", items=[], details={}, wallets=[], return_url="https://shop.example/",
        late_payment="hold", warnings=[], status=status, created_at=NOON, expires_at=NOON,
    )  # fmt: skip
    db.add(session)
    db.flush()
    return session


def an_attempt(db: Session, status: AttemptStatus = A.CREATED) -> Attempt:
    session, number, attempt_id = a_session(db), new_trade_no(), new_id("at_")
    db.add(
        TradeNo(number=number, merchant_id=session.merchant_id, kind="payment", owner_id=attempt_id, created_at=NOON)
    )
    db.flush()
    attempt = Attempt(
        id=attempt_id, session_id=session.id, merchant_id=session.merchant_id, wallet="alipay_hk", pay_type="801514",
        on_phone=False, out_trade_no=number, status=status, created_at=NOON, ends_at=NOON,
    )  # fmt: skip
    db.add(attempt)
    db.flush()
    return attempt


def a_delivery(db: Session, status: DeliveryStatus = DeliveryStatus.DUE) -> Delivery:
    session, event_id = a_session(db), new_id("evt_")
    db.add(
        Event(
            id=event_id, merchant_id=session.merchant_id, session_id=session.id, type="checkout_session.paid",
            about=session.id, version=1, to_deliver=True, body="{}", created_at=NOON,
        )
    )  # fmt: skip
    db.flush()
    delivery = Delivery(
        id=new_id("dlv_"),
        event_id=event_id,
        merchant_id=session.merchant_id,
        url="https://shop.example/hook",
        status=status,
    )
    db.add(delivery)
    db.flush()
    return delivery


def a_refund(db: Session, status: RefundStatus = RefundStatus.RESERVED) -> Refund:
    attempt, number, refund_id = an_attempt(db, A.SUCCEEDED), new_trade_no(), new_id("rf_")
    payment = Payment(
        id=new_id("py_"), merchant_id=attempt.merchant_id, session_id=attempt.session_id, attempt_id=attempt.id,
        role=Role.ACCEPTED, out_trade_no=attempt.out_trade_no, syssn=new_id("sy_"), amount=8800, refunded=8800,
        currency="HKD", pay_type="801514", proof="enquiry", created_at=NOON,
    )  # fmt: skip
    db.add(payment)
    db.add(TradeNo(number=number, merchant_id=attempt.merchant_id, kind="refund", owner_id=refund_id, created_at=NOON))
    db.flush()
    refund = Refund(
        id=refund_id, merchant_id=attempt.merchant_id, session_id=attempt.session_id, payment_id=payment.id,
        cause="merchant", reason="", amount=8800, out_trade_no=number, status=status, created_at=NOON,
    )  # fmt: skip
    db.add(refund)
    db.flush()
    return refund


def columns(db: Session, row: CheckoutSession | Attempt | Delivery | Refund) -> dict[str, Any]:
    """All of a row, as the database holds it now."""
    table = type(row).__table__
    return dict(db.execute(select(table).where(table.c.id == row.id)).mappings().one())


@pytest.mark.parametrize("news", SessionStatus)
@pytest.mark.parametrize("current", SessionStatus)
def test_a_session_moves_as_its_table_says(db: Session, current: SessionStatus, news: SessionStatus) -> None:
    session = a_session(db, current)
    before = columns(db, session)
    moved = move_session(db, session.id, news, review="late")
    assert moved == (current in SESSION_COMES_FROM[news])
    change = {"status": news, "version": 2, "review": "late"}
    assert columns(db, session) == before | (change if moved else {})


@pytest.mark.parametrize("news", AttemptStatus)
@pytest.mark.parametrize("current", AttemptStatus)
def test_an_attempt_moves_as_its_table_says(db: Session, current: AttemptStatus, news: AttemptStatus) -> None:
    attempt = an_attempt(db, current)
    before = columns(db, attempt)
    moved = move_attempt(db, attempt.id, news, failure="refused")
    assert moved == (current in ATTEMPT_COMES_FROM[news])
    change = {"status": news, "version": 2, "failure": "refused"}
    assert columns(db, attempt) == before | (change if moved else {})


@pytest.mark.parametrize("news", DeliveryStatus)
@pytest.mark.parametrize("current", DeliveryStatus)
def test_a_delivery_moves_as_its_table_says(db: Session, current: DeliveryStatus, news: DeliveryStatus) -> None:
    delivery = a_delivery(db, current)
    before = columns(db, delivery)
    moved = move_delivery(db, delivery.id, news, tries=3)
    assert moved == (current in DELIVERY_COMES_FROM[news])
    assert columns(db, delivery) == before | ({"status": news, "tries": 3} if moved else {})


@pytest.mark.parametrize("news", RefundStatus)
@pytest.mark.parametrize("current", RefundStatus)
def test_a_refund_moves_as_its_table_says(db: Session, current: RefundStatus, news: RefundStatus) -> None:
    refund = a_refund(db, current)
    before = columns(db, refund)
    moved = move_refund(db, refund.id, news, failure_code="1269")
    assert moved == (current in REFUND_COMES_FROM[news])
    assert columns(db, refund) == before | ({"status": news, "failure_code": "1269"} if moved else {})


def test_a_caller_may_allow_less_than_the_table_and_never_more(db: Session) -> None:
    late, paid = a_session(db, S.EXPIRED), a_session(db, S.PAID)
    assert not move_session(db, late.id, S.PAID, only_from={S.OPEN, S.CLOSING})
    assert not move_session(db, late.id, S.PAID, only_from=set())
    assert not move_session(db, paid.id, S.EXPIRED, only_from={S.PAID})
    assert move_session(db, late.id, S.PAID, only_from={S.EXPIRED})


@pytest.mark.parametrize("current", DeliveryStatus)
def test_sending_again_moves_as_the_table_says(db: Session, current: DeliveryStatus) -> None:
    """What waits is sent there too, and what was heard is not sent again."""
    delivery, url = a_delivery(db, current), "https://shop.example/new"
    again = send_again(db, delivery.merchant_id, url, NOON, since=NOON)
    assert again == (current in UNHEARD)
    now = columns(db, delivery)
    assert (now["status"], now["url"]) == ((DeliveryStatus.DUE, url) if again else (current, delivery.url))


@pytest.mark.parametrize("news", [DeliveryStatus.DONE, DeliveryStatus.DEAD, DeliveryStatus.BLOCKED])
@pytest.mark.parametrize("tries", [0, 1])
def test_a_caller_may_ask_more_of_a_delivery_than_the_table(db: Session, news: DeliveryStatus, tries: int) -> None:
    delivery = a_delivery(db)
    before = columns(db, delivery)
    assert move_delivery(db, delivery.id, news, only_if=[Delivery.tries == tries]) == (tries == 0)
    assert columns(db, delivery) == before | ({"status": news} if tries == 0 else {})


def test_news_about_nothing_moves_nothing(db: Session) -> None:
    assert not move_session(db, "cs_nobody", S.PAID)
    assert not move_attempt(db, "at_nobody", A.SUCCEEDED)
    assert not move_delivery(db, "dlv_nobody", DeliveryStatus.DONE)
    assert not move_refund(db, "rf_nobody", RefundStatus.SUCCEEDED)


def test_a_stale_reader_cannot_lose_a_success(db: Session) -> None:
    seen = an_attempt(db, A.PENDING)
    assert move_attempt(db, seen.id, A.CLOSED)
    assert seen.status is A.PENDING, "read before the sweep"
    assert move_attempt(db, seen.id, A.SUCCEEDED)
    assert not move_attempt(db, seen.id, A.CLOSED)


def test_what_outsiders_see_raises_the_version(db: Session) -> None:
    session = a_session(db)
    touch_session(db, session.id, review="late")
    db.refresh(session)
    assert (session.version, session.review, session.status) == (2, "late", S.OPEN)


@pytest.mark.parametrize("status", SessionStatus)
def test_only_a_closing_session_is_woken(db: Session, status: SessionStatus) -> None:
    session = a_session(db, status)
    wake_closing(db, session.id, NOON + timedelta(minutes=1))
    db.refresh(session)
    assert (session.due_at is not None) == (status is S.CLOSING)


def test_nobody_else_is_woken_and_nothing_else_is_raised(db: Session) -> None:
    session, other = a_session(db, S.CLOSING), a_session(db, S.CLOSING)
    before = columns(db, other)
    wake_closing(db, session.id, NOON)
    touch_session(db, session.id, review="late")
    assert columns(db, other) == before


@pytest.mark.parametrize(
    ("kind", "make"),
    [("session", a_session), ("attempt", an_attempt), ("delivery", a_delivery), ("refund", a_refund)],
    ids=["session", "attempt", "delivery", "refund"],
)
def test_of_many_who_bring_the_same_news_one_is_told_so(
    books: Engine, kind: str, make: Callable[[Session], CheckoutSession | Attempt | Delivery | Refund]
) -> None:
    sessions = writing_sessions(books)
    with sessions() as db:
        row = make(db)
        db.commit()
    ready = Barrier(8)
    move: Callable[[Session], bool] = {
        "session": lambda db: move_session(db, row.id, S.PAID),
        "attempt": lambda db: move_attempt(db, row.id, A.SUCCEEDED),
        "delivery": lambda db: move_delivery(db, row.id, DeliveryStatus.DONE),
        "refund": lambda db: move_refund(db, row.id, RefundStatus.SUCCEEDED),
    }[kind]

    def bring(_: int) -> bool:
        ready.wait(timeout=10)
        with sessions() as db:
            moved = move(db)
            db.commit()
        return moved

    with ThreadPoolExecutor(8) as messengers:
        assert sum(messengers.map(bring, range(8))) == 1
    if kind in ("session", "attempt"):
        with sessions() as db:
            assert columns(db, row)["version"] == 2
