"""Which language a page speaks: `?lang`, then the session's locale, then the browser's wishes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from babel.support import NullTranslations, Translations
from flask import Flask, g, request

from checkout.domain.locales import CATALOGUE, LABELS, Lang, best_lang, lang_of


def install(app: Flask) -> None:
    """Give templates `_()` and `ngettext()`, whose catalogues are read once, and `gap()` for between two sentences."""
    found = {lang: _catalogue(app.root_path, name) for lang, name in CATALOGUE.items()}
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: found[current()].ugettext(text),  # noqa: PLW0108 - the language is this request's, not the start's
        lambda one, many, count: found[current()].ungettext(one, many, count),  # noqa: PLW0108 - as above
        newstyle=True,
    )
    app.jinja_env.globals["gap"] = lambda: gap(current())


def gap(lang: Lang) -> str:
    """What stands between two sentences: Chinese leaves no blank after a full stop, which is as wide as a letter."""
    return " " if lang is Lang.EN else ""


@cache
def _catalogue(root: str, name: str) -> NullTranslations:
    return Translations.load(f"{root}/translations", [name])


def current() -> Lang:
    """This request's language. werkzeug's own best_match gives English to zh-HK, so the table decides."""
    if "lang" not in g:
        choose(None)
    return cast(Lang, g.lang)


def choose(locale: str | None) -> Lang:
    """Settle the language, now that the session's own locale is known."""
    asked = _chosen() or (lang_of(locale) if locale else None)
    g.lang = asked or best_lang((tag, quality) for tag, quality in request.accept_languages)
    return cast(Lang, g.lang)


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """For as long as this lasts, texts are in another language."""
    own, g.lang = current(), lang
    try:
        yield
    finally:
        g.lang = own


def asked_for() -> dict[str, Any]:
    """The `lang` argument that links must carry on, if the shopper chose one."""
    chosen = _chosen()
    return {"lang": chosen.value} if chosen else {}


def _chosen() -> Lang | None:
    """`?lang`, or what the path says: wallets come back to an address that holds no query of ours (qfpay.md 3.6)."""
    return lang_of((request.view_args or {}).get("lang") or request.args.get("lang", ""))


def switch(path: str) -> tuple[tuple[str, str, str, bool], ...]:
    """The language switch: value, label in its own language, address, whether it is the one on the page."""
    return tuple((lang.value, LABELS[lang], f"{path}?lang={lang}", lang is current()) for lang in Lang)
