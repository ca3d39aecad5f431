"""How gunicorn serves the web process."""

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # gunicorn reads this file before it looks for the app

from config import Config

DRAINED_BYTES = 64 * 1024  # what gunicorn itself reads of a body that nobody wanted

# A bad setting stops the start here, with its one sentence; in a worker it would be tried again for ever.
_config = Config.from_env()

# Where the workers leave what they have measured, so that any of them can answer for all (checkout/web/metrics.py).
_measured = tempfile.mkdtemp(prefix="sampan-metrics-") if _config.METRICS_TOKEN else None
if _measured:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _measured

bind = f"{_config.HOST}:{_config.PORT}"

worker_class = "gthread"
workers = _config.WEB_CONCURRENCY
threads = 16
timeout = 30
keepalive = 15  # longer than the pause between two polls, so that a page keeps its connection
graceful_timeout = 24  # SIGTERM: finish and leave within 25 s
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a slow disk must not look like a dead worker

# Only PROXY_HOPS decides which forwarded headers count. gunicorn would trust 127.0.0.1 of itself.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

limit_request_line = 8190  # signed links carry a whole order in their query
limit_request_fields = 64
limit_request_field_size = 8190

accesslog = None  # a URL names a session, and whoever has it may see it
control_socket_disable = True

# The server's own lines look like ours: one JSON object a line on stdout in production.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": "checkout.logs.formatter", "json_lines": _config.production}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "ours", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
        "alembic": {"level": "WARNING"},
    },
}


def pre_request(_worker: Any, request: Any) -> None:
    """Who sends a body that gunicorn would not read to its end is told with the answer that the line ends.

    If we want none of it, gunicorn reads some, then closes the line without a word, and a client that keeps it for the
    next call would find it broken.
    """
    sizes = [value for name, value in request.headers if name == "CONTENT-LENGTH"]
    if any(size.isdigit() and int(size) >= DRAINED_BYTES for size in sizes):
        request.must_close = True


def post_worker_init(worker: Any) -> None:
    """Start the embedded worker, after the fork: threads do not survive one."""
    from checkout.background import start_background

    # Some 160,000 objects live as long as the process. To walk them all takes 110 ms, in which no thread answers.
    gc.collect()
    gc.freeze()
    start_background(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """Let the embedded worker finish what it holds."""
    from checkout.background import stop_background

    if hasattr(worker, "wsgi"):  # the app may have refused to start
        stop_background(worker.wsgi)


def on_exit(_server: Any) -> None:
    """The figures begin anew with the next start, as Prometheus expects of counters."""
    if _measured:
        shutil.rmtree(_measured, ignore_errors=True)
