"""Commands about the books as a whole: `db upgrade` and `audit`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.cli.merchants import introduce
from checkout.domain.errors import Invalid, Refused
from checkout.services import audit as auditing
from checkout.services import merchants
from checkout.store import migrating
from checkout.store.engine import reading_engine, unhurried
from checkout.web.context import parts, reading_session
from config import what_to_set

database = AppGroup("db", help="The database.")


@database.command("upgrade")
@click.option("--leave-account", is_flag=True, help="Change the QFPay account although payments of it may be lost.")
@with_appcontext
def upgrade(leave_account: bool) -> None:
    """Apply missing migrations, then create or update the merchant of the environment."""
    logs.to_stderr()
    joined = parts()
    migrating.upgrade(joined.engine)
    config = joined.config
    if not config.QFPAY_APP_CODE:
        return
    with joined.sessions() as db:
        try:
            told = merchants.put_environment_merchant(
                db, joined.vault, joined.terms, config.shop, now=joined.clock(), leave_account=leave_account
            )
        except Invalid as error:  # what only the books can tell
            raise click.ClickException(" ".join(what_to_set(error.errors))) from None
        except Refused as error:
            raise click.ClickException(f"Set MERCHANT_API_KEY to another key: {error}.") from None
    if told:
        introduce(told, hide_key=bool(config.MERCHANT_API_KEY), hide_secret=bool(config.MERCHANT_WEBHOOK_SECRET))


@click.command("audit")
@click.option("--json", "as_json", is_flag=True)
@click.option("--words", is_flag=True, help="Also open every kept word of the gateway and compare its digest.")
@with_appcontext
def audit(as_json: bool, words: bool) -> None:
    """Evaluate the money invariants over the books. Exit 0 when all hold."""
    logs.to_stderr()
    with reading_session(replace(parts(), reading=reading_engine(unhurried(parts().engine)))) as db:
        violations = auditing.audit(db, parts().vault if words else None)
        matters = auditing.open_matters(db, parts().clock())
    if as_json:
        click.echo(json.dumps({"violations": [violation.as_dict() for violation in violations]}))
    else:
        click.echo("\n".join(_told(violations, matters)))
    sys.exit(1 if violations else 0)


def _told(violations: list[auditing.Violation], matters: dict[str, int]) -> Iterator[str]:
    for violation in violations:
        yield f"{violation.invariant}  {violation.subject}  {violation.message}"
    if violations:
        yield f"{len(violations)} violations."
    broken = {violation.invariant for violation in violations}
    held = ", ".join(name for name in auditing.names() if name not in broken)
    yield f"{'These' if broken else 'All'} hold: {held}."
    yield "Not in the books, but proven by tests:"
    yield from (f"  {name}  {where}" for name, where in auditing.ELSEWHERE.items())
    if matters:
        yield f"Waiting for a person: {', '.join(f'{number} {what}' for what, number in matters.items())}."
