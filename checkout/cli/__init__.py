"""The operator's commands, as `flask --app app …`."""

from flask import Flask

from checkout.cli.books import audit, database
from checkout.cli.differences import difference, reconcile, recover
from checkout.cli.merchants import merchant
from checkout.cli.reviews import review


def install(app: Flask) -> None:
    for command in (database, merchant, review, audit, reconcile, recover, difference):
        app.cli.add_command(command)
