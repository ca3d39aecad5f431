"""A night in which our books are held against the gateway's, and what was wrong with them before."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from checkout.gateway.client import PaymentOrder
from checkout.services.reconciling import Reconciled, reconcile_day
from checkout.store.models import Attempt
from checkout.store.models import Merchant as MerchantRow
from tests.stories.cast import Merchant, World

TODAY = date(2026, 3, 10)

QUERY = "/trade/v1/query"
MUCH_LATER = timedelta(days=30)

TOMORROW_0130 = datetime.fromisoformat("2026-03-11T01:30:00+08:00")


def reconciles(world: World, bo: Merchant, day: date = TODAY) -> Reconciled:
    """Patience moves the clock, as waiting does."""

    def waits(seconds: float) -> None:
        world.clock.now += timedelta(seconds=seconds)

    return reconcile_day(world.asking, bo.told.merchant_id, day, patience=waits)


def later(world: World, **time: float) -> None:
    """Time goes by while nobody works."""
    world.clock.now += timedelta(**time)


def change(world: World, statement: str, **values: Any) -> None:
    """Something happens in the gateway's own books."""
    with world.ledger.store.writing() as db:
        assert db.execute(statement, values).rowcount == 1, statement


def rows(world: World, model: Any, **where: Any) -> list[Any]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(model).filter_by(**where)))


def unwatched(world: World, bo: Merchant, **wishes: Any) -> dict[str, Any]:
    """A session whose code nobody will ask about before the end of the test."""
    session = bo.opens(**wishes)
    world.shopper(session).picks("alipay_hk")
    with world.parts.sessions() as db:
        db.execute(
            update(Attempt).where(Attempt.session_id == session["id"]).values(next_at=world.clock() + MUCH_LATER)
        )
        db.commit()
    return session


def pays_elsewhere(world: World, bo: Merchant, number: str = "Elsewhere1", amount: int = 4200) -> None:
    """The shop's account takes money under a number that was never ours."""
    with world.parts.sessions() as db:
        gateway = world.parts.gateways.of(db.get_one(MerchantRow, bo.told.merchant_id))
    order = PaymentOrder(
        out_trade_no=number, pay_type="801514", amount=amount, currency="HKD", created_at=world.clock(), minutes=30,
        goods_name="tea", return_url="https://pay.sampan.example/r", notify_url="https://pay.sampan.example/n",
    )  # fmt: skip
    gateway.create_payment(order)
    world.ledger.pay(number)
