"""Every page is valid HTML in each language: html-validate finds nothing, by its standard or for accessibility."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from checkout.domain.locales import Lang
from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from tests.gallery import ROOT, drawn_screens
from tests.office.cast import Clerk
from tests.office_gallery import furnish
from tests.stories.cast import World

VALIDATOR = ROOT / "tests/markup/node_modules/html-validate/bin/html-validate.mjs"
STRANGERS = ("sign-in", "invitation")  # pages of people who are not signed in


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/books.db"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    world = World(url, cast(Any, None), {})
    yield world
    assert world.violations() == []
    world.close()


def office_pages(world: World) -> Iterator[tuple[str, str]]:
    """Every page that the gallery of the back office knows, and the reference of the API."""
    owner, places = furnish(world)
    stranger = Clerk(world, owner.shop, "")
    for lang in Lang:
        for name, path in (places | {"docs": "/docs"}).items():
            clerk = stranger if name in STRANGERS else owner
            page = clerk.asks("GET", path, headers={"Accept-Language": str(lang)}, follow_redirects=True)
            assert page.mimetype == "text/html", f"{name}: {page.status}"
            yield f"office-{name}.{lang}", page.text


def test_every_page_is_valid_html(world: World, tmp_path: Path) -> None:
    assert VALIDATOR.exists(), "html-validate is not installed: `make test` does it"
    folder = tmp_path / "pages"
    folder.mkdir()
    pages = dict(office_pages(world)) | {f"{name}.{lang}": html for lang in Lang for name, html in drawn_screens(lang)}
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html)
    config = ROOT / "tests/htmlvalidate.json"
    command = ["node", str(VALIDATOR), "--config", str(config), f"{folder}/*.html"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
