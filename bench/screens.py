"""The first visit to each screen: requests and bytes over the wire."""

import re
import tempfile
from collections.abc import Iterator
from datetime import timedelta

from werkzeug.test import TestResponse

from bench.tables import table
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from sandbox import Scenario
from tests.servers import HttpServer
from tests.stories.cast import PHONE, Inbox, Merchant, Shopper, World

LOADED = re.compile(r"""<(?:script|img|iframe|source|object|embed|audio|video)\b[^>]*\s(?:src|srcset|data)=""")
LINKED = re.compile(r"""<link\b(?=[^>]*rel="?(?:stylesheet|preload|icon|manifest))(?![^>]*href="data:)""")


def measure() -> list[str]:
    """One table; the pages are real, in English, for an order with one line of text."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, HttpServer(Inbox()) as hooks:
        url = f"sqlite:///{folder}/books.db"
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        world = World(url, hooks, {})
        for name, ada, path in _screens(world, world.merchant(webhooks=False)):
            plain = ada.asks("GET", path)
            packed = ada.asks("GET", path, headers={"Accept-Encoding": "gzip"})
            head = sum(len(key) + len(value) + 4 for key, value in packed.headers)
            rows.append([name, f"{_requests(plain)}", f"{len(plain.data):,}", f"{len(packed.data):,}", f"{head:,}"])
        world.close()
    return [
        table(
            "First visit to each screen",
            ("screen", "documents and their parts", "bytes", "with gzip", "its headers"),
            rows,
        )
    ]


def _requests(page: TestResponse) -> int:
    return 1 + len(LOADED.findall(page.text)) + len(LINKED.findall(page.text))


def _screens(world: World, bo: Merchant) -> Iterator[tuple[str, Shopper, str]]:
    def ada(agent: str | None = None) -> Shopper:
        shopper = world.shopper(bo.opens(description="Tea"))
        return Shopper(world, shopper.url, agent) if agent else shopper

    yield "choose", (choosing := ada()), choosing.path
    (scanning := ada()).picks("alipay")
    yield "scan", scanning, scanning.path
    (on_phone := ada(PHONE)).picks("alipay")
    yield "wallet, on a phone", on_phone, on_phone.path
    world.next(Scenario.LOST_ANSWER)
    (unsure := ada()).picks("alipay")
    yield "unknown", unsure, unsure.path
    world.next(Scenario.REFUSED_1104)
    (refused := ada()).picks("alipay")
    yield "failed", refused, refused.path
    (cancelled := ada()).cancels()
    yield "cancelled", cancelled, cancelled.path
    session = bo.opens(description="Tea")
    (paid := world.shopper(session)).picks("alipay")
    world.pays(session)
    world.passes(3)
    yield "paid", paid, paid.path
    yield "receipt", paid, f"{paid.path}/receipt"
    expired = ada()
    world.clock.now += timedelta(hours=2)
    world.works()
    yield "expired", expired, expired.path
    yield "no such page", expired, "/pay/cs_nothing"
