"""The operator's commands, as `flask --app app …`."""

import copy
from typing import Any

import click
from flask import Flask

from checkout.cli.api_keys import key  # noqa: F401 - stands below `merchant`
from checkout.cli.books import audit, database
from checkout.cli.differences import difference, reconcile, recover
from checkout.cli.links import link
from checkout.cli.looks import brand  # noqa: F401 - stands below `merchant`
from checkout.cli.merchants import merchant
from checkout.cli.people import person
from checkout.cli.reviews import review
from checkout.cli.webhooks import webhook
from checkout.store.migrating import NeedsUpgrade, needing_tables
from checkout.web.context import parts_of


def install(app: Flask) -> None:
    app.cli.add_command(database)
    for command in (merchant, review, audit, reconcile, recover, difference, link, person, webhook):
        app.cli.add_command(_needing_tables(command, app))


def _needing_tables(command: click.Command, app: Flask) -> click.Command:
    """The same command or group; where the tables are missing or too old, it ends with a sentence on what to run."""

    def invoke(context: click.Context) -> Any:
        try:
            with needing_tables(parts_of(app).engine):
                return command.invoke(context)
        except NeedsUpgrade:
            raise click.ClickException("The database is not up to date: run `flask --app app db upgrade`.") from None

    wary = copy.copy(command)
    wary.invoke = invoke  # type: ignore[method-assign, assignment]
    return wary
