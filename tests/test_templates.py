"""Templates and catalogues: a screen for each stage, a mark for each wallet, no text that a translator never saw."""

import re
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from checkout.domain.locales import CATALOGUE, Lang
from checkout.domain.stages import Stage
from checkout.domain.wallets import WALLETS

ROOT = Path(__file__).parents[1]
FOLDERS = ("templates", "demo/templates", "sandbox/templates")
TEMPLATES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.html"))
CATALOGUES = [CATALOGUE[lang] for lang in Lang if lang is not Lang.EN]
LONGEST_TEMPLATE = 60
LISTS_OF_WORDS = {"office/problems.html", "office/words.html"}  # looked up by word, not read from top to bottom

# What the Content-Security-Policy would refuse anyway, what would let a stranger's text become markup, and bad Chinese.
FORBIDDEN = {
    "markup from outside": re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\("),
    "a style attribute": re.compile(r"<[^>]*\sstyle\s*="),
    "an event attribute": re.compile(r"<[^>]*\son[a-z]+\s*="),
    "a script address": re.compile(r"javascript:", re.IGNORECASE),
    "a blank between sentences, where gap() belongs": re.compile(r"\) *\}\} +\{\{ *(_|ngettext)\("),
}

each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
each_catalogue = pytest.mark.parametrize("name", CATALOGUES)


@cache
def environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        autoescape=True,
    )
    found.filters |= {"money": str, "hkt": str}
    found.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return found


@cache
def wanted() -> Catalog:
    """Every text in the sources that a translator should see."""
    with (ROOT / "babel.cfg").open() as settings:
        methods, options = parse_mapping_cfg(settings)  # type: ignore[no-untyped-call]
    texts = Catalog()
    for folder in ("templates", "checkout"):
        for _file, _line, message, comments, context in extract_from_dir(ROOT / folder, methods, options):
            texts.add(message, None, auto_comments=comments, context=context)
    return texts


def po(name: str) -> Catalog:
    with (ROOT / "translations" / name / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=name, abort_invalid=True)


def ids(catalogue: Catalog) -> set[str | tuple[str, ...]]:
    return {tuple(m.id) if isinstance(m.id, list | tuple) else m.id for m in catalogue if m.id}


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_has_a_screen(stage: Stage) -> None:
    assert environment().get_template(f"pay/_{stage}.html").name


@pytest.mark.parametrize("code", WALLETS)
def test_every_wallet_has_a_mark_and_a_hint_of_its_own(code: str) -> None:
    drawn = environment().get_template("pay/wallets.html").module
    assert drawn.mark(code) != drawn.mark("a wallet that nobody drew")  # type: ignore[attr-defined]
    assert environment().get_template("pay/words.html").module.hint(code).strip()  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", WALLETS)
def test_every_wallet_has_a_label_that_translators_see(code: str) -> None:
    assert WALLETS[code].label in ids(wanted())


@pytest.mark.parametrize("what", FORBIDDEN)
@each_template
def test_a_template_holds_no(path: Path, what: str) -> None:
    found = FORBIDDEN[what].search(path.read_text("utf-8"))
    assert found is None


@each_template
def test_a_template_can_be_read_at_a_glance(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST_TEMPLATE or path.relative_to(ROOT / "templates").as_posix() in LISTS_OF_WORDS


@each_catalogue
def test_every_text_is_translated_and_none_is_left_over(name: str) -> None:
    catalogue = po(name)
    assert ids(wanted()), "nothing was extracted"
    assert ids(catalogue) == ids(wanted())
    assert [m.id for m in catalogue if m.id and (m.fuzzy or not all(_strings(m.string)))] == []
    assert not catalogue.obsolete


@each_catalogue
def test_a_translation_keeps_the_placeholders(name: str) -> None:
    assert list(po(name).check()) == []
    for message in (m for m in po(name) if m.id):
        for string in _strings(message.string):
            asked = set(re.findall(r"%\(\w+\)s|\{\w+\}", " ".join(_strings(message.id))))
            assert set(re.findall(r"%\(\w+\)s|\{\w+\}", string)) == asked, string


@each_catalogue
def test_the_compiled_catalogue_is_the_written_one(name: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, po(name))
    with (ROOT / "translations" / name / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        committed = read_mo(file)
    compiled.seek(0)
    assert _pairs(committed) == _pairs(read_mo(compiled)), "run pybabel compile"


def _pairs(catalogue: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {_strings(m.id): _strings(m.string) for m in catalogue if m.id}


def _strings(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)
