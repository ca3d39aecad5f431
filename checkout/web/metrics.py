"""What Prometheus reads: the state of the books from the database, and how long our answers take.

The books are one for all processes, so any of them may say how they are. Times of answers are kept by
each process in a file of its own, which gunicorn.conf.py gives it a place for, and added up when asked.
"""

import hmac
import os
import threading
import time
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, current_app, g, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from checkout.services.gauges import Gauges, read_gauges
from checkout.web.context import Parts, now, parts, reading_session

bp = Blueprint("metrics", __name__)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
KEPT_SECONDS = 5.0  # however often somebody asks, the database is asked so seldom
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_OWN = CollectorRegistry()
_ANSWERS = Histogram(
    "sampan_http_request_seconds",
    "How long an answer took, by route (never by address).",
    ["method", "route", "status"],
    buckets=BUCKETS,
    registry=_OWN,
)
_KNOWN = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}  # any other word is a stranger's, and one of many


def install(app: Flask) -> None:
    app.extensions["sampan.gauges"] = _Kept()
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    if parts().config.METRICS_TOKEN and "began" in g:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _KNOWN else "other"
        _ANSWERS.labels(method, route, f"{response.status_code // 100}xx").observe(time.perf_counter() - g.began)
    return response


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """For whoever knows METRICS_TOKEN; to everybody else this address does not exist (safety.md S44)."""
    token = parts().config.METRICS_TOKEN
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        abort(404)
    registry = CollectorRegistry()
    if SHARED in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Everything())
    registry.register(_Books(current_app.extensions["sampan.gauges"].of(parts())))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Everything(Collector):
    """What this one process has measured."""

    def collect(self) -> Iterator[Metric]:
        yield from _OWN.collect()


class _Kept:
    """The last figures, for a few seconds; None when the database did not answer."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._read_at = -KEPT_SECONDS
        self._gauges: Gauges | None = None

    def of(self, joined: Parts) -> Gauges | None:
        with self._reading:
            if time.monotonic() - self._read_at >= KEPT_SECONDS:
                self._gauges, self._read_at = self._ask(joined), time.monotonic()
            return self._gauges

    def _ask(self, joined: Parts) -> Gauges | None:
        try:
            with reading_session(joined) as db:
                return read_gauges(db, now())
        except SQLAlchemyError:
            return None


class _Books(Collector):
    def __init__(self, gauges: Gauges | None) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("sampan_database_up", "1: the database answered.", value=float(bool(self._gauges)))
        if found := self._gauges:
            yield _by("sampan_due", "Rows whose time has come, and that nobody works on.", "queue", found.waiting)
            yield _by("sampan_due_oldest_seconds", "How long the oldest of them waits.", "queue", found.oldest)
            failed = {"dead": found.dead_deliveries, "blocked": found.blocked_deliveries}
            yield _by("sampan_deliveries_failed", "Webhooks that are not sent again by themselves.", "status", failed)
            for name, says, value in _figures(found):
                yield GaugeMetricFamily(name, says, value=value)


def _figures(found: Gauges) -> Iterator[tuple[str, str, float]]:
    yield "sampan_sessions_open", "Sessions that can be paid, or whose code still can.", found.open_sessions
    yield "sampan_reviews_open", "Sessions that a person must look at.", found.reviews
    yield "sampan_differences_open", "Differences from the gateway's books that nobody has resolved.", found.differences
    yield "sampan_breakers_open", "Gateway credentials that do not answer.", found.open_breakers
    if found.scarcest_budget is not None:
        yield "sampan_gateway_budget_lowest", "Calls left in the emptiest budget.", found.scarcest_budget


def _by(name: str, says: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
