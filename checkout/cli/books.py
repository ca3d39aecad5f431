"""Commands about the books as a whole: `db upgrade` and `audit`."""

import json
import sys

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.cli.merchants import environment_shop, introduce
from checkout.services import audit as auditing
from checkout.services import merchants
from checkout.store import migrating
from checkout.web.context import parts, reading_session

database = AppGroup("db", help="The database.")


@database.command("upgrade")
@with_appcontext
def upgrade() -> None:
    """Apply missing migrations, then create or update the merchant of the environment."""
    logs.to_stderr()
    joined = parts()
    migrating.upgrade(joined.engine)
    config = joined.config
    if not config.QFPAY_APP_CODE:
        return
    with joined.sessions() as db:
        told = merchants.put_environment_merchant(
            db, joined.vault, joined.terms, environment_shop(config), now=joined.clock()
        )
    if told:
        introduce(told, hide_key=bool(config.MERCHANT_API_KEY), hide_secret=bool(config.MERCHANT_WEBHOOK_SECRET))


@click.command("audit")
@click.option("--json", "as_json", is_flag=True)
@with_appcontext
def audit(as_json: bool) -> None:
    """Evaluate the money invariants over the books. Exit 0 when all hold."""
    logs.to_stderr()
    with reading_session(parts()) as db:
        violations = auditing.audit(db)
    if as_json:
        click.echo(json.dumps({"violations": [violation.as_dict() for violation in violations]}))
    else:
        for violation in violations:
            click.echo(f"{violation.invariant}  {violation.subject}  {violation.message}")
        held = ", ".join(auditing.CHECKS)
        click.echo(f"{len(violations)} violations." if violations else f"All hold: {held}.")
    sys.exit(1 if violations else 0)
