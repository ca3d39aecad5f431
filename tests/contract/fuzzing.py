"""Schemathesis in all its phases against the application in this process."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.transport.wsgi import WSGITransport

ONLY_FOR_SOCKETS = ("max_redirects", "verify", "cert", "proxies")


class InProcess(WSGITransport):
    """Without what only a socket has: repeated calls bring it along, and werkzeug's client does not know it."""

    def send(self, case: Any, *, session: Any = None, **options: Any) -> Any:
        for name in ONLY_FOR_SOCKETS:
            options.pop(name, None)
        return super().send(case, session=session, **options)


@dataclass
class Outcome:
    """What one run has seen: cases by phase, answers by status, and everything that went wrong, in words."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.cases.values())


def run(
    app: Flask, api_key: str, settings: dict[str, Any], *, tag: str | None = None, seen: Outcome | None = None
) -> Outcome:
    """All operations (of one chapter), all phases, with what `settings` adds to Schemathesis's own configuration.

    What comes of it is added to what was `seen` before.
    """
    others = [{"exclude-tag": tag, "enabled": False}] if tag else []
    operations = [*settings.get("operations", []), *others]
    key = {"openapi": {"apiKey": {"bearer": api_key}}}
    config = SchemathesisConfig.from_dict(
        {**settings, "auth": key, "continue-on-failure": True, "operations": operations}
    )
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app, config=config)
    schema.transport.__class__ = InProcess  # it is one for all schemas
    seen = seen or Outcome()
    for event in from_schema(schema).execute():
        if isinstance(event, ScenarioFinished):
            _note(seen, event)
        elif isinstance(event, NonFatalError):
            seen.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, FatalError):
            seen.errors.append(repr(event.exception))
    return seen


def _note(seen: Outcome, event: ScenarioFinished) -> None:
    seen.cases[event.phase.value] += len(event.recorder.interactions)
    for call in event.recorder.interactions.values():
        if call.response is not None:
            seen.statuses[call.response.status_code] += 1
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is None or _was_lost_on_the_wire(check.name, event.recorder.cases[case_id].value):
                continue
            failure = check.failure_info.failure
            call = event.recorder.interactions[case_id]
            asked = f"{call.request.method} {call.request.uri} {(call.request.body or b'')[:300]!r}"
            said = call.response.content[:300] if call.response else b""
            seen.failures.setdefault(
                f"{event.label}: {check.name}: {failure.message[:200]}", f"{asked}\n    -> {said!r}"
            )


def _was_lost_on_the_wire(check: str, case: Any) -> bool:
    """What was wrong with the call: `metadata[a]` with null or false in it arrives as a text, and is one."""
    pairs = [value for name, value in (case.query or {}).items() if name.startswith("metadata[")]
    return check == "negative_data_rejection" and any(not isinstance(value, str) for value in pairs)
