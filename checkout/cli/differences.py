"""Commands that hold our books against the gateway's: `reconcile`, `recover` and `difference`."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.money import to_text
from checkout.gateway.months import day_of
from checkout.services import differences
from checkout.services.comparing import SETTLING
from checkout.services.enquiries import Asking, Lanes
from checkout.services.reconciling import Reconciled, last_days, merchants_on, reconcile_day
from checkout.services.recovering import recover as recover_books
from checkout.store.oversight import Difference
from checkout.web.context import Parts, parts, reading_session

EARLIEST = 2020  # the year: nothing of ours is older

difference = AppGroup("difference", help="Where the gateway's books and ours differ.")


@click.command("reconcile")
@click.option("--day", help="YYYY-MM-DD, a day in Hong Kong; by default the last two that are over.")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def reconcile(day: str | None, as_json: bool) -> None:
    """Compare our books with the gateway's, day by day. Exit 0 when nothing is left open."""
    logs.to_stderr()
    joined = parts()
    days = last_days(joined.clock()) if day is None else (_day(day, joined.clock()),)
    settling = SETTLING if day is None else timedelta(0)  # who asks about today wants to hear of now, too
    done = [
        reconcile_day(_asking(joined), merchant_id, one, settling=settling)
        for one in days
        for merchant_id in _merchants(joined, one)
    ]
    if as_json:
        click.echo(json.dumps({"days": [_as_dict(one) for one in done]}))
    else:
        for one in done:
            _tell(one, f"{one.merchant_id}  {one.day}")
        click.echo(_verdict(done) if done else "Nobody was with us on that day.")
    sys.exit(0 if all(one.clean for one in done) else 1)


@click.command("recover")
@click.option("--since", required=True, help="When the backup was made, as 2026-03-10T04:00:00Z; earlier does no harm.")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def recover(since: str, as_json: bool) -> None:
    """Bring a restored backup up to what the gateway knows, before web and worker start. Exit 0: all is explained."""
    logs.to_stderr()
    joined = parts()
    done = recover_books(_asking(joined), _moment(since, joined.clock()))
    if as_json:
        counts = {"refunds_held": done.refunds_held, "attempts_due": done.attempts_due}
        click.echo(json.dumps(counts | {"merchants": [_as_dict(one) for one in done.looked]}))
    else:
        click.echo(f"{done.refunds_held} refunds that may have been sent since are asked about before they are sent.")
        click.echo(f"{done.attempts_due} attempts are due to be asked about as soon as a worker runs.")
        for one in done.looked:
            _tell(one, one.merchant_id)
        click.echo(_verdict(done.looked))
    sys.exit(0 if done.clean else 1)


@difference.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were resolved too.")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def list_differences(every: bool, as_json: bool) -> None:
    """List what is open, oldest first."""
    logs.to_stderr()
    with reading_session(parts()) as db:
        rows = differences.listed(db, every=every)
    if as_json:
        click.echo(json.dumps({"differences": [_difference(row) for row in rows]}))
        return
    for row in rows:
        click.echo(f"{row.merchant_id}  {_line(row)}")
    if not rows:
        click.echo("No difference is open.")


@difference.command("resolve")
@click.argument("difference_id")
@click.option("--note", required=True, help="What it was, and what was done about it.")
@with_appcontext
def resolve(difference_id: str, note: str) -> None:
    """Close a difference that somebody has looked into."""
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        try:
            differences.resolve(db, difference_id, note, joined.clock())
        except NotFound:
            raise click.ClickException(f"There is no difference {difference_id}.") from None
        except Refused:
            raise click.ClickException(f"{difference_id} was resolved before.") from None
        except Invalid as error:
            raise click.ClickException(f"--note {error.errors['note']}.") from None
    click.echo(f"{difference_id} is resolved.")


def _asking(joined: Parts) -> Asking:
    return Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, joined.clock, Lanes())


def _merchants(joined: Parts, day: date) -> Sequence[str]:
    with reading_session(joined) as db:
        return merchants_on(db, day)


def _day(text: str, now: datetime) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise click.ClickException(f"--day must be a day such as 2026-03-10, not {text}.") from None
    if day > day_of(now):
        raise click.ClickException(f"{day} has not begun in Hong Kong.")
    return day


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.ClickException(f"--since must be a moment such as 2026-03-10T04:00:00Z, not {text}.") from None
    if moment.tzinfo is None:
        raise click.ClickException("--since needs a time zone: end it with Z for UTC, or +08:00 for Hong Kong.")
    if moment > now:
        raise click.ClickException(f"--since {text} lies in the future.")
    if moment.year < EARLIEST:
        raise click.ClickException(f"--since {text} lies before every payment: give the moment of the backup.")
    return moment.astimezone(UTC)


def _tell(done: Reconciled, who: str) -> None:
    mended = len(done.differences) - len(done.open)
    counts = f"{done.payments} payments, {done.refunds} refunds, {len(done.open)} differences open, {mended} put right"
    click.echo(f"{who}  {done.trouble or counts}")
    for row in done.differences:
        click.echo(f"  {_line(row)}")


def _verdict(done: Sequence[Reconciled]) -> str:
    troubled, left = sum(bool(one.trouble) for one in done), sum(len(one.open) for one in done)
    if not troubled and not left:
        return "Nothing is unexplained."
    return f"{left} differences are open, and {troubled} comparisons could not be finished: run this again for those."


def _line(row: Difference) -> str:
    state = f"resolved: {row.resolution}" if row.resolved_at else "open"
    return f"{row.id}  {row.kind}  {row.out_trade_no or '-'}  {row.syssn or '-'}  {_money(row)}  {state}"


def _money(row: Difference) -> str:
    if row.amount is None:
        return "no amount"
    try:
        return f"{row.currency} {to_text(row.amount, row.currency)}"
    except ValueError:  # the gateway named a currency that we do not know, or none
        return f"{row.amount} minor units"


def _as_dict(done: Reconciled) -> dict[str, Any]:
    return {
        "merchant_id": done.merchant_id,
        "day": done.day.isoformat(),
        "payments": done.payments,
        "refunds": done.refunds,
        "trouble": done.trouble,
        "differences": [_difference(row) for row in done.differences],
    }


def _difference(row: Difference) -> dict[str, Any]:
    return {
        "id": row.id,
        "merchant_id": row.merchant_id,
        "kind": row.kind,
        "says": differences.KINDS[row.kind],
        "out_trade_no": row.out_trade_no,
        "syssn": row.syssn,
        "session": row.session_id,
        "amount": row.amount,
        "currency": row.currency,
        "details": row.details,
        "found_at": row.found_at.isoformat(),
        "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
        "resolution": row.resolution,
    }
