"""The audit of every story, by one engine for all of them: what SQLAlchemy has compiled once serves each."""

import threading
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from checkout.services.audit import Violation, audit
from checkout.store.engine import make_engine

OURS = ("options", "timeout", "connect_timeout", "target_session_attrs")  # what make_engine asks of a connection
_one_at_a_time = threading.Lock()
_engines: dict[str, Engine] = {}
_books: dict[str, URL] = {}  # by kind of database: which of them is being looked at


def violations_in(books: Engine) -> list[Violation]:
    """What `flask audit` would find in the database that this engine leads to."""
    kind = books.url.get_backend_name()
    with _one_at_a_time:
        engine = _engines.get(kind) or _engine_for(kind, books.url)
        _books[kind] = books.url
        try:
            with Session(engine) as db:
                return audit(db)
        finally:
            engine.dispose()


def _engine_for(kind: str, url: URL) -> Engine:
    engine = _engines[kind] = make_engine(url.render_as_string(hide_password=False))
    dialect = engine.dialect
    connect = dialect.connect

    def connect_to_the_books(*_: Any, **parameters: Any) -> Any:
        there, others = dialect.create_connect_args(_books[kind])
        ours = {name: value for name, value in parameters.items() if name in OURS}
        return connect(*there, **{**others, **ours})

    # Not by the event `do_connect`: whoever listened first would be asked first, and connect to the first books.
    setattr(dialect, "connect", connect_to_the_books)  # noqa: B010 - mypy knows it as a method
    return engine
