"""Ways for a fault to come between a world and its gateway: real sockets, or an edit on the way."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select, update
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from checkout.domain.signing import sign_notification
from checkout.gateway.transport import Transport
from checkout.store.models import Base
from checkout.store.models import Merchant as MerchantRow
from tests.gateway.faults import FaultServer
from tests.hostile.tricks import mount
from tests.stories.cast import GATEWAY, PUBLIC, Merchant, World

PAYMENT, QUERY = "/trade/v1/payment", "/trade/v1/query"
KEY = "key-of-APP1"
UNANSWERED = "We have no answer yet"  # the heading of a page whose order has no known outcome
HOUR, DAY = 3600, 24 * 3600
Serve = Callable[..., FaultServer]


@contextmanager
def on_the_wire(
    world: World, bo: Merchant, url: str, seconds: float = 5.0, ca_file: str | None = None
) -> Iterator[None]:
    """Meanwhile the gateway of Bo is at this address, and is called over real sockets, which have so long in all."""
    before = world.parts.gateways._transport
    door = Transport(total_seconds=seconds, connect_seconds=seconds / 2, ca_file=ca_file)
    _move(world, bo, url, door)
    try:
        yield
    finally:
        _move(world, bo, GATEWAY, before)
        door._http.close()


def _move(world: World, bo: Merchant, url: str, door: Transport) -> None:
    world.parts.gateways._transport = door
    with world.parts.sessions() as db:
        db.execute(update(MerchantRow).where(MerchantRow.id == bo.told.merchant_id).values(base_url=url))
        db.commit()


def instead(world: World, path: str, answer: Callable[[], Response], *, effect: bool = False) -> None:
    """From now on calls of this path get another answer; `effect`: the gateway does what was asked all the same."""

    def between(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != path:
            return world.sandbox(environ, start_response)
        if effect:
            Response.from_app(world.sandbox, environ)
        return answer()(environ, start_response)

    mount(world, between)


def mended(world: World) -> None:
    """The gateway is itself again."""
    mount(world, world.sandbox)


def notice(number: str, **changes: Any) -> bytes:
    """What the gateway notifies when a payment of HKD 88.00 by AlipayHK went through."""
    fields = {
        "status": "1", "pay_type": "801514", "sysdtm": "2026-03-10 12:00:01", "paydtm": "2026-03-10 12:00:30",
        "txcurrcd": "HKD", "txdtm": "2026-03-10 12:00:00", "txamt": "8800", "out_trade_no": number,
        "syssn": "20260310000200020000000001", "cancel": "0", "respcd": "0000", "notify_type": "payment",
    }  # fmt: skip
    return json.dumps(fields | changes).encode()


def notify(world: World, bo: Merchant, body: bytes, signature: str | None = None, **headers: str) -> TestResponse:
    """A notification; signed as the gateway would, unless a signature is given."""
    sent = {"X-QF-SIGN": sign_notification(body, KEY) if signature is None else signature} | headers
    client = Client(world.app, use_cookies=False)
    where = f"/notify/{bo.told.merchant_id}"
    return client.post(where, data=body, base_url=PUBLIC, headers=sent, content_type="application/json")


def fingerprint(world: World, *but: type[Base]) -> str:
    """Of every row of every table but these: two that are equal mean that nothing at all was changed."""
    digest, left_out = hashlib.sha256(), {model.__table__ for model in but}
    with world.parts.reading.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table in left_out:
                continue
            rows = connection.execute(select(table).order_by(*table.primary_key.columns))
            digest.update(repr([table.name, *map(tuple, rows)]).encode("utf-8", "replace"))
    return digest.hexdigest()


def at_once(*acts: Callable[[], object]) -> list[Any]:
    """Begin them all at the same moment, each in a thread of its own; what each returned or raised."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        start.wait()
        try:
            return act()
        except Exception as error:  # handed to the test
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def paid_notice(world: World, session: dict[str, Any], **changes: Any) -> bytes:
    """Ada pays; what the gateway will notify, with the number of its own record."""
    record = world.ledger.pay(world.attempt(session).out_trade_no)
    return notice(record.out_trade_no, **({"syssn": record.syssn} | changes))


def count(world: World, model: type[Base], *where: Any) -> int:
    with world.parts.sessions() as db:
        return db.scalar(select(func.count()).select_from(model).where(*where)) or 0


def asked_about(world: World, number: str) -> int:
    """How often the gateway was asked about this number."""
    return sum(number in call.params.get("out_trade_no", "").split(",") for call in world.ledger.calls(QUERY))
