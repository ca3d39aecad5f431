"""Fixtures of every test: no network beyond loopback, real servers on demand, Debian's Chromium."""

import errno
import gc
import ipaddress
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, event
from xdist.scheduler import LoadScopeScheduling

from tests.compiled import share
from tests.databases import PostgresServer
from tests.servers import HttpServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Files that share something dear, such as a browser or a deployment: two processes with one each starve each other.
TOGETHER = {
    "tests/browser/": "browser",
    "tests/office/test_deciding_in_a_browser.py": "browser",
    "tests/office/test_in_a_browser.py": "browser",
    "tests/office/test_passkeys_in_a_browser.py": "browser",
    "tests/integrations/": "integrations",
    "tests/proofs/test_restarts.py": "restarts",  # each takes all of the machine
}
BROWSER_FIXTURES = {"browser", "browser_type", "context", "new_context", "page"}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # it refuses to be root otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # Addresses in the network are answered like a cut cable, also literal ones; `page.route` still sees them.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]


def _loopback_only(event: str, arguments: tuple[Any, ...]) -> None:
    """Let Python reach this machine only: elsewhere looks as it does without a network."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        address = _address(arguments[1][0])
        if address and not (address.is_loopback or address.is_unspecified):
            raise OSError(errno.ENETUNREACH, f"tests reach loopback only, not {address}")
    elif event == "socket.getaddrinfo" and not _resolves_here(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests have no DNS for {arguments[0]!r}")


def _resolves_here(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return not name or name in {"localhost", socket.gethostname()} or _address(name) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name, whose resolution is an event of its own."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@event.listens_for(Engine, "connect")
def _in_no_order(connection: Any, _record: Any) -> None:
    """SQLite gives rows in the order of their making, PostgreSQL in any: who asks for none gets the other way round."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA reverse_unordered_selects=ON")


settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")
sys.addaudithook(_loopback_only)
share()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the servers they use."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & BROWSER_FIXTURES or item.get_closest_marker("browser"):
            item.add_marker("browser")
            assert _together(item.nodeid) == "browser", f"{item.nodeid} uses the browser: name its file in TOGETHER"
        if "postgres" in fixtures:
            item.add_marker("postgres")


def pytest_collection_finish() -> None:
    """What collecting has made stays until the end: to look through it for garbage again and again costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class OneBrowser(LoadScopeScheduling):
    """Each test goes to whoever is free, but what stands in TOGETHER goes to one process, and first."""

    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid) or nodeid


def _together(nodeid: str) -> str | None:
    return next((group for start, group in TOGETHER.items() if nodeid.startswith(start)), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Not by xdist's own groups: with this pytest it does not see them."""
    return OneBrowser(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, one per test process, started by the first test that asks."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def http_server() -> Iterator[Callable[["WSGIApplication"], HttpServer]]:
    """Serve WSGI apps on real sockets until the test ends: `http_server(app).url`."""
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(HttpServer(app))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium instead of one that Playwright would download; CHROMIUM names another."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        raise pytest.UsageError("Chromium is not installed: `make test` does it, or apt-get install chromium")
    return {**browser_type_launch_args, "executable_path": chromium, "args": CHROMIUM_ARGUMENTS}
