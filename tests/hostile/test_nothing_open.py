"""Nothing of the database is held while anybody else is called (safety.md I24; design.md section 3, rule 1)."""

from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import g
from sqlalchemy import text

from sandbox import Trouble
from tests.hostile.tricks import gateway_hooks, mount
from tests.office.cast import PASSWORD, Clerk
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


def test_others_write_while_a_password_is_worked_on(
    world: World, bo: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk = Clerk(world, bo, "mei@bo.example")
    clerk.is_invited("owner")
    clerk.arrives(PASSWORD)
    clerk.signs_out()
    written: list[int] = []
    verify = PasswordHasher.verify

    def somebody_writes(hasher: PasswordHasher, *words: str) -> bool:
        with world.parts.engine.begin() as connection:
            written.append(connection.execute(text("UPDATE session SET version = version + 0")).rowcount)
        return bool(verify(hasher, *words))

    monkeypatch.setattr(PasswordHasher, "verify", somebody_writes)
    for password in ("four quiet boats at night", PASSWORD):
        clerk.signs_in(password)
    world.clock.now += timedelta(minutes=6)
    clerk.opens("/merchant/me")
    clerk.sends("/merchant/me/password", proof=PASSWORD, password="five quiet boats at noon")
    assert len(written) >= 3


def test_a_line_to_the_database_that_breaks_after_the_answer_takes_no_answer_away(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    """Sought after a soak in which three of hundreds of POSTs got gunicorn's own page instead of ours."""
    broken: list[str] = []

    def breaks(_: BaseException | None) -> None:
        for name in ("db", "reading_db"):
            if held_by_the_request := g.get(name):
                held_by_the_request.connection().connection.driver_connection.close()
                broken.append(name)

    world.app.teardown_appcontext_funcs.append(breaks)  # called before ours, which gives them back
    assert ada.asks("GET", ada.path).status_code == 200
    assert ada.picks("alipay_hk").status_code == 303
    world.app.teardown_appcontext_funcs.remove(breaks)
    assert broken
    assert bo.reads(session)["status"] == "open"
    assert held(world) == 0
    assert world.violations() == []
