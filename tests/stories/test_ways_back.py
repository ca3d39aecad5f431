"""No page leaves Ada without a way back to her payment, and the language that she chose goes along."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.stories.cast import Shopper, World


@contextmanager
def database_away(world: World) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as away:
        for engine in (world.parts.engine, world.parts.reading):
            away.setattr(engine.dialect, "connect", _refuse)
            engine.dispose()
        yield


def _refuse(*_: Any, **__: Any) -> None:
    raise OperationalError("connect", {}, Exception("the database is away"))


def leads_to(text: str, label: str) -> str:
    found = re.search(rf'<a class="button" href="([^"]*)">{label}</a>', text)
    assert found, text
    return found[1]


@pytest.mark.parametrize(
    ("query", "label", "heading"), [("", "Load again", "Scan with AlipayHK"), ("?lang=zh-HK", "重新載入", "掃描")]
)
@pytest.mark.parametrize("press", ["", "/check", "/cancel"])
def test_what_was_pressed_in_vain_leads_back_to_the_payment(
    world: World, ada: Shopper, press: str, query: str, label: str, heading: str
) -> None:
    ada.picks("alipay_hk")
    with database_away(world):
        answer = ada.asks("POST", ada.path + press + query, data={"wallet": "alipay"})
    assert answer.status_code == 503
    assert leads_to(answer.text, label) == ada.path + query
    assert heading in ada.asks("GET", ada.path + query).text


@pytest.mark.parametrize("look", ["", "/receipt", "/elsewhere", "/return"])
def test_a_page_that_could_not_be_shown_is_loaded_again_itself(world: World, ada: Shopper, look: str) -> None:
    with database_away(world):
        answer = ada.asks("GET", ada.path + look)
    assert (answer.status_code, leads_to(answer.text, "Load again")) == (503, "")


def test_who_is_refused_may_go_back_to_the_payment(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="shopper=1/minute,link=1/minute")
    ada = world.shopper(world.merchant("Bo's Tea").opens())
    somewhere, foreign = {"REMOTE_ADDR": "203.0.113.7"}, {"Origin": "https://evil.example"}
    scanned = ada.path.replace("/pay/", "/q/")
    ada.asks("GET", scanned, environ_overrides=somewhere)
    answers = [
        ada.asks("POST", ada.path, data={"wallet": "paypal"}, environ_overrides=somewhere),
        ada.asks("POST", f"{ada.path}/check", headers=foreign),
        ada.asks("GET", f"{ada.path}/cancel"),  # a tab that a phone had put away comes back by a GET
        ada.asks("POST", f"{ada.path}/cancel", environ_overrides=somewhere),
        ada.asks("GET", scanned, environ_overrides=somewhere),
    ]
    assert [answer.status_code for answer in answers] == [400, 403, 405, 429, 429]
    assert {leads_to(answer.text, "Back to the payment") for answer in answers} == {ada.path}
    chosen = ada.asks("POST", f"{ada.path}?lang=zh-CN", headers=foreign)
    assert leads_to(chosen.text, "返回付款页") == f"{ada.path}?lang=zh-CN"


def test_where_there_is_no_payment_nothing_leads_back_to_one(ada: Shopper) -> None:
    foreign = {"Origin": "https://evil.example"}
    for path in ("/pay/cs_", "/pay/%22%3E", "/accessibility"):
        assert "Back to the payment" not in ada.asks("POST", path, headers=foreign).text, path
    assert "Back to the payment" not in ada.asks("GET", f"{ada.path}x").text
