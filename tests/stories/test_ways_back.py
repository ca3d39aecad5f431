"""No page leaves Ada without a way back to her payment, and the language that she chose goes along."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from checkout.domain.vault import CannotOpen
from checkout.gateway.fields import MAX_OWN_URL
from config import LONGEST_PUBLIC_URL
from tests.stories.cast import PHONE, PUBLIC, Shopper, World


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


# --- in her language


def turned_to(ada: Shopper, path: str) -> str:
    """Where the switch to Traditional Chinese leads from a page."""
    found = re.search(r'hreflang="zh-HK" href="([^"]+)"', ada.asks("GET", path).text)
    assert found
    return found[1]


def test_a_receipt_and_a_code_for_another_device_can_be_read_in_another_language(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    for path, heading in ((ada.path, "選擇付款方式"), (f"{ada.path}/elsewhere", "用另一部手機付款")):
        assert turned_to(ada, path) == f"{path}?lang=zh-HK"
        assert heading in ada.asks("GET", f"{path}?lang=zh-HK").text
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(3)
    receipt = f"{ada.path}/receipt"
    assert turned_to(ada, receipt) == f"{receipt}?lang=zh-HK"
    assert 'data-stage="receipt"' in ada.asks("GET", f"{receipt}?lang=zh-HK").text


@pytest.mark.parametrize(("asked", "chosen"), [("?lang=zh-HK", "zh-HK"), ("?lang=zh-TW", "zh-HK"), ("?lang=xx", None)])
def test_ada_comes_back_from_her_wallet_to_the_language_that_she_chose(
    world: World, session: dict[str, Any], asked: str, chosen: str | None
) -> None:
    ada = world.shopper(session, PHONE)
    ada.asks("POST", ada.path + asked, data={"wallet": "alipay_hk"})
    world.pays(session)
    back = world.ledger.calls("/trade/v1/payment")[-1].params["return_url"]
    assert back == f"{ada.url}/return" + (f"/{chosen}" if chosen else "")
    assert len(back) - len(PUBLIC) + LONGEST_PUBLIC_URL <= MAX_OWN_URL

    answer = ada.asks("GET", back.removeprefix(PUBLIC) + "?syssn=1&respcd=0000")
    page = ada.path + (f"?lang={chosen}" if chosen else "")
    assert (answer.status_code, answer.headers["Location"]) == (303, page)
    world.passes(3)  # coming back has raised the question
    assert ("已付款" if chosen else "Paid") in ada.asks("GET", page).text


def test_a_way_back_in_a_language_that_cannot_be_told_is_loaded_again_in_it(world: World, ada: Shopper) -> None:
    with database_away(world):
        answer = ada.asks("GET", f"{ada.path}/return/zh-HK?lang=en")
    assert leads_to(answer.text, "重新載入") == ""


@pytest.mark.parametrize("lang", ["zh-TW", "zh-hk", "xx", "zh", "en/", "en/x", "%22%3E", ""])
def test_a_way_back_names_one_of_the_three_languages_or_none(ada: Shopper, lang: str) -> None:
    assert ada.asks("GET", f"{ada.path}/return/{lang}").status_code == 404


def test_what_came_of_a_form_is_read_in_another_language_on_the_payments_page(
    world: World, ada: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkout.services.attempts._gateway_for", _cannot_open)
    answer = ada.picks("alipay")
    assert answer.status_code == 503
    assert f'hreflang="zh-HK" href="{ada.path}?lang=zh-HK"' in answer.text


def _cannot_open(*_: Any) -> None:
    raise CannotOpen
