"""gunicorn.conf.py, seen by a real gunicorn and from the wire."""

import gc
import os
import runpy
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests
from gunicorn.http.parser import _DRAIN_MAX_BYTES  # type: ignore[import-untyped]

from app import create_app
from config import Config
from tests.servers import REPOSITORY, Process, free_port, python_script

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONFIG = REPOSITORY / "gunicorn.conf.py"
PLATFORM_VARIABLES = ("ENV", "HOST", "PORT", "WEB_CONCURRENCY")


def echo(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Say what gunicorn made of the request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['wsgi.url_scheme']} {environ['SCRIPT_NAME']}{environ['PATH_INFO']}".encode()]


PRODUCTION = {
    "ENV": "production",
    "SECRET_KEY": "s" * 40,
    "PUBLIC_URL": "https://pay.example.com",
    "DATABASE_URL": "postgres://db.example/sampan",
}


@pytest.mark.parametrize(
    ("environment", "bind"),
    [
        ({}, "127.0.0.1:8000"),
        ({"PORT": "9000"}, "127.0.0.1:9000"),
        (PRODUCTION, "127.0.0.1:8000"),
        (PRODUCTION | {"PORT": "9000"}, "0.0.0.0:9000"),
        (PRODUCTION | {"PORT": "9000", "HOST": "10.0.0.7"}, "10.0.0.7:9000"),
        (PRODUCTION | {"PORT": "9000", "ENV": " Production"}, "0.0.0.0:9000"),
    ],
)
def test_only_a_platform_gets_every_interface(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], bind: str
) -> None:
    _set_only(monkeypatch, environment)

    assert runpy.run_path(str(CONFIG))["bind"] == bind


def test_a_bad_setting_stops_the_start_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worker process it would be tried again for ever."""
    _set_only(monkeypatch, {"ENV": "production"})
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(CONFIG))
    assert str(stopped.value).startswith("Set SECRET_KEY")


@pytest.mark.parametrize(("concurrency", "expected"), [("1", 1), ("7", 7), ("", os.cpu_count())])
def test_workers_follow_the_platform_or_the_cores(
    monkeypatch: pytest.MonkeyPatch, concurrency: str, expected: int
) -> None:
    _set_only(monkeypatch, {"WEB_CONCURRENCY": concurrency})

    assert runpy.run_path(str(CONFIG))["workers"] == expected


@pytest.mark.parametrize(("environment", "json_lines"), [
    ({}, False), (PRODUCTION, True), (PRODUCTION | {"ENV": "Production "}, True),
])  # fmt: skip
def test_production_is_production_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], json_lines: bool
) -> None:
    _set_only(monkeypatch, environment)

    assert runpy.run_path(str(CONFIG))["logconfig_dict"]["formatters"]["ours"]["json_lines"] is json_lines


def test_a_forwarded_header_from_loopback_changes_nothing(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/pay"
    # The hooks start our background work, which a bare WSGI function has not.
    config = tmp_path / "conf.py"
    config.write_text(f"{CONFIG.read_text()}\ndel post_worker_init, worker_exit\n")
    command = [python_script("gunicorn"), "-c", str(config), "tests.test_gunicorn:echo"]
    forged = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Protocol": "ssl",
        "X-Forwarded-Ssl": "on",
        "Script-Name": "/admin",
        "SCRIPT_NAME": "/admin",
    }
    # Both variables are what an operator's shell might carry; the file has the last word.
    with Process(command, env={"PORT": str(port), "FORWARDED_ALLOW_IPS": "*", "WEB_CONCURRENCY": "1"}) as server:
        server.wait_for(url)

        assert requests.get(url, headers=forged, timeout=5).text == "http /pay"
        assert server.stop() == 0


def test_who_sends_too_much_is_told_that_the_line_ends(tmp_path: Path) -> None:
    """Else a client that keeps its connections finds this one broken at its next call."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/pay"
    config = tmp_path / "conf.py"
    config.write_text(f"{CONFIG.read_text()}\ndel post_worker_init, worker_exit\n")
    command = [python_script("gunicorn"), "-c", str(config), "tests.test_gunicorn:echo"]
    with Process(command, env={"PORT": str(port), "WEB_CONCURRENCY": "1"}) as server, requests.Session() as http:
        server.wait_for(url)
        for size, connection in ((10, "keep-alive"), (10 * _DRAIN_MAX_BYTES, "close")):
            for _ in range(3):
                answer = http.post(url, data=b"x" * size, timeout=5)
                assert (answer.status_code, answer.headers["Connection"]) == (200, connection)
        assert server.stop() == 0


def test_gunicorn_reads_as_much_of_an_unwanted_body_as_our_settings_believe(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_only(monkeypatch, {})
    assert runpy.run_path(str(CONFIG))["DRAINED_BYTES"] == _DRAIN_MAX_BYTES


def test_what_lives_as_long_as_the_process_is_not_walked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _set_only(monkeypatch, {})
    app = create_app(Config.from_env({"DATABASE_URL": f"sqlite:///{tmp_path}/books.db", "EMBEDDED_WORKER": "false"}))
    try:
        runpy.run_path(str(CONFIG))["post_worker_init"](SimpleNamespace(wsgi=app))

        assert gc.get_freeze_count() > 100_000
    finally:
        gc.unfreeze()


def _set_only(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name in PLATFORM_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
