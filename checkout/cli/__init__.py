"""The operator's commands, as `flask --app app …`."""

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


def install(app: Flask) -> None:
    for command in (database, merchant, review, audit, reconcile, recover, difference, link, person, webhook):
        app.cli.add_command(command)
