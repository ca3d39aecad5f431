"""What every page does, whoever looks: languages, headers, and requests that are not what they should be."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import Client

from tests.stories.cast import PHONE, PUBLIC, Merchant, Shopper, World

# fmt: off
WISHES = [  # ?lang, session's locale, Accept-Language, <html lang>
    (None,    None,    "zh-HK",                          "zh-HK"), (None, None, "zh-TW,zh;q=0.9", "zh-HK"),
    (None,    None,    "zh-CN,zh;q=0.9",                 "zh-CN"), (None, None, "zh-Hans-CN",     "zh-CN"),
    (None,    None,    "yue",                            "zh-HK"), (None, None, "zh-SG",          "zh-CN"),
    (None,    None,    "fr, en;q=0.5, zh-Hant;q=0.8",    "zh-HK"), (None, None, "fr",             "en"),
    (None,    None,    "",                               "en"),    (None, None, "zh;q=0, en",     "en"),
    (None,    "zh-CN", "en",                             "zh-CN"), ("en", "zh-CN", "zh-HK",       "en"),
    ("zh-TW", None,    "en",                             "zh-HK"), ("xx", "zh-HK", "en",          "zh-HK"),
]
# fmt: on


@pytest.mark.parametrize(("asked", "locale", "accepted", "expected"), WISHES)
def test_the_language_is_the_shoppers(
    bo: Merchant, world: World, asked: str | None, locale: str | None, accepted: str, expected: str
) -> None:
    session = bo.opens(locale=locale) if locale else bo.opens()
    ada = world.shopper(session, language=accepted)
    page = ada.asks("GET", ada.path + (f"?lang={asked}" if asked else "")).text
    assert re.findall(r'<html lang="([^"]+)"', page) == [expected]


HEADINGS = {"en": "Choose how to pay", "zh-HK": "選擇付款方式", "zh-CN": "选择付款方式"}


@pytest.mark.parametrize("language", HEADINGS)
def test_the_page_speaks_it(world: World, session: dict[str, Any], language: str) -> None:
    assert world.shopper(session, language=language).sees() == HEADINGS[language]


def test_a_chosen_language_stays_chosen(world: World, ada: Shopper) -> None:
    answer = ada.asks("POST", f"{ada.path}?lang=zh-HK", data={"wallet": "alipay_hk"})
    assert answer.headers["Location"] == f"{ada.path}?lang=zh-HK"


def test_every_answer_carries_the_headers(world: World, ada: Shopper) -> None:
    for path in (ada.path, f"{ada.path}/status", "/pay/cs_unknown", "/v1/checkout-sessions", "/nowhere", "/healthz"):
        headers = ada.asks("GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for rule in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"):
            assert rule in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert headers["Strict-Transport-Security"].startswith("max-age=63072000")
        assert "Set-Cookie" not in headers


def test_forms_may_lead_to_the_wallets_only(ada: Shopper) -> None:
    ada.page()
    assert ada.answer is not None
    rule = re.search(r"form-action ([^;]+);", ada.answer.headers["Content-Security-Policy"])
    assert rule
    assert rule[1].split() == ["'self'", "https://alipay.com", "https://*.alipay.com"]


@pytest.mark.parametrize("path", ["", "/check", "/cancel"])
def test_a_foreign_site_cannot_press_our_buttons(
    world: World, ada: Shopper, session: dict[str, Any], path: str
) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = ada.asks("POST", ada.path + path, data={"wallet": "alipay"}, headers=headers)
        assert answer.status_code == 403
    assert world.attempts(session) == []
    assert world.row(session).status == "open"
    assert ada.asks("POST", ada.path, data={"wallet": "alipay"}, headers={"Origin": PUBLIC}).status_code == 303


@pytest.mark.parametrize(
    "form", [{}, {"wallet": "paypal"}, {"wallet": "alipay", "amount": "1"}, {"wallet": ["alipay", "alipay_hk"]}]
)
def test_a_strange_form_is_refused(world: World, ada: Shopper, session: dict[str, Any], form: dict[str, Any]) -> None:
    assert ada.asks("POST", ada.path, data=form).status_code == 400
    assert world.attempts(session) == []


@pytest.mark.parametrize("body", ['{"wallet": "alipay"}', '{"wallet": 5}', "[1]", '"x"', "5", "true", "null", "{", ""])
def test_json_is_no_form(world: World, ada: Shopper, session: dict[str, Any], body: str) -> None:
    assert ada.asks("POST", ada.path, data=body, content_type="application/json").status_code == 400
    assert world.attempts(session) == []


def test_unknown_addresses_are_all_the_same(ada: Shopper, world: World) -> None:
    answers = [
        ada.asks("GET", f"/pay/{guess}")
        for guess in ("cs_" + "0" * 22, "cs_", "x", "cs_" + "a" * 500, "cs_%00", "cs_é", ada.path[5:] + "x")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({re.sub(r"\?lang=|/pay/[^\"?]*", "", answer.text) for answer in answers}) == 1


def test_a_wrong_method_is_no_page(ada: Shopper) -> None:
    assert ada.asks("GET", f"{ada.path}/cancel").status_code == 405
    assert ada.asks("PUT", ada.path).status_code == 405
    assert ada.asks("DELETE", ada.path).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "pay.sampan.example.evil.example", "pay.sampan.example:444"])
def test_another_host_name_is_not_served(world: World, ada: Shopper, host: str) -> None:
    answer = Client(world.app).get(ada.path, base_url=f"https://{host}")
    assert answer.status_code == 400
    assert "evil" not in answer.text
    assert Client(world.app).get("/healthz", base_url=f"https://{host}").status_code == 200


def test_forwarded_headers_of_strangers_count_for_nothing(world: World, ada: Shopper) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    answer = ada.asks("GET", ada.path, headers=forged)
    assert answer.status_code == 200
    assert "evil.example" not in answer.text


def test_status_is_small_and_says_when_nothing_changed(world: World, ada: Shopper) -> None:
    ada.picks("alipay_hk")
    told = ada.polls()
    assert set(told) == {"status", "version", "final", "expires_at", "next_poll_ms"}
    assert ada.answer is not None
    tag = ada.answer.headers["ETag"]
    again = ada.asks("GET", f"{ada.path}/status", headers={"Accept": "application/json", "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    world.pays({"id": ada.path[5:]})
    world.passes(3)
    assert ada.polls(If_None_Match=tag)["status"] == "paid"


def test_an_answer_without_a_body_tells_the_clocks_too(world: World, ada: Shopper) -> None:
    ada.picks("alipay_hk")
    first = ada.asks("GET", f"{ada.path}/status", headers={"Accept": "text/html"})
    assert json.loads(first.headers["Clocks"]) == {"endsIn": 1800, "nextPollMs": 2000}
    assert 'data-ends-in="1800"' in first.text
    world.clock.now += timedelta(seconds=70)
    unchanged = {"Accept": "text/html", "If-None-Match": first.headers["ETag"]}
    again = ada.asks("GET", f"{ada.path}/status", headers=unchanged)
    assert (again.status_code, again.data) == (304, b"")
    assert json.loads(again.headers["Clocks"]) == {"endsIn": 1730, "nextPollMs": 3000}


def test_page_and_poll_draw_the_same(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    def region(text: str) -> str:
        found = re.search(r"<main.*</main>", text, re.DOTALL)
        assert found
        return found[0]

    for move in (lambda: None, lambda: ada.picks("alipay_hk"), lambda: world.pays(session), ada.cancels):
        move()
        world.passes(3)
        polled = ada.asks("GET", f"{ada.path}/status", headers={"Accept": "text/html"}).text
        assert region(ada.page()) == region(polled)


def test_polling_never_calls_the_gateway(world: World, ada: Shopper) -> None:
    ada.picks("alipay_hk")
    calls = len(world.ledger.calls())
    for _ in range(50):
        ada.polls()
    assert len(world.ledger.calls()) == calls


def test_names_of_strangers_stay_text(world: World) -> None:
    bo = world.merchant("<script>alert(1)</script>\u202eevil")
    session = bo.opens(description='"><img src=x onerror=alert(1)>\u200b', reference="<b>7</b>")
    ada = world.shopper(session)
    page = ada.page()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>7" not in page
    assert "\u202e" not in page


def test_what_is_public_stays_little(world: World, ada: Shopper, bo: Merchant, session: dict[str, Any]) -> None:
    bo.opens(metadata={"secret": "of-the-shop"})
    ada.picks("alipay_hk")
    page = ada.page()
    assert bo.told.merchant_id not in page
    assert "of-the-shop" not in page
    assert "key-of-APP1" not in page


def test_floods_of_tries_are_slowed_down(world: World, ada: Shopper, session: dict[str, Any]) -> None:
    from sandbox import Scenario

    for _ in range(3):
        world.next(Scenario.NOT_ENOUGH_BALANCE)
        assert ada.picks("alipay_hk").status_code == 303
    answer = ada.picks("alipay_hk")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    world.passes(61, step=10)
    assert ada.picks("alipay_hk").status_code == 303


def test_the_support_code_can_be_read_out(ada: Shopper, session: dict[str, Any]) -> None:
    found = re.search(r"data-support-code[^>]*>(.*?)</b>", ada.page(), re.DOTALL)
    assert found
    assert re.sub(r"<[^>]+>", "", found[1]) == session["support_code"]


def test_a_phone_offers_buttons_with_the_amount(world: World, session: dict[str, Any]) -> None:
    page = world.shopper(session, PHONE).page()
    assert "Pay HK$88.00 with AlipayHK" in page
