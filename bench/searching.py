"""Searching a million payments on PostgreSQL: the whole call, as a merchant makes it, and the plans behind it."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from flask import Flask
from psycopg import sql
from sqlalchemy import Engine, event
from werkzeug.test import Client

from app import create_app
from bench.tables import table
from checkout.domain.shops import Shop
from checkout.services.merchants import add_merchant
from checkout.services.searching import Wanted, sessions_query
from checkout.store.migrating import upgrade
from checkout.store.searching import digest_of
from checkout.web.context import parts_of
from config import Config
from tests.databases import PostgresServer

PAYMENTS = 1_000_000
CALLS = 500
PLANS = Path(__file__).with_name("search-plans.md")
CHANNELS, TABLES = ("web", "pos", "app"), 50

# Nine in ten belong to one big merchant; one in twenty is the counter's, under one and the same reference. The newest
# 2,000 are open, the others mostly paid. `n` counts them from the oldest on, one each 20 seconds.
_SESSIONS = """
    INSERT INTO session (id, merchant_id, support_code, reference, amount, currency, description, items, metadata,
        wallets, return_url, late_payment, warnings, status, review, version, created_at, expires_at, paid_at)
    SELECT 'cs_' || lpad(n::text, 22, '0'), CASE WHEN n %% 10 = 0 THEN %(small)s ELSE %(big)s END,
        upper(substr(md5(n::text), 1, 6)), CASE WHEN n %% 20 = 3 THEN 'COUNTER' ELSE 'A-' || n END, 1000 + n %% 9000,
        'HKD', 'Oolong, 150 g', '[]', jsonb_build_object('channel', (%(channels)s::text[])[1 + n %% 3],
            'table', (n %% %(tables)s)::text, 'order', 'A-' || n),
        '[]', 'https://shop.example/thanks', 'hold', '[]',
        CASE WHEN n > %(rows)s - 2000 THEN 'open' WHEN n %% 8 = 0 THEN 'expired' WHEN n %% 50 = 1 THEN 'cancelled'
            ELSE 'paid' END,
        CASE WHEN n %% 2000 = 0 THEN 'mismatch' END, 5, at, at + interval '30 minutes', at + interval '1 minute'
    FROM (SELECT n, %(now)s::timestamptz - (%(rows)s - n) * interval '20 seconds' AS at
        FROM generate_series(1, %(rows)s) n) made
"""
_NUMBERS = """
    INSERT INTO trade_no SELECT 'S' || lpad(substr(id, 4), 25, '0'), merchant_id, 'attempt',
        'at_' || substr(id, 4), created_at FROM session
"""
_ATTEMPTS = """
    INSERT INTO attempt (id, session_id, merchant_id, wallet, pay_type, on_phone, out_trade_no, status, superseded,
        syssn, created_at, ends_at, tries, version)
    SELECT 'at_' || substr(id, 4), id, merchant_id, 'alipay_hk', '801514', false, 'S' || lpad(substr(id, 4), 25, '0'),
        CASE WHEN status = 'paid' THEN 'succeeded' ELSE 'closed' END, false, '2026' || right(id, 20),
        created_at, expires_at, 0, 3
    FROM session
"""
_PAYMENTS = """
    INSERT INTO payment (id, merchant_id, session_id, attempt_id, role, out_trade_no, syssn, amount, refunded,
        currency, pay_type, proof, paid_at, created_at)
    SELECT 'py_' || substr(s.id, 4), s.merchant_id, s.id, a.id, 'accepted', a.out_trade_no, a.syssn, s.amount, 0,
        'HKD', '801514', 'enquiry', s.paid_at, s.created_at
    FROM session s JOIN attempt a ON a.session_id = s.id WHERE s.status = 'paid'
"""
_PAIRS = """
    INSERT INTO metadata_pair (merchant_id, digest, created_at, session_id)
    SELECT s.merchant_id, substr(encode(sha256(convert_to(length(key) || ':' || key || '=' || value, 'UTF8')), 'hex'),
        1, 32), s.created_at, s.id
    FROM session s, jsonb_each_text(s.metadata)
"""

# Built after the rows, which is many times faster; those of constraints stay.
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename IN ('session', 'attempt', 'payment') AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


def measure() -> Iterator[str]:
    """One table; the plans go into a file of their own."""
    with PostgresServer() as server, _filled(server) as (app, key, merchant_id, seconds):
        rows, plans = [], []
        for name, made in SEARCHES.items():
            times, served, found = _times(app, key, made)
            shares = [f"{_share(of, part):.1f}" for of in (served, times) for part in (0.5, 0.99)]
            rows.append([name, str(found), *shares, f"{max(times):.1f}"])
        for name, wanted in PLANNED.items():
            plans.append(f"## {name}\n\n```\n{_plan(app, merchant_id, wanted)}\n```\n")
        PLANS.write_text("# How PostgreSQL finds a page of a million payments\n\n" + "\n".join(plans), "utf-8")
        title = f"Searching {PAYMENTS:,} payments on PostgreSQL ({CALLS} calls each; filled in {seconds:.0f} s)"
        yield table(title, ["search", "rows", "server p50 ms", "server p99", "call p50", "call p99", "most"], rows)
        yield SAYS


def _any(least: int = 1) -> int:
    """A payment of the big merchant's."""
    number = random.randint(least, PAYMENTS - 3000)
    return number if number % 10 else number + 1


def _past(number: int) -> str:
    return datetime.fromtimestamp(NOW.timestamp() - (PAYMENTS - number) * 20, UTC).isoformat()


SAYS = """`server` is what PostgreSQL itself says that planning and executing all statements of a call took (`EXPLAIN
ANALYZE`, on one connection, right after the call); `call` is the whole call, with everything that Python does. The
plans are in [search-plans.md](search-plans.md).
"""
NOW = datetime.now(UTC).replace(microsecond=0)
CODES: list[str] = []  # some of those that were made

# fmt: off
SEARCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "the newest 20":                       lambda: {},
    "the newest 100":                      lambda: {"limit": 100},
    "20 from a moment in the past back":   lambda: {"created_before": _past(_any())},
    "by reference":                        lambda: {"reference": f"A-{_any() // 20 * 20 + 1}"},
    "by a reference that 50,000 share":    lambda: {"reference": "COUNTER"},
    "open":                                lambda: {"status": "open"},
    "paid":                                lambda: {"status": "paid"},
    "cancelled":                           lambda: {"status": "cancelled"},
    "cancelled, in a month of the past":   lambda: {"status": "cancelled", "created_after": _past(200_000),
                                                    "created_before": _past(330_000)},
    "by support code":                     lambda: {"support_code": random.choice(CODES)},
    "by out_trade_no":                     lambda: {"out_trade_no": f"S{_any():025}"},
    "by syssn":                            lambda: {"syssn": f"2026{_any():020}"},
    "by a pair that one has":              lambda: {"metadata[order]": f"A-{_any()}"},
    "by a pair that 300,000 have":         lambda: {"metadata[channel]": random.choice(CHANNELS)},
    "by two pairs":                        lambda: {"metadata[channel]": "web", "metadata[table]": _any() % TABLES},
    "by two pairs that none has":          lambda: {"metadata[channel]": "web", "metadata[order]": "none"},
    "by a frequent pair, open":            lambda: {"metadata[channel]": "pos", "status": "open"},
    "by a frequent pair and reference":    lambda: {"metadata[channel]": "pos", "reference": "COUNTER"},
    "by a frequent pair, paid":            lambda: {"metadata[channel]": "app", "status": "paid"},
    "a shared reference, a pair of others": lambda: {"metadata[table]": "7", "reference": "COUNTER"},
    "nothing fits":                        lambda: {"reference": "none", "status": "paid"},
}
PLANNED = {
    "The newest":                 Wanted(),
    "Before a moment":            Wanted(created_before=datetime.fromisoformat(_past(500_000))),
    "By reference":               Wanted(reference="COUNTER"),
    "Open":                       Wanted(status="open"),
    "Cancelled":                  Wanted(status="cancelled"),
    "By syssn":                   Wanted(syssn=f"2026{500_001:020}"),
    "By a frequent pair":         Wanted(metadata={"channel": "web"}),
    "By two pairs":               Wanted(metadata={"channel": "web", "table": "7"}),
    "By a frequent pair, open":   Wanted(status="open", metadata={"channel": "pos"}),
    "By a frequent pair and reference": Wanted(reference="COUNTER", metadata={"channel": "pos"}),
}
# fmt: on


def _share(times: list[float], part: float) -> float:
    return sorted(times)[min(int(part * len(times)), len(times) - 1)]


def _times(app: Flask, key: str, made: Callable[[], dict[str, Any]]) -> tuple[list[float], list[float], int]:
    """Each call's milliseconds, those of its statements at the server, and how many rows the last one found."""
    client, engine = Client(app), parts_of(app).engine
    times, served, found = [], [], 0
    for _ in range(CALLS):
        query = urlencode(made())
        with _statements(engine) as asked:
            begun = time.perf_counter()
            answer = client.get(
                f"/v1/checkout-sessions?{query}",
                base_url="http://127.0.0.1",
                headers={"Authorization": f"Bearer {key}"},
            )
            times.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
        found = len(answer.json["data"])  # type: ignore[index]
        served.append(sum(_at_the_server(engine, asked)))
    return times, served, found


Statements = list[tuple[str, Any]]


@contextmanager
def _statements(engine: Engine) -> Iterator[Statements]:
    """What is asked of the database meanwhile, with its parameters."""
    asked: Statements = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def _at_the_server(engine: Engine, asked: Statements) -> Iterator[float]:
    with engine.connect() as connection:
        for statement, parameters in asked:
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            [plan] = explained.scalar_one()
            yield plan["Planning Time"] + plan["Execution Time"]


def _plan(app: Flask, merchant_id: str, wanted: Wanted) -> str:
    """The plan of each statement that looks for the page's rows."""
    engine = parts_of(app).engine
    with parts_of(app).sessions() as db, _statements(engine) as asked:
        db.scalars(sessions_query(db, merchant_id, wanted, limit=21, after=None)).all()
        explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF)"
        plans = [
            "\n".join(line for (line,) in db.connection().exec_driver_sql(f"{explain} {statement}", parameters))
            for statement, parameters in list(asked)
        ]
    return "\n\n".join(plans)


@contextmanager
def _filled(server: PostgresServer) -> Iterator[tuple[Flask, str, str, float]]:
    url = server.new_database()
    env = {"DATABASE_URL": url, "SECRET_KEY": "b" * 40, "LOG_LEVEL": "WARNING"}
    app = create_app(Config.from_env(env))
    joined = parts_of(app)
    upgrade(joined.engine)
    told = []
    for name in ("big", "small"):
        shop = Shop(name=name, app_code=name, client_key=name, base_url="https://openapi-hk.qfapi.com")
        with joined.sessions() as db:
            told.append(add_merchant(db, joined.vault, joined.terms, shop, now=NOW))
    begun = time.monotonic()
    _fill(url, big=told[0].merchant_id, small=told[1].merchant_id)
    yield app, told[0].api_key, told[0].merchant_id, time.monotonic() - begun
    joined.engine.dispose()


def _fill(url: str, **merchants: str) -> None:
    """By SQL alone, and without looking after foreign keys: a million rows in a minute or so."""
    values = {"rows": PAYMENTS, "now": NOW, "channels": list(CHANNELS), "tables": TABLES, **merchants}
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '256MB'")
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _made in indexes:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        connection.execute(_SESSIONS, values)
        for statement in (_NUMBERS, _ATTEMPTS, _PAYMENTS, _PAIRS):
            connection.execute(statement)
        for _name, made in indexes:
            connection.execute(made)
        connection.execute("VACUUM ANALYZE")
        CODES[:] = [code for (code,) in connection.execute("SELECT support_code FROM session LIMIT 1000")]
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT count(*) FROM metadata_pair WHERE digest = %s", [digest_of("channel", "web")])
        assert (row.fetchone() or (0,))[0] > 0, "the pairs are not made as the service makes them"
