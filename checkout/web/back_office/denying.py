"""Denied tries, for the audit log: written down when the answer has been sent."""

import logging

from flask import Response, after_this_request
from sqlalchemy.exc import SQLAlchemyError

from checkout.services import denials
from checkout.services.denials import Denial
from checkout.web.context import now, parts

log = logging.getLogger(__name__)


def tell(denial: Denial) -> None:
    """Not while anybody waits: the time of an answer must not tell whether an address is somebody's."""
    joined, moment = parts(), now()

    def write() -> None:
        try:
            with joined.sessions() as db:
                denials.note(db, denial, moment)
        except SQLAlchemyError as error:
            log.warning("a denied try was not written down: %s", type(error.__cause__ or error).__name__)

    def later(response: Response) -> Response:
        response.call_on_close(write)
        return response

    after_this_request(later)
