"""The addresses: those of the published interface and no others, and no GET that changes what it should only show."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event

from checkout.store.engine import make_engine
from checkout.store.migrating import upgrade
from tests.stories.cast import Merchant, Shopper, World

# The interface as merchants, wallets and platforms know it, and what each GET may write. A GET is fetched by link
# previews, prefetchers and the Back button, so it never touches money: at most it says that somebody is looking.
# fmt: off
GETS: dict[str, set[str]] = {
    # A sign of life: somebody watches, so ask the gateway at the lively pace. The page, for those without scripts.
    "/pay/<>":                   {"attempt"},
    "/pay/<>/status":            {"attempt"},
    "/pay/<>/return":            {"attempt"},  # makes an enquiry due
    "/pay/<>/receipt":           set(),
    "/checkout":                 {"session"},  # a signed link opens a session: the signature is the consent
    "/checkstand/":              set(),
    "/embed.js":                 set(),
    "/alipay/callback":          {"attempt"},
    "/v1/checkout-sessions":     set(),
    "/v1/checkout-sessions/<>":  set(),
    "/v1/refunds/<>":            set(),
    "/v1/events":                set(),
    "/v1/openapi.json":          set(),
    "/healthz":                  set(),
    "/readyz":                   set(),
    "/metrics":                  set(),
    "/static/<>":                set(),        # Flask's own; the pages need nothing from it
}
POSTS = {
    "/pay/<>",
    "/pay/<>/check",
    "/pay/<>/cancel",
    "/v1/checkout-sessions",
    "/v1/checkout-sessions/<>/cancel",
    "/v1/checkout-sessions/<>/refunds",
    "/v1/events/<>/redeliver",
    "/notify/<>",
}
# fmt: on


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    url = f"sqlite:///{tmp_path_factory.mktemp('routes') / 'books.db'}"
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    made = World(url, cast(Any, None), {})  # no webhooks, so no server to hear them
    yield made
    made.close()


@pytest.fixture(scope="module")
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea", webhooks=False)


@pytest.fixture(scope="module")
def ada(world: World, bo: Merchant) -> Shopper:
    """Ada, with a code on her screen."""
    shopper = world.shopper(bo.opens())
    assert shopper.picks("alipay_hk").status_code == 303
    return shopper


@pytest.fixture
def written(world: World) -> Iterator[set[str]]:
    """The tables that were written while the test ran."""
    tables: set[str] = set()

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if changed := re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", statement):
            tables.add(changed[1])

    event.listen(world.parts.engine, "before_cursor_execute", note)
    yield tables
    event.remove(world.parts.engine, "before_cursor_execute", note)


def rules(world: World, method: str) -> set[str]:
    found = (rule for rule in world.app.url_map.iter_rules() if method in (rule.methods or ()))
    return {re.sub(r"<[^>]*>", "<>", rule.rule) for rule in found}


def test_every_address_stands_in_the_interface(world: World) -> None:
    assert rules(world, "GET") <= set(GETS)
    assert rules(world, "POST") <= POSTS


def test_there_are_no_other_verbs(world: World) -> None:
    verbs = set().union(*(rule.methods or () for rule in world.app.url_map.iter_rules()))
    assert verbs == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_get_writes_only_what_the_table_says(world: World, bo: Merchant, ada: Shopper, written: set[str]) -> None:
    for rule in sorted(rules(world, "GET")):
        written.clear()
        answer = bo.api("GET", rule.replace("<>", ada.path.rpartition("/")[2]))
        assert answer.status_code < 500, rule
        assert written <= GETS[rule], rule


def test_a_page_that_is_watched_says_so_and_a_returning_shopper_asks(ada: Shopper, written: set[str]) -> None:
    """The recorder of the test above does see what is written."""
    ada.world.clock.now = ada.world.clock.now.replace(minute=30)
    ada.polls()
    assert written == {"attempt"}
    written.clear()
    ada.comes_back()
    assert written == {"attempt"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_verbs_are_answered_with_those_that_are_allowed(ada: Shopper, method: str) -> None:
    answer = ada.asks(method, ada.path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_the_guide_for_merchants_names_no_other_address() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "integrate.md").read_text("utf-8")
    named = {re.sub(r"/(?:<\w+>|\$\w+)", "/<>", path) for path in re.findall(r"/v1/[\w/<>$-]+", guide)}
    assert named
    assert named <= set(GETS) | POSTS
