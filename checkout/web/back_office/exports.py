"""Rows for a spreadsheet: UTF-8 that Excel recognises, and no cell that it would run (safety.md S40)."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

from checkout.domain.money import to_text
from checkout.domain.text import plain
from checkout.domain.wallets import WALLETS
from checkout.gateway.months import HONG_KONG

BOM = "\ufeff"
COLUMNS = (
    "Kind", "Hong Kong time", "UTC time", "Reference", "Support code", "Status", "Wallet", "Currency", "Amount",
    "Description", "Reason", "out_trade_no", "syssn", "Session", "Metadata",
)  # fmt: skip

# What a spreadsheet takes for a formula, also in the full-width letters of a Chinese keyboard (OWASP, CSV injection).
_RUNS = re.compile(r"[\s\0]*[=+\-@\t\r\0＝＋－＠]")
# What Excel would take for a number or a date and show another way: rounded, without its zeros, as a power of ten.
_RENUMBERED = re.compile(
    r"[0-9]{12,}|0[0-9]+|[0-9]+([-/:.,][0-9]+)+|[0-9]+(\.[0-9]+)?E[+-]?[0-9]+", re.ASCII | re.IGNORECASE
)


def heading() -> str:
    return BOM + _written(COLUMNS)


def line(row: Any) -> str:
    """One payment or refund. Refunds are no negative amounts: their kind says it."""
    return _written(
        (
            row.kind, _time(row.at, HONG_KONG), _time(row.at, UTC), safe(row.reference), row.support_code, row.word,
            WALLETS[row.wallet].label, row.currency, _amount(row.amount, row.currency), safe(row.description),
            safe(row.reason), row.out_trade_no, safe(row.syssn or ""), row.session_id, _pairs(row.details),
        )
    )  # fmt: skip


def safe(text: str) -> str:
    """Behind a quote mark a spreadsheet shows what it would otherwise run, or change."""
    found = plain(text)
    return f"'{found}" if _RUNS.match(text) or _RUNS.match(found) or _RENUMBERED.fullmatch(found) else found


def _pairs(details: dict[str, str]) -> str:
    """The merchant's own pairs as JSON in one cell."""
    return safe(json.dumps(details, ensure_ascii=False)) if details else ""


def _time(moment: datetime, zone: Any) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _amount(amount: int, currency: str) -> str:
    try:
        return to_text(amount, currency)
    except ValueError:  # a mismatch may have a currency that we do not know
        return str(amount)


def _written(cells: tuple[str, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
