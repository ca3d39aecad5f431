"""Nothing of the database is held while anybody else is called (safety.md I24; design.md section 3, rule 1)."""

from typing import Any

import pytest

from sandbox import Trouble
from tests.hostile.tricks import gateway_hooks, mount
from tests.stories.cast import Merchant, Shopper, World


def held(world: World) -> int:
    """How many connections are in use; one with an open unit of work locks all writing on SQLite."""
    return int(world.parts.engine.pool.checkedout())  # type: ignore[attr-defined]


def test_while_a_webhook_is_delivered(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    seen: list[int] = []
    where = next(path for path, inbox in world.inboxes.items() if inbox is bo.inbox)

    def looks(environ: Any, start_response: Any) -> Any:
        seen.append(held(world))
        return bo.inbox(environ, start_response)

    world.inboxes[where] = looks  # type: ignore[assignment]
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel")
    world.works()
    assert seen == [0]


@pytest.mark.parametrize("path", ["/trade/v1/payment", "/trade/v1/query"])
def test_while_the_gateway_is_asked(world: World, ada: Shopper, session: dict[str, Any], path: str) -> None:
    seen: list[int] = []
    gateway_hooks(world, path, lambda _: seen.append(held(world)))
    ada.picks("alipay_hk")
    world.passes(4)
    assert set(seen) == {0}


def test_while_a_refund_is_sent_and_asked_about(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    seen: list[tuple[str, int]] = []

    def looks(environ: Any, start_response: Any) -> Any:
        seen.append((environ["PATH_INFO"], held(world)))
        return world.sandbox(environ, start_response)

    mount(world, looks)
    world.ledger.inject("/trade/v1/refund", Trouble.HTTP_500, 1)
    answer = bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {}, Idempotency_Key="k")
    assert answer.status_code == 201
    world.passes(30)
    assert {path for path, _ in seen} >= {"/trade/v1/refund", "/trade/v1/query"}
    assert [call for call in seen if call[1]] == []
