"""What is compiled once for all applications of a test process: SQLAlchemy's statements, templates, and routes.

Each story builds an application of its own, and a process in production builds one: there everything is compiled at its
first use too, and then kept by SQLAlchemy and Jinja themselves. Half of a short story's time went into compiling again.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Connection, Engine, event
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]
MOST_STATEMENTS = 5_000  # there are hundreds; their keys hold on to the tables of whoever made them


class Statements(dict[Any, Any]):
    """A cache of SQLAlchemy's for engines that differ in nothing but the database they lead to."""

    def get(self, key: Any, default: Any = None, /) -> Any:
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        if len(self) >= MOST_STATEMENTS:
            self.clear()
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: Any) -> Any:
    """Its first part is the dialect, of which each engine has one of its own."""
    dialect, *statement = key
    return dialect.name, dialect.driver, *statement


class Templates(BytecodeCache):
    """A cache of Jinja's, by a template's file and what stands in it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


def builders_once(compile_it: Callable[[Rule, bool], Builder]) -> Callable[[Rule, bool], Builder]:
    """What makes an address of a route's values, by the route's parts: it is given the rule that it works for."""
    kept: dict[Any, Builder] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Builder:
        if rule.defaults:  # these go through the rule's own converters
            return compile_it(rule, append_unknown)
        key = rule.rule, tuple(rule._trace), append_unknown
        if key not in kept:
            kept[key] = compile_it(rule, append_unknown)
        return kept[key]

    return compile_once


STATEMENTS, TEMPLATES = Statements(), Templates()


def share() -> None:
    """From now on, for every engine and every application of this process. Again: nothing."""
    if "bytecode_cache" in Flask.jinja_options:
        return
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": TEMPLATES}
    Rule._compile_builder = builders_once(Rule._compile_builder)  # type: ignore[assignment, method-assign]

    @event.listens_for(Engine, "engine_connect")
    def _(connection: Connection) -> None:
        connection.execution_options(compiled_cache=STATEMENTS)
