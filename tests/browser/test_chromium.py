"""The browser is real, speaks to our servers and to nobody else."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Error, Page

from tests.servers import HttpServer


def test_chromium_runs_our_pages(page: Page, http_server: Callable[[Flask], HttpServer]) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "<p id=sum></p><script>sum.textContent = 6 * 7</script>")
    page.goto(http_server(app).url)

    assert page.inner_text("#sum") == "42"


@pytest.mark.parametrize("url", ["https://shop.example/", "http://192.0.2.1/"])
def test_chromium_reaches_no_other_machine(page: Page, url: str) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(url)


def test_a_foreign_page_can_be_played(page: Page) -> None:
    page.route(
        "https://qr.alipay.example/**", lambda route: route.fulfill(body="the wallet", content_type="text/plain")
    )
    page.goto("https://qr.alipay.example/code")

    assert page.inner_text("body") == "the wallet"
