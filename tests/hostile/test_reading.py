"""What only reads goes on reading while somebody else writes (safety.md F46, F49; design.md section 5)."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from checkout.services.reviews import open_review
from sandbox import Scenario
from tests.stories.cast import Merchant, Shopper, World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def somebody_writes(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        seen.append(text)

    event.listen(world.parts.engine, "before_cursor_execute", note)
    yield seen
    event.remove(world.parts.engine, "before_cursor_execute", note)


@on_sqlite
def test_the_api_reads_while_somebody_writes(
    world: World, bo: Merchant, session: dict[str, Any], tmp_path: Path
) -> None:
    with somebody_writes(tmp_path / "books.db"):
        assert bo.api("GET", f"/v1/checkout-sessions/{session['id']}").status_code == 200


@on_sqlite
def test_a_poll_is_answered_while_somebody_writes(
    world: World, ada: Shopper, session: dict[str, Any], tmp_path: Path
) -> None:
    ada.picks("alipay_hk")
    with somebody_writes(tmp_path / "books.db"):
        assert ada.polls()["status"] == "open"


@on_sqlite
def test_the_audit_reads_while_somebody_writes(world: World, session: dict[str, Any], tmp_path: Path) -> None:
    with somebody_writes(tmp_path / "books.db"):
        result = world.app.test_cli_runner().invoke(args=["audit", "--json"])
    assert (result.exit_code, result.output.strip()) == (0, '{"violations": []}')


@on_sqlite
def test_a_page_in_review_polls_without_writing(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    world.next(Scenario.WRONG_AMOUNT)
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    assert ada.stage() == "review"
    with statements(world) as seen:
        for _ in range(5):
            ada.polls()
    assert [text for text in seen if text.startswith(("UPDATE", "BEGIN IMMEDIATE"))] == []


def test_the_state_of_an_ended_checkout_under_review_is_final(
    world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    with world.parts.sessions() as db:
        open_review(db, world.parts.terms, session["id"], "undecided", world.clock())
        db.commit()
    world.passes(50 * 60, step=30)
    assert bo.reads(session)["status"] == "expired"
    assert ada.polls()["final"] is True
    assert "data-return" in ada.page()
