"""Commands for the person who must look: `review list`, `close`, `refund`, `resend` and `accept`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.domain.errors import NotFound, Refused
from checkout.domain.money import to_text
from checkout.services import reviews
from checkout.web.context import parts, reading_session

review = AppGroup("review", help="Sessions that a person must look at.")

LONGEST_REASON = 500

Command = Callable[..., Any]


def _readable(_context: click.Context, _option: click.Parameter, value: str) -> str:
    text = value.strip()
    if not text or len(text) > LONGEST_REASON or not text.isprintable():
        raise click.BadParameter(f"must have 1 to {LONGEST_REASON} printable characters")
    return text


def _decides(command: Command) -> Command:
    """A session, and why: the reason stands in the audit log for good."""
    why = click.option("--reason", required=True, callback=_readable, help="Kept in the audit log; no personal data.")
    return click.argument("session_id")(why(with_appcontext(command)))


@contextmanager
def _in_plain_words(session_id: str) -> Iterator[None]:
    logs.to_stderr()
    try:
        yield
    except NotFound:
        raise click.ClickException(f"There is no session {session_id}.") from None
    except Refused as error:
        raise click.ClickException(f"{session_id}: {error}.") from None


@review.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else on stdout.")
@with_appcontext
def listing(as_json: bool) -> None:
    """Every session under review, the longest waiting first, with the money that moved."""
    logs.to_stderr()
    with reading_session(parts()) as db:
        found = reviews.open_reviews(db)
    if as_json:
        click.echo(json.dumps({"reviews": found}, ensure_ascii=False))
        return
    for one in found:
        asked = f"{one['currency']} {to_text(one['amount'], one['currency'])}"
        click.echo(f"{one['session']}  {', '.join((one['because'], *one['also']))}  since {one['since']}")
        click.echo(f"    {one['status']}, {asked}, reference {one['reference']}, merchant {one['merchant']}")
        for paid in one["payments"]:
            click.echo(
                f"    {paid['role']} payment of {_spelled(paid['amount'], paid['currency'])}, given back "
                f"{_spelled(paid['given_back'], paid['currency'])}: {paid['out_trade_no']}, syssn {paid['syssn']}"
            )
    click.echo(f"{len(found)} under review." if found else "Nothing is under review.")


def _spelled(amount: int, currency: str) -> str:
    """As people read it; a currency that we do not know, which a mismatch may have, in minor units."""
    try:
        return f"{currency} {to_text(amount, currency)}"
    except ValueError:
        return f"{currency} {amount} (minor units)"


@review.command("close")
@_decides
def close(session_id: str, reason: str) -> None:
    """Say that nothing is left to do. The money stays where it is."""
    joined = parts()
    with _in_plain_words(session_id), joined.sessions() as db:
        reviews.close_review(db, joined.terms, session_id, reason=reason, now=joined.clock())
    click.echo(f"The review of {session_id} is closed.")


@review.command("refund")
@_decides
def refund(session_id: str, reason: str) -> None:
    """Send back what is late, came twice or does not fit, all that is left of it."""
    joined = parts()
    with _in_plain_words(session_id), joined.sessions() as db:
        amount = reviews.give_back_what_is_held(db, joined.terms, session_id, reason=reason, now=joined.clock())
    click.echo(f"{amount} minor units of {session_id} are on their way back; the merchant hears how it ends.")


@review.command("resend")
@_decides
def resend(session_id: str, reason: str) -> None:
    """Send a refund that got no answer eight times once more, under its own number."""
    joined = parts()
    with _in_plain_words(session_id), joined.sessions() as db:
        number = reviews.send_again(db, session_id, reason=reason, now=joined.clock())
    click.echo(f"{number} refund(s) of {session_id} will be sent once more, unless QFPay's books show them now.")


@review.command("accept")
@_decides
def accept(session_id: str, reason: str) -> None:
    """Take late money for the order: the session becomes paid, and the merchant is told to deliver."""
    joined = parts()
    with _in_plain_words(session_id), joined.sessions() as db:
        reviews.accept_late_money(db, joined.terms, session_id, reason=reason, now=joined.clock())
    click.echo(f"{session_id} is paid.")
