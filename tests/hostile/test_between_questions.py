"""What is told of a session is asked for in several questions: between two of them others may book and send back."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from checkout.services.snapshots import snapshot
from checkout.store.models import CheckoutSession
from tests.stories.cast import Merchant, World


def test_money_that_is_booked_and_sent_back_between_two_questions_breaks_no_answer(
    world: World, bo: Merchant, session: dict[str, Any]
) -> None:
    """Found by sixteen processes at once, after 95 rounds: a refund was told of whose payment had not been read."""
    world.shopper(session).picks("alipay_hk")
    meanwhile: list[str] = []

    def books(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM payment" in statement and not meanwhile:
            meanwhile.append(statement)
            world.pays(session)
            world.passes(4)
            refunds = f"/v1/checkout-sessions/{session['id']}/refunds"
            assert bo.api("POST", refunds, {}, Idempotency_Key="k").status_code == 201

    with Session(world.parts.reading) as db:
        event.listen(world.parts.reading, "after_cursor_execute", books)
        told = snapshot(db, world.parts.terms, db.get_one(CheckoutSession, session["id"]))
    event.remove(world.parts.reading, "after_cursor_execute", books)
    assert meanwhile
    assert {refund["payment"] for refund in told["refunds"]} <= {payment["id"] for payment in told["payments"]}
    assert [refund["status"] for refund in bo.reads(session)["refunds"]] == ["pending"]
    assert world.violations() == []
