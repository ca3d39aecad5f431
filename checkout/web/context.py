"""What a view may ask for: the parts that the composition root joined, and this request's own database session."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import Flask, current_app, g
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from checkout.domain.vault import Vault
from checkout.gateway.accounts import Gateways
from checkout.gateway.alipay import Alipay
from checkout.services.terms import Terms
from checkout.services.webhooks import WebhookSender
from checkout.web.assets import Assets
from config import Config

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """Everything that was built once and is shared by all requests and by the worker."""

    config: Config
    engine: Engine
    reading: Engine
    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    vault: Vault
    gateways: Gateways
    sender: WebhookSender
    terms: Terms
    assets: Assets
    alipay: Alipay | None = None  # the app that asks who a shopper inside Alipay is; without one nobody is asked


def parts_of(app: Flask) -> Parts:
    return cast(Parts, app.extensions["sampan"])


def parts() -> Parts:
    return parts_of(current_app)


def db() -> Session:
    """This request's session; what it left open is rolled back at the end of the request."""
    if "db" not in g:
        g.db = parts().sessions()
    return cast(Session, g.db)


def reading_session(joined: Parts) -> Session:
    return Session(joined.reading, expire_on_commit=False, autoflush=False)


def reading_db() -> Session:
    """A session that only reads: no write lock on SQLite, nothing held on PostgreSQL."""
    if "reading_db" not in g:
        g.reading_db = reading_session(parts())
    return cast(Session, g.reading_db)


def close_db(_error: BaseException | None = None) -> None:
    for name in ("db", "reading_db"):
        if session := g.pop(name, None):
            try:
                session.close()
            except SQLAlchemyError as error:  # the answer is made: a line that breaks now must not take it away
                log.warning("a connection broke when it was given back: %s", error.__cause__ or type(error).__name__)
                session.invalidate()


def now() -> datetime:
    return parts().clock()
