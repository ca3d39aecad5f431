"""What the platform asks: does the process live, and can it work?"""

import time

from alembic.runtime.migration import MigrationContext
from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from checkout.store import migrating
from checkout.store.engine import cannot_write
from checkout.web.context import parts
from checkout.web.errors import DISK_WAS_FULL

bp = Blueprint("platform", __name__)

FULL_SECONDS = 10.0  # a server's disk shows itself only to who writes: so long one request's failure speaks for all


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers; it asks nobody else, so that a database restart does not restart us too."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """The database answers, this code can work on its tables, and as far as we know they can be written."""
    try:
        with parts().reading.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            unwritable = cannot_write(connection)
    except SQLAlchemyError:
        current_app.logger.warning("not ready: the database does not answer")
        return {"status": "unavailable", "database": "unreachable"}, 503
    if not migrating.fits(found):
        return {"status": "unavailable", "database": "needs migrations"}, 503
    if time.monotonic() - current_app.extensions.get(DISK_WAS_FULL, -FULL_SECONDS) < FULL_SECONDS:
        unwritable = "disk full"
    if unwritable:
        return {"status": "unavailable", "database": unwritable}, 503
    return {"status": "ok"}
