"""Compiled once for all applications of a test process, and yet each gets what is its own."""

from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from flask import Flask, render_template
from sqlalchemy import Engine, literal, select
from sqlalchemy.sql.compiler import SQLCompiler
from werkzeug.routing import BaseConverter, Map, Rule

from checkout.store.engine import make_engine
from tests.compiled import TEMPLATES, Statements


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[list[Engine]]:
    made = [make_engine(f"sqlite:///{tmp_path / name}") for name in ("one.db", "other.db")]
    yield made
    for engine in made:
        engine.dispose()


def test_a_statement_is_compiled_by_the_first_engine_only(
    engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    compile_it = SQLCompiler.__init__

    def counts(self: SQLCompiler, *arguments: Any, **options: Any) -> None:
        compiled.append(self)
        compile_it(self, *arguments, **options)

    monkeypatch.setattr(SQLCompiler, "__init__", counts)
    said = []
    for number, engine in enumerate(engines):
        with engine.connect() as connection:
            said.append(connection.scalar(select(literal(number).label("of_this_test"))))
    assert said == [0, 1], "what is bound is each one's own"
    assert len(compiled) == 1


def test_engines_of_two_kinds_share_no_statement(engines: list[Engine]) -> None:
    statements, statement = Statements(), ("a statement", ())
    postgresql = make_engine("postgresql+psycopg://nobody@127.0.0.1:9/nowhere")
    statements[engines[0].dialect, *statement] = "for SQLite"
    assert statements.get((engines[1].dialect, *statement)) == "for SQLite"
    assert statements.get((postgresql.dialect, *statement)) is None


def test_a_template_is_compiled_again_only_when_it_has_changed(tmp_path: Path) -> None:
    page, said = tmp_path / "page.html", []
    for text in ("Hello {{ name }}", "Hello {{ name }}", "Bye {{ name }}"):
        page.write_text(text)
        before = len(TEMPLATES._kept)
        app = Flask(__name__, template_folder=tmp_path)
        with app.app_context():
            said.append((render_template("page.html", name="Ada"), len(TEMPLATES._kept) - before))
    assert said == [("Hello Ada", 1), ("Hello Ada", 0), ("Bye Ada", 1)]


def test_a_route_is_compiled_once_and_builds_each_application_its_own_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Shouting(BaseConverter):
        def to_url(self, value: Any) -> str:
            return str(value).upper()

    compiled: list[str] = []
    compile_it = Rule._get_func_code

    def counts(code: CodeType, name: str) -> Any:
        compiled.append(name)
        return compile_it(code, name)

    monkeypatch.setattr(Rule, "_get_func_code", staticmethod(counts))
    said = []
    for word in (BaseConverter, Shouting):
        rules = Map([Rule("/of-this-test/<word:name>", endpoint="greet")], converters={"word": word})
        said.append(rules.bind("pay.example").build("greet", {"name": "ada", "in": "zh"}))
    assert said == ["/of-this-test/ada?in=zh", "/of-this-test/ADA?in=zh"]
    assert len(compiled) == 2, "with what the rule does not know and without, for both applications"
