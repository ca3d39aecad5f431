"""Searching a million payments on PostgreSQL: the whole call, as a merchant makes it, and the plans behind it."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from flask import Flask
from psycopg import sql
from werkzeug.test import Client

from app import create_app
from bench.tables import table
from checkout.services.merchants import Shop, add_merchant
from checkout.services.searching import Wanted, sessions_query
from checkout.store.migrating import upgrade
from checkout.store.searching import digest_of
from checkout.web.context import parts_of
from config import Config
from tests.servers import PostgresServer

PAYMENTS = 1_000_000
CALLS = 100
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
            times, found = _times(app, key, made)
            row = [name, str(found), *(f"{_share(times, part):.1f}" for part in (0.5, 0.99)), f"{max(times):.1f}"]
            rows.append(row)
        for name, wanted in PLANNED.items():
            plans.append(f"## {name}\n\n```\n{_plan(app, merchant_id, wanted)}\n```\n")
        PLANS.write_text("# How PostgreSQL finds a page of a million payments\n\n" + "\n".join(plans), "utf-8")
        title = f"Searching {PAYMENTS:,} payments on PostgreSQL ({CALLS} whole calls each; filled in {seconds:.0f} s)"
        yield table(title, ["search", "rows", "p50 ms", "p99 ms", "most ms"], rows)


def _any(least: int = 1) -> int:
    """A payment of the big merchant's."""
    number = random.randint(least, PAYMENTS - 3000)
    return number if number % 10 else number + 1


def _past(number: int) -> str:
    return datetime.fromtimestamp(NOW.timestamp() - (PAYMENTS - number) * 20, UTC).isoformat()


NOW = datetime.now(UTC).replace(microsecond=0)
CODES: list[str] = []  # some of those that were made

# fmt: off
SEARCHES = {
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
}
# fmt: on


def _share(times: list[float], part: float) -> float:
    return sorted(times)[min(int(part * len(times)), len(times) - 1)]


def _times(app: Flask, key: str, made: object) -> tuple[list[float], int]:
    client = Client(app)
    times, found = [], 0
    for _ in range(CALLS):
        query = urlencode(made())  # type: ignore[operator]
        begun = time.perf_counter()
        answer = client.get(
            f"/v1/checkout-sessions?{query}", base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {key}"}
        )
        times.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
        found = len(answer.json["data"])  # type: ignore[index]
    return times, found


def _plan(app: Flask, merchant_id: str, wanted: Wanted) -> str:
    joined = parts_of(app)
    with joined.sessions() as db:
        query = sessions_query(db, merchant_id, wanted, limit=21, after=None)
        written = query.compile(joined.engine, compile_kwargs={"literal_binds": True})
        lines = db.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {written}")
        return "\n".join(line for (line,) in lines)


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
