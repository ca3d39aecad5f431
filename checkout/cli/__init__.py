"""The operator's commands, as `flask --app app …`."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
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
from checkout.domain.vault import CannotOpen
from checkout.store.migrating import NeedsUpgrade, Unreachable, needing_tables, reaching
from checkout.web.context import parts_of


def install(app: Flask) -> None:
    engine = parts_of(app).engine
    app.cli.add_command(_in_plain_words(database, lambda: reaching(engine)))
    for command in (merchant, review, audit, reconcile, recover, difference, link, person, webhook):
        app.cli.add_command(_in_plain_words(command, lambda: needing_tables(engine)))


def _in_plain_words(command: click.Command, minding: Callable[[], AbstractContextManager[None]]) -> click.Command:
    """The same command or group; where the database or SECRET_KEY is why it cannot work, it ends with a sentence."""

    def invoke(context: click.Context) -> Any:
        try:
            with minding():
                return command.invoke(context)
        except Unreachable as error:
            raise click.ClickException(f"The database cannot be reached; look at DATABASE_URL: {error}.") from None
        except NeedsUpgrade:
            raise click.ClickException("The database is not up to date: run `flask --app app db upgrade`.") from None
        except CannotOpen as sealed:
            told = f"SECRET_KEY does not open {sealed}: put the key that sealed it behind the new one, after a comma."
            raise click.ClickException(told) from None

    wary = copy.copy(command)
    wary.invoke = invoke  # type: ignore[method-assign, assignment]
    return wary
