"""Refunds asked for twice at once on PostgreSQL."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.hostile.tricks import meanwhile
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def paid(world: World, bo: Merchant) -> dict[str, Any]:
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    return session


def refund(bo: Merchant, session: dict[str, Any], key: str, **wish: Any) -> TestResponse:
    return bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", wish, Idempotency_Key=key)


def test_one_key_sent_twice_at_once_gets_one_answer(world: World, bo: Merchant) -> None:
    session = paid(world, bo)
    others: list[TestResponse] = []
    with meanwhile(world, "UPDATE payment", lambda: others.append(refund(bo, session, "k"))):
        mine = refund(bo, session, "k")
    assert others[0].status_code == 201
    assert (mine.status_code, mine.data) in {(201, others[0].data), (409, mine.data)}


def test_two_refunds_guarded_by_the_same_amount_left_are_one(world: World, bo: Merchant) -> None:
    session = paid(world, bo)
    others: list[TestResponse] = []
    wish = {"amount": 4000, "amount_left": 8800}
    with meanwhile(world, "UPDATE payment", lambda: others.append(refund(bo, session, "one", **wish))):
        mine = refund(bo, session, "two", **wish)
    assert sorted((mine.status_code, others[0].status_code)) == [201, 412]
