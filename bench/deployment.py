"""What is measured: one gunicorn worker with the repository's own settings, a database and a slow gateway."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app import create_app
from bench.gateway import HOST
from bench.load import send
from checkout.domain.shops import Shop
from checkout.services.merchants import add_merchant
from checkout.store.migrating import upgrade
from checkout.web.context import parts_of
from config import Config
from tests.databases import PostgresServer
from tests.servers import Process, free_port, python_script

DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
BROWSER = {"User-Agent": DESKTOP, "Accept-Encoding": "gzip, deflate", "Accept-Language": "en"}
FORM = [("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", DESKTOP)]
MERCHANTS = 20  # one credential may only be called 400 times a minute


@dataclass(frozen=True)
class Running:
    """A deployment that serves; `keys` are the API keys of its merchants."""

    port: int
    keys: tuple[str, ...]
    web: Process

    def opens(self, number: int = 0) -> str:
        """A new session's id, of the merchant whose turn it is."""
        body = (
            f'{{"amount": 8800, "currency": "HKD", "reference": "A-{number}", '
            '"description": "Tea", "return_url": "https://shop.example/thanks"}'
        )
        headers = [
            ("Authorization", f"Bearer {self.keys[number % len(self.keys)]}"),
            ("Content-Type", "application/json"),
        ]
        status, answer, _ = send("POST", self.port, "/v1/checkout-sessions", body, headers)
        assert status == 201, status
        return answer["location"].rpartition("/")[2]

    def picks(self, session_id: str, wallet: str = "alipay_hk") -> int:
        return send("POST", self.port, f"/pay/{session_id}", f"wallet={wallet}", FORM)[0]

    def cpu_seconds(self) -> float:
        """User and system time of the web worker so far."""
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text().split()
        return sum(_cpu_ticks(child) for child in children) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: str) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def running(database_url: str) -> Iterator[Running]:
    """Serve until the block ends. The background work is a process of its own, which does not run here."""
    port, gateway_port = free_port(), free_port()
    env = {
        "DATABASE_URL": database_url, "PUBLIC_URL": f"http://{HOST}:{port}", "PORT": str(port), "HOST": HOST,
        "SECRET_KEY": "b" * 40, "ENV": "development", "EMBEDDED_WORKER": "0", "WEB_CONCURRENCY": "1",
        "GATEWAY_RATE_PER_MINUTE": "400", "LOG_LEVEL": "WARNING",
    }  # fmt: skip
    keys = _prepare(env, f"http://{HOST}:{gateway_port}")
    with (
        Process([sys.executable, "-m", "bench.gateway", str(gateway_port)]),
        Process([python_script("gunicorn"), "app:create_app()"], env) as web,
    ):
        web.wait_for(f"http://{HOST}:{port}/readyz")
        yield Running(port, keys, web)


def _prepare(env: dict[str, str], gateway: str) -> tuple[str, ...]:
    joined = parts_of(create_app(Config.from_env(env)))
    upgrade(joined.engine)
    keys = []
    for number in range(MERCHANTS):
        shop = Shop(name="Bo's Tea", app_code=f"APP{number}", client_key=f"key{number}", base_url=gateway)
        with joined.sessions() as db:
            keys.append(add_merchant(db, joined.vault, joined.terms, shop, now=datetime.now(UTC)).api_key)
    joined.engine.dispose()
    return tuple(keys)


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """A fresh SQLite file and a fresh PostgreSQL that waits for its disk, as in production."""
    with tempfile.TemporaryDirectory() as folder, PostgresServer(durable=True) as server:
        yield {"SQLite": f"sqlite:///{folder}/sampan.db", "PostgreSQL": server.new_database()}
