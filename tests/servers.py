"""Real servers for tests, each on a loopback port of its own: a WSGI app, a subprocess."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"
REPOSITORY = Path(__file__).parent.parent


def free_port() -> int:
    """A TCP port that refuses connections until a server takes it, and is given to nobody who asks for any.

    It stays bound as long as this process lives: Linux lets servers, which set SO_REUSEADDR, listen there all the same.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind((LOOPBACK, 0))
    port: int = probe.getsockname()[1]
    probe.detach()
    return port


def wait_until(ready: Callable[[], bool], seconds: float, else_say: Callable[[], str]) -> None:
    """Ask until it is true; raises TimeoutError with the sentence after so many seconds."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(else_say())
        time.sleep(0.05)


class HttpServer:
    """A WSGI app behind a real socket, in a thread of this process."""

    def __init__(self, app: "WSGIApplication", port: int = 0) -> None:
        self._server = make_server(LOOPBACK, port, app, threaded=True)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class Process:
    """A subprocess of ours, from the repository's root; what it writes is kept in a file, so it never blocks."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        # Signals of the terminal are pytest's to handle, hence the session of its own.
        self._child = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()

    def output(self) -> str:
        """Standard output and standard error so far."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def wait_for(self, url: str, seconds: float = 60) -> None:
        """Return once the URL answers, whatever its status; raises with the output if it ends or stays silent."""

        def answers() -> bool:
            if self.returncode() is not None:
                raise RuntimeError(f"ended with {self.returncode()} before {url} answered:\n{self.output()}")
            return _answers(url)

        wait_until(answers, seconds, lambda: f"{url} stayed silent for {seconds} s:\n{self.output()}")

    def send(self, number: signal.Signals) -> None:
        """One signal to the process itself, not to its children."""
        if self.returncode() is None:
            os.kill(self.pid, number)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, then SIGKILL to it and its children after so many seconds; the exit code."""
        self.send(signal.SIGTERM)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            return self._child.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False


def python_script(name: str) -> str:
    """The path of a command that is installed beside this Python, such as `gunicorn`."""
    return str(Path(sys.executable).parent / name)
