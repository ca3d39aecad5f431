"""The hot GETs, and what starting a payment costs beside the gateway."""

from bench.deployment import BROWSER, Running, databases, running
from bench.gateway import SECONDS
from bench.load import Answers, as_fast_as_it_goes, at_a_rate, request_bytes, send
from bench.tables import table

CONNECTIONS = 4
WARM_UP, MEASURED = 1.0, 5.0
RATES = (10, 50)
PAYING_SECONDS = 8


def measure() -> list[str]:
    """Both tables, on both databases."""
    pages: list[list[str]] = []
    payments: list[list[str]] = []
    with databases() as urls:
        for name, url in urls.items():
            with running(url) as served:
                pages += ([row[0], name, *row[1:]] for row in _pages(served))
                payments += ([f"{rate}/s", name, *_paying(served, rate)] for rate in RATES)
    return [
        table(
            f"GET, one gthread worker, {CONNECTIONS} connections, gzip, as fast as it goes",
            ("what", "database", "requests/s", "p50 ms", "p99 ms", "CPU ms", "bytes"), pages,
        ),
        table(
            "Starting a payment: our own time beside the gateway's 150 ms",
            ("rate", "database", "payments", "p50 ms", "p99 ms", "CPU ms"), payments,
        ),
    ]  # fmt: skip


def _pages(served: Running) -> list[list[str]]:
    untouched, paying = served.opens(1), served.opens(2)
    assert served.picks(paying) == 303
    polls = BROWSER | {"Accept": "text/html"}  # as the page's own script does
    status = f"/pay/{paying}/status"
    etag = send("GET", served.port, status, None, polls.items())[1]["etag"]
    wanted = (
        ("/healthz (what Flask itself costs)", "/healthz", BROWSER, 200),
        ("pay page, choose", f"/pay/{untouched}", BROWSER, 200),
        ("pay page, scan", f"/pay/{paying}", BROWSER, 200),
        ("/status, changed", status, polls, 200),
        ("/status, unchanged", status, polls | {"If-None-Match": etag}, 304),
    )
    rows = []
    for title, path, headers, expected in wanted:
        request = request_bytes(path, served.port, headers)
        as_fast_as_it_goes(served.port, request, connections=CONNECTIONS, seconds=WARM_UP)
        before = served.cpu_seconds()
        answers = as_fast_as_it_goes(served.port, request, connections=CONNECTIONS, seconds=MEASURED)
        cpu = (served.cpu_seconds() - before) / len(answers.times) * 1000
        assert set(answers.statuses) == {expected}, answers.statuses
        size = len(send("GET", served.port, path, None, headers.items())[2])
        rows.append([title, f"{answers.per_second:.0f}", *_quantiles(answers), f"{cpu:.2f}", f"{size}"])
    return rows


def _paying(served: Running, rate: int) -> list[str]:
    sessions = [served.opens(number) for number in range(rate * PAYING_SECONDS)]
    before = served.cpu_seconds()
    answers = at_a_rate(lambda number: served.picks(sessions[number]), len(sessions), rate)
    cpu = (served.cpu_seconds() - before) / len(sessions) * 1000
    assert set(answers.statuses) == {303}, answers.statuses
    return [f"{len(sessions)}", *_quantiles(answers, less=SECONDS * 1000), f"{cpu:.1f}"]


def _quantiles(answers: Answers, less: float = 0.0) -> list[str]:
    return [f"{answers.quantile(share) - less:.1f}" for share in (0.5, 0.99)]
