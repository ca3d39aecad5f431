"""What the platform asks: does the process live, and can it work?"""

from alembic.runtime.migration import MigrationContext
from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from checkout.store import migrating
from checkout.web.context import parts

bp = Blueprint("platform", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers; it asks nobody else, so that a database restart does not restart us too."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """The database answers and its tables are those of this code."""
    try:
        with parts().reading.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError:
        current_app.logger.warning("not ready: the database does not answer")
        return {"status": "unavailable", "database": "unreachable"}, 503
    if found != migrating.newest():
        return {"status": "unavailable", "database": "needs migrations"}, 503
    return {"status": "ok"}
