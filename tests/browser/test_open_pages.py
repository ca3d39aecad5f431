"""A page that lies open follows what happens without its doing: the time that is left, and how often it may ask."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Route, expect
from werkzeug.wrappers import Response

from tests.browser.cast import Person
from tests.browser.ensemble import Ensemble
from tests.servers import HttpServer, wait_until

NOTE_EACH_WAIT = "() => { const wait = setTimeout; setTimeout = (...all) => (self.waits = all[1], wait(...all)); }"


class OpenPage:
    """Ada's page with its answers, while time goes by for her and in the books alike."""

    def __init__(self, ensemble: Ensemble, ada: Person, session: dict[str, str]) -> None:
        self.ensemble, self.ada, self.session = ensemble, ada, session
        self.answers: list[int] = []
        ada.page.clock.install()
        ada.stops_the_clock()  # before the page: none of its timers may run on the real time
        ada.opens(session["url"])
        ada.page.evaluate(NOTE_EACH_WAIT)
        ada.page.on("response", lambda answer: self.answers.append(answer.status) if "/status" in answer.url else None)

    def passes(self, seconds: int) -> int:
        """Time enough for one question; returns how many milliseconds the page waits after the answer to that."""
        self.ada.page.evaluate("self.waits = 0")
        self.ensemble.ages(self.session["id"], seconds=seconds)
        self.ada.lets_pass(seconds)
        wait_until(lambda: bool(self.ada.page.evaluate("waits")), 20, lambda: "the page does not ask, or never again")
        return int(self.ada.page.evaluate("waits"))


def test_the_last_minutes_come_to_a_page_that_lies_open(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session(expires_in=60)
    ensemble.picks(session["url"], "alipay_hk")
    ensemble.ages(session["id"], minutes=26, seconds=30)
    ada = person()
    page = OpenPage(ensemble, ada, session)
    seen = []
    for _ in range(7):
        page.passes(10)
        if ada.page.locator("[data-ending]").is_visible():
            seen.append(ada.page.locator("[role=timer]").inner_text())
    assert page.answers.count(304) >= 4, "hardly anything is drawn: the clock alone goes on"
    assert len(seen) >= 4, "the warning comes"
    assert seen == sorted(set(seen), reverse=True), "and the time never goes back"
    assert re.fullmatch("2:[0-3][0-9]|1:[0-5][0-9]", seen[-1])


def test_a_page_that_lies_open_asks_as_seldom_as_it_is_told(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    session = ensemble.open_session(expires_in=60)
    page = OpenPage(ensemble, person(), session)
    assert page.passes(2) == 2000
    ensemble.ages(session["id"], minutes=16)
    assert page.passes(2) == 10_000
    assert page.passes(10) == 10_000
    assert page.answers == [200, 304, 304]


def test_an_answer_of_an_older_process_is_no_silence(ensemble: Ensemble, person: Callable[..., Person]) -> None:
    """During a rollout a page may be answered by the release before, which tells the clocks in bodies only."""

    def older(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={k: v for k, v in answer.headers.items() if k != "clocks"})

    ada = person()
    page = OpenPage(ensemble, ada, ensemble.open_session())
    ada.page.route("**/status*", older)
    assert [page.passes(2) for _ in range(3)] == [2000] * 3
    assert page.answers == [200, 304, 304]
    expect(ada.page.locator("[data-offline]")).to_be_empty()


class SlowShop:
    """A shop's server that hears at once, and answers when the story says so."""

    def __init__(self) -> None:
        self.answers = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.answers.wait(20)
        return Response(status=204)(environ, start_response)


@pytest.fixture
def slow_shop(http_server: Callable[[SlowShop], HttpServer]) -> Iterator[tuple[SlowShop, str]]:
    shop = SlowShop()
    yield shop, http_server(shop).url
    shop.answers.set()


def test_a_page_that_is_loaded_when_all_is_paid_hears_that_the_shop_knows(
    ensemble: Ensemble, person: Callable[..., Person], slow_shop: tuple[SlowShop, str]
) -> None:
    shop, url = slow_shop
    session = ensemble.open_session(api_key=ensemble.add_merchant("--webhook-url", url))
    ensemble.picks(session["url"], "alipay_hk")
    ensemble.pays(session["url"])
    ada = person()
    ada.never_leaves_by_herself()
    ada.opens(session["url"])
    expect(ada.page.get_by_text("We are telling the shop")).to_be_visible()
    shop.answers.set()
    expect(ada.page.get_by_text("The shop has received your order.")).to_be_visible()
    expect(ada.page.locator("main")).to_have_attribute("data-final", "")
