"""The database obeys the tables: every pair of every machine, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id, new_trade_no
from checkout.domain.lifecycle import (
    ATTEMPT_COMES_FROM,
    DELIVERY_COMES_FROM,
    SESSION_COMES_FROM,
    AttemptStatus,
    DeliveryStatus,
    SessionStatus,
)
from checkout.store.engine import writing_sessions
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, Merchant, TradeNo
from checkout.store.moves import move_attempt, move_delivery, move_session, touch_session, wake_closing

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


def a_delivery(db: Session, status: DeliveryStatus) -> Delivery:
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


@pytest.mark.parametrize("news", SessionStatus)
@pytest.mark.parametrize("current", SessionStatus)
def test_a_session_moves_as_its_table_says(db: Session, current: SessionStatus, news: SessionStatus) -> None:
    session = a_session(db, current)
    moved = move_session(db, session.id, news)
    db.refresh(session)
    assert moved == (current in SESSION_COMES_FROM[news])
    assert (session.status, session.version) == ((news, 2) if moved else (current, 1))


@pytest.mark.parametrize("news", AttemptStatus)
@pytest.mark.parametrize("current", AttemptStatus)
def test_an_attempt_moves_as_its_table_says(db: Session, current: AttemptStatus, news: AttemptStatus) -> None:
    attempt = an_attempt(db, current)
    moved = move_attempt(db, attempt.id, news, failure="refused")
    db.refresh(attempt)
    assert moved == (current in ATTEMPT_COMES_FROM[news])
    assert (attempt.status, attempt.failure) == ((news, "refused") if moved else (current, None))


@pytest.mark.parametrize("news", DeliveryStatus)
@pytest.mark.parametrize("current", DeliveryStatus)
def test_a_delivery_moves_as_its_table_says(db: Session, current: DeliveryStatus, news: DeliveryStatus) -> None:
    delivery = a_delivery(db, current)
    moved = move_delivery(db, delivery.id, news, tries=3)
    db.refresh(delivery)
    assert moved == (current in DELIVERY_COMES_FROM[news])
    assert (delivery.status, delivery.tries) == ((news, 3) if moved else (current, 0))


def test_a_caller_may_allow_less_than_the_table_and_never_more(db: Session) -> None:
    late, paid = a_session(db, S.EXPIRED), a_session(db, S.PAID)
    assert not move_session(db, late.id, S.PAID, only_from={S.OPEN, S.CLOSING})
    assert not move_session(db, late.id, S.PAID, only_from=set())
    assert not move_session(db, paid.id, S.EXPIRED, only_from={S.PAID})
    assert move_session(db, late.id, S.PAID, only_from={S.EXPIRED})


def test_news_about_nothing_moves_nothing(db: Session) -> None:
    assert not move_session(db, "cs_nobody", S.PAID)
    assert not move_attempt(db, "at_nobody", A.SUCCEEDED)
    assert not move_delivery(db, "dlv_nobody", DeliveryStatus.DONE)


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


@pytest.mark.parametrize("kind", ["session", "attempt"])
def test_of_many_who_bring_the_same_news_one_is_told_so(books: Engine, kind: str) -> None:
    sessions = writing_sessions(books)
    with sessions() as db:
        row = a_session(db) if kind == "session" else an_attempt(db)
        db.commit()
    ready = Barrier(8)

    def bring(_: int) -> bool:
        move: Callable[[Session], bool] = {
            "session": lambda db: move_session(db, row.id, S.PAID),
            "attempt": lambda db: move_attempt(db, row.id, A.SUCCEEDED),
        }[kind]
        ready.wait(timeout=10)
        with sessions() as db:
            moved = move(db)
            db.commit()
        return moved

    with ThreadPoolExecutor(8) as messengers:
        assert sum(messengers.map(bring, range(8))) == 1
    with sessions() as db:
        again = {"session": db.get(CheckoutSession, row.id), "attempt": db.get(Attempt, row.id)}[kind]
        assert again
        assert again.version == 2
