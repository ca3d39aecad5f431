"""Takings by the gateway's own day, with a chart, and the same as a file for a spreadsheet."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

from flask import Blueprint, Response, abort, request, stream_with_context
from flask.typing import ResponseReturnValue

from checkout.domain.roles import May
from checkout.gateway.months import day_of, midnight
from checkout.store import office_queries
from checkout.web.back_office import exports, guard, searches
from checkout.web.back_office.charts import bars
from checkout.web.back_office.guard import needs
from checkout.web.back_office.look import page
from checkout.web.context import now, parts, reading_db, reading_session

bp = Blueprint("takings", __name__, url_prefix="/<shop_id>/takings")

AT_ONCE = 500  # rows: as many as one read of the export holds in memory


@bp.get("")
@needs(May.SEE)
def show() -> ResponseReturnValue:
    """One month, by default this one, and today."""
    today = day_of(now())
    month = searches.month_of(request.args.get("month", "")) or today.replace(day=1)
    following = _month_after(month)
    found = office_queries.takings(reading_db(), guard.shop().id, midnight(month), midnight(following))
    by_currency: dict[str, list[Any]] = defaultdict(list)
    for row in found:
        by_currency[row.currency].append(row)
    return page(
        "office/takings.html",
        month=month,
        today=today.isoformat(),
        this_month=today.replace(day=1) == month,
        before=(month - timedelta(days=1)).replace(day=1),
        following=following if following <= today else None,
        sums=[_sum(currency, rows, today, month) for currency, rows in sorted(by_currency.items())],
    )


def _month_after(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _sum(currency: str, rows: list[Any], today: date, month: date) -> dict[str, Any]:
    days = {row.day: row for row in rows}
    of_today = days.get(today.isoformat())
    length = (_month_after(month) - month).days
    taken = [int(days[day].taken) if day in days else 0 for day in _days(month, length)]
    return {
        "currency": currency,
        "today": None if of_today is None else (int(of_today.taken), int(of_today.returned), int(of_today.payments)),
        "taken": sum(taken),
        "returned": sum(int(row.returned) for row in rows),
        "payments": sum(int(row.payments) for row in rows),
        "days": [(date.fromisoformat(row.day), row) for row in reversed(rows)],
        "chart": bars(taken, today.day if today.replace(day=1) == month else 0),
    }


def _days(month: date, length: int) -> Iterator[str]:
    return ((month + timedelta(days=passed)).isoformat() for passed in range(length))


@bp.get("/export.csv")
@needs(May.EXPORT)
def export() -> ResponseReturnValue:
    """A month or a day of Hong Kong, as it is read: never the whole of it in memory."""
    month, day = searches.month_of(request.args.get("month", "")), searches.day_of(request.args.get("day", ""))
    if month:
        name, start, end = f"{month:%Y-%m}", midnight(month), midnight(_month_after(month))
    elif day:
        name, start, end = day.isoformat(), midnight(day), midnight(day + timedelta(days=1))
    else:
        abort(400)
    rows = chain([exports.heading()], map(exports.line, _movements(guard.shop().id, (start, end))))
    response = Response(stream_with_context(rows), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="payments-{name}.csv"'
    return response


def _movements(merchant_id: str, span: tuple[datetime, datetime]) -> Iterator[Any]:
    """Each read is a connection of its own, given back before the file goes on: a slow reader holds nothing."""
    for kind in (0, 1):
        last = ""
        while True:
            with reading_session(parts()) as db:
                rows = office_queries.movements(db, merchant_id, span, (kind, last), limit=AT_ONCE)
            yield from rows
            if len(rows) < AT_ONCE:
                break
            last = rows[-1].id
