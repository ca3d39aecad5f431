"""F35 to F37: workers asleep for hours or past a lease, and two versions side by side."""

import ast
import itertools
import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import class_mapper, make_transient
from werkzeug.wrappers import Response

from checkout.domain.ids import new_id, new_ordered_id, new_trade_no
from checkout.domain.lifecycle import AttemptStatus
from checkout.services.enquiries import Lanes, enquire_next
from checkout.services.returning import move_next_refund
from checkout.store.engine import make_engine
from checkout.store.migrating import FOLDER, alembic_config, newest
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, Payment, TradeNo
from config import Config
from sandbox import Trouble
from tests.faults.test_our_processes import AFTER_THE_LEASE, HOUR, REFUND, deployment
from tests.hostile.tricks import mount
from tests.processes.cast import PATIENCE, QUERY, Deployment, Instance
from tests.proofs.scale import scale
from tests.proofs.stage import PAID
from tests.servers import Process, wait_until
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_operators import run

__all__ = ["deployment"]


# --- F35: the worker away for hours

DUE_ROWS = 10_000 if scale().release else 300

AWAY = timedelta(hours=6)


def many_paid(world: World, session: dict[str, Any], how_many: int) -> list[str]:
    """Copies of one session with its order, all paid; their numbers, the longest due first."""
    with world.parts.sessions() as db:
        attempt = db.get_one(Attempt, world.attempt(session).id)
        number, row = db.get_one(TradeNo, attempt.out_trade_no), db.get_one(CheckoutSession, session["id"])
        order = world.ledger.order(attempt.out_trade_no)
        first_due, numbers = world.clock() + timedelta(seconds=2), [attempt.out_trade_no]
        for copy in (number, row, attempt):
            db.expunge(copy)
            make_transient(copy)
        # As if their answers had been lost: what a copy would show was never said about it.
        attempt.target, attempt.qr_svg, attempt.status = None, None, AttemptStatus.UNKNOWN
        for nth in range(1, how_many):
            number.number = attempt.out_trade_no = new_trade_no()
            number.owner_id, attempt.id = [new_ordered_id("at_")] * 2
            row.id = attempt.session_id = new_id("cs_")
            attempt.next_at = first_due + timedelta(milliseconds=nth)
            for model, copy in ((TradeNo, number), (CheckoutSession, row), (Attempt, attempt)):
                values = {column.key: getattr(copy, column.key) for column in class_mapper(model).column_attrs}
                db.execute(sa.insert(model).values(values))
            mark = uuid.uuid4().hex
            world.ledger.take_order(replace(order, out_trade_no=number.number, syssn=mark, token=mark, records=()))
            numbers.append(number.number)
        db.commit()
    for one in numbers:
        world.ledger.pay(one)
    return numbers


def test_f35_after_six_hours_the_worker_takes_the_oldest_first_within_its_budget_and_shoppers_are_served(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    numbers = many_paid(world, session, DUE_ROWS)
    before = len(world.ledger.calls(QUERY))
    world.clock.now += AWAY
    back = world.clock.now
    while world.clock.now < back + timedelta(hours=1) and unbooked(world):
        while enquire_next(world.asking):
            pass
        late = bo.opens()
        world.shopper(late).picks("alipay")
        assert world.attempt(late).target  # the backlog takes nothing from who pays now
        world.clock.now += timedelta(seconds=2)
    assert unbooked(world) == 0
    calls = world.ledger.calls(QUERY)[before:]
    asked = [number for call in calls for number in call.params["out_trade_no"].split(",") if number in set(numbers)]
    first_asked = list(dict.fromkeys(asked))
    batches = [sorted(call.params["out_trade_no"].split(",")) for call in calls]
    oldest_first = [number for number in numbers if number in first_asked]
    rank = {number: place for place, number in enumerate(oldest_first)}
    tops = [min(rank[number] for number in batch if number in rank) for batch in batches if set(batch) & set(rank)]
    assert len(first_asked) == DUE_ROWS
    assert tops[: DUE_ROWS // 40] == sorted(tops[: DUE_ROWS // 40])
    times = [call.at for call in world.ledger.calls() if call.at >= back]
    assert max(sum(at <= other < at + timedelta(minutes=1) for other in times) for at in times[::20]) <= 300


def unbooked(world: World) -> int:
    still = select(func.count()).select_from(Attempt).where(Attempt.id.not_in(select(Payment.attempt_id)))
    with world.parts.sessions() as db:
        return db.scalar(still.where(Attempt.wallet == "alipay_hk")) or 0


# --- F36: a stalled worker wakes


def test_f36_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(deployment: Deployment) -> None:
    with deployment.fresh(-10):
        session = deployment.opens()
        deployment.picks(session)
    deployment.ledger.inject(QUERY, Trouble.SLOW)  # two seconds, in which it is put to sleep
    with deployment.worker() as sleeper:
        wait_until(lambda: any(call.answer for call in deployment.ledger.calls(QUERY)), PATIENCE, sleeper.output)
        put_to_sleep(deployment, sleeper)
        deployment.ledger.pay(deployment.ledger.orders()[0].out_trade_no)  # the answer on its way says: not paid
        with deployment.fresh(AFTER_THE_LEASE) as instance:
            instance.works()
            assert deployment.status(session) == "paid"
            before = what_is_known(deployment, instance)
            sleeper.send(signal.SIGCONT)
            assert sleeper.stop() == 0  # not before it has finished what it was at
            assert what_is_known(deployment, instance) == before
            deployment.assert_nothing_lost_or_doubled(instance)


def put_to_sleep(deployment: Deployment, sleeper: Process) -> None:
    """Not while another of its threads writes: SQLite has one lock, and only its holder can give it up."""
    engine = make_engine(Config.from_env(deployment.env).DATABASE_URL)

    def asleep() -> bool:
        sleeper.send(signal.SIGSTOP)
        try:
            with engine.begin():
                return True
        except OperationalError:
            sleeper.send(signal.SIGCONT)
            return False

    wait_until(asleep, PATIENCE, sleeper.output)
    engine.dispose()


def what_is_known(deployment: Deployment, instance: Instance) -> list[Any]:
    with deployment.books(instance) as db:
        found = [
            db.execute(select(CheckoutSession.id, CheckoutSession.status, CheckoutSession.version)),
            db.execute(select(Attempt.id, Attempt.status, Attempt.syssn, Attempt.next_at)),
            db.execute(select(Payment.id, Payment.role, Payment.refunded)),
            db.execute(select(Event.id, Event.type).order_by(Event.id)),
            db.execute(select(Delivery.id, Delivery.status, Delivery.tries).order_by(Delivery.id)),
        ]
        return [rows.all() for rows in found]


def test_f36_a_refusal_that_wakes_while_another_worker_sends_the_refund_again_does_not_undo_it(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(4)
    wish = {"amount": 5000}
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", wish, Idempotency_Key="one")
    other = replace(world.refunding, lanes=Lanes())
    asleep, wakes = threading.Event(), threading.Event()
    sleeper = threading.Thread(target=move_next_refund, args=(world.refunding,))
    calls = itertools.count()

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != REFUND:
            return world.sandbox(environ, start_response)
        if next(calls) == 0:  # refused, and then nothing moves for minutes
            asleep.set()
            assert wakes.wait(PATIENCE)
            refused = {"respcd": "1294", "resperr": "barred by the bank", "respmsg": ""}
            return Response(json.dumps(refused), mimetype="application/json")(environ, start_response)
        answer = Response.from_app(world.sandbox, environ)
        wakes.set()
        sleeper.join(PATIENCE)
        return answer(environ, start_response)

    mount(world, between)
    sleeper.start()
    assert asleep.wait(PATIENCE)
    for seconds in (61, 301, 1):  # missed once, missed twice, sent again
        world.clock.now += timedelta(seconds=seconds)
        while move_next_refund(other):
            pass
    assert next(calls) == 2
    [refund] = bo.reads(session)["refunds"]
    taken = sum(one.amount for order in world.ledger.orders() for one in order.refunds)
    assert (refund["status"], taken) == ("succeeded", 5000)
    with world.parts.sessions() as db:
        assert db.scalar(select(Payment.refunded)) == 5000


# --- F37: two versions side by side

# An index that is replaced takes nothing from the version before; the new one is of use to it too.
ADDS_ONLY = {
    "create_table", "create_index", "drop_index", "add_column", "batch_alter_table", "f", "execute", "get_bind",
}  # fmt: skip


def calls_in(upgrade: ast.FunctionDef) -> Iterator[ast.Call]:
    return (node for node in ast.walk(upgrade) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))


@pytest.mark.parametrize("path", sorted((FOLDER / "versions").glob("*.py")), ids=lambda path: path.stem)
def test_f37_migrations_only_add_so_that_the_version_before_works_on(path: Path) -> None:
    [upgrade] = [
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    for call in calls_in(upgrade):
        assert isinstance(call.func, ast.Attribute)
        if isinstance(call.func.value, ast.Name) and call.func.value.id in ("op", "batch_op"):
            assert call.func.attr in ADDS_ONLY, f"{path.name}:{call.lineno} {call.func.attr}"
        if call.func.attr == "add_column":
            [column] = [part for part in call.args if isinstance(part, ast.Call)]
            said = {word.arg: ast.unparse(word.value) for word in column.keywords}
            assert said.get("nullable") == "True" or "server_default" in said, f"{path.name}:{call.lineno}"


NEXT_RELEASE = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{newest}", None, None


def upgrade():
    op.create_table("invented", sa.Column("id", sa.String(40), primary_key=True), sa.Column("what", sa.Text()))
    for table in ("merchant", "session", "attempt", "payment", "refund", "event", "delivery"):
        op.add_column(table, sa.Column("invented", sa.Text(), nullable=True))
"""


def test_f37_this_version_works_on_the_tables_of_the_next(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], tmp_path: Path
) -> None:
    ada.picks("alipay_hk")  # before the deployment
    folder = tmp_path / "versions"
    folder.mkdir()
    (folder / "9999_invented.py").write_text(NEXT_RELEASE.format(newest=newest()))
    config = alembic_config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", f"{FOLDER / 'versions'}{os.pathsep}{folder}")
    with world.parts.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "9999")
    assert run(world, "db", "upgrade").exit_code == 0, "a release that rolls back runs it"
    assert ada.asks("GET", "/readyz").status_code == 200
    world.pays(session)
    world.passes(4)
    assert bo.reads(session)["status"] == "paid"
    bo.api("POST", f"/v1/checkout-sessions/{session['id']}/refunds", {"amount": 100}, Idempotency_Key="one")
    later = bo.opens(reference="A-1002")
    world.shopper(later).picks("alipay")
    assert bo.api("POST", f"/v1/checkout-sessions/{later['id']}/cancel").status_code == 200
    world.passes(HOUR, step=60)
    assert bo.reads(session)["amount_refunded"] == 100
    assert bo.reads(later)["status"] == "cancelled"
    assert [news["type"] for news in bo.heard()] == [PAID, "refund.succeeded", "checkout_session.cancelled"]
