"""Logs: one JSON object a line on stdout in production, plain lines in development; ids, never bodies or secrets."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import structlog

# Anything that looks like a key, a signature or an address to pay at, wherever it turns up (safety.md S17).
_SECRET = re.compile(
    r"(?P<url>https?://[^\s\"'<>]*(?:pay|gateway|wallet|qr)[^\s\"'<>]*)"
    r"|(?P<named>(?:sk_|whsec_)[A-Za-z0-9_+/=-]{8,})"
    r"|(?P<run>\b(?!(?:cs|at|py|evt|dlv|gw|m)_)[A-Za-z0-9+/]{32,}={0,2})"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    return _SECRET.sub("[redacted]", text)


def _redacted(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in entry.items()}


def _extras(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> Mapping[str, Any]:
    record: logging.LogRecord = entry["_record"]
    return {
        **entry,
        **{name: value for name, value in vars(record).items() if name not in _STANDARD and name[0] != "_"},
    }


def formatter(*, json_lines: bool) -> logging.Formatter:
    """Also named by gunicorn.conf.py, so that the server's own lines look like ours."""
    renderer: Any = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=False)
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _extras,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redacted,
            renderer,
        ]
    )


def set_up(*, json_lines: bool, level: str) -> None:
    """Send all of Python's logging through one handler. Safe to call again."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter(json_lines=json_lines))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("werkzeug").setLevel("WARNING")
    logging.getLogger("alembic").setLevel("WARNING")


def to_stderr() -> None:
    """For commands: what a person or a script asked for stands alone on stdout."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):  # ours, and nobody else's
            cast(logging.StreamHandler[Any], handler).setStream(sys.stderr)
