"""The operator's commands, as `flask --app app …`."""

from flask import Flask

from checkout.cli.books import audit, database
from checkout.cli.merchants import merchant


def install(app: Flask) -> None:
    for command in (database, merchant, audit):
        app.cli.add_command(command)
