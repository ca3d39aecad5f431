"""The browser's fixtures: one ensemble for all stories, and people who complain about every broken promise."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Playwright

from tests.browser.cast import Person
from tests.browser.ensemble import Ensemble


@pytest.fixture(scope="session", autouse=True)
def _pictures_of_failures(pytestconfig: pytest.Config) -> None:
    """Keep a screenshot of each page of a failed story, unless the command line says otherwise."""
    if pytestconfig.getoption("--screenshot") == "off":
        pytestconfig.option.screenshot = "only-on-failure"


@pytest.fixture(scope="package")  # not longer: its workers go on looking for work
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    with Ensemble(tmp_path_factory.mktemp("ensemble")) as running:
        yield running


@pytest.fixture
def person(new_context: Callable[..., BrowserContext], playwright: Playwright) -> Iterator[Callable[..., Person]]:
    """Somebody with a browser of their own: `person()` at a desk, `person("iPhone 14")` with a phone.

    At the end of the story no page of theirs may have reported an error or a breach of its policy.
    """
    people: list[Person] = []

    def arrive(device: str = "", **settings: object) -> Person:
        described = playwright.devices[device] if device else {"viewport": {"width": 1280, "height": 800}}
        described = {name: value for name, value in described.items() if name != "default_browser_type"}
        people.append(Person(new_context(**{"locale": "en-GB"} | described | settings)))
        return people[-1]

    yield arrive
    assert [complaint for each in people for complaint in each.complaints] == []
