"""Bringing the tables to what this code expects."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config


@cache
def newest() -> str | None:
    """The revision that this code was written for."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def upgrade(engine: Engine) -> None:
    """Apply what is missing; nothing when nothing is."""
    config = alembic_config()
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":  # a migration may take longer than a request may
            connection.exec_driver_sql("SET statement_timeout = 0")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
