"""The demo shop's pages: their languages, links and locks."""

import json
import re
from pathlib import Path

import pytest

from tests.demo.scripted import API, Bo, bo, checkout

__all__ = ["bo", "checkout"]


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("zh-HK", "zh-HK"),
        ("zh-TW,en;q=0.5", "zh-HK"),
        ("zh-Hant-MO", "zh-HK"),
        ("zh", "zh-CN"),
        ("zh-SG", "zh-CN"),
        ("fr, en;q=0.4, zh-HK;q=0.8", "zh-HK"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_shop_speaks_the_shoppers_language(bo: Bo, header: str, lang: str) -> None:
    assert f'<html lang="{lang}">' in bo.browser.get("/demo/", headers={"Accept-Language": header}).text
    assert '<html lang="en">' in bo.browser.get("/demo/?lang=en", headers={"Accept-Language": header}).text


def test_every_language_has_the_same_words() -> None:
    words = json.loads((Path(__file__).parents[2] / "demo" / "words.json").read_text("utf-8"))

    assert words["en"].keys() == words["zh-HK"].keys() == words["zh-CN"].keys()
    assert all(all(text.values()) for text in words.values())


@pytest.mark.parametrize("path", ["/", "/orders", "/orders/TEA-NONE/thanks", "/nothing", "/static/shop.css"])
def test_no_page_may_load_from_elsewhere(bo: Bo, path: str) -> None:
    answer = bo.browser.get(f"/demo{path}", buffered=True)

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert policy.endswith("form-action 'self' https://pay.example https://shop.example")
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)="(https?:)?//""", answer.text)
    assert " style=" not in answer.text


def test_every_link_stays_under_the_mount_point(bo: Bo) -> None:
    number = bo.order()["reference"]
    for path in ("/", "/orders", f"/orders/{number}/thanks"):
        links = re.findall(r'(?:href|src|action)="([^"]+)"', bo.browser.get(f"/demo{path}").text)
        assert links
        assert all(link.startswith(("/demo/", f"{API}/pay/")) for link in links)


def test_an_unknown_order_is_nobodys(bo: Bo) -> None:
    assert bo.thanks("TEA-NONE").status_code == 404
    assert bo.browser.post("/demo/orders/TEA-NONE/pay").status_code == 404


def test_the_shop_imports_nothing_of_ours() -> None:
    source = (Path(__file__).parents[2] / "demo_shop.py").read_text("utf-8")

    assert not re.search(r"^\s*(from|import) (app|checkout|config|sandbox|worker|tests)\b", source, re.MULTILINE)
