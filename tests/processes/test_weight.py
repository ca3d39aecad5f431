"""What a shopper's first visit costs: one document within one flight, and no work that was done before."""

import gzip
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from werkzeug.test import TestResponse

from checkout.domain import qr
from tests.servers import HttpServer
from tests.stories.cast import PHONE, Inbox, Merchant, Shopper, World

ONE_FLIGHT = 14 * 1024  # bytes that a server may send before it must wait for an answer
REFERENCE = re.compile(r"""<[^>]*?\s(?:src|srcset|href|data|poster|action)=["']([^"']*)["']""")
LOADED = re.compile(r"""<(?:script|img|iframe|source|object|embed|audio|video)\b[^>]*\s(?:src|srcset|data)=["']""")


@pytest.fixture
def bo(empty_books: Path, tmp_path: Path) -> Iterator[Merchant]:
    books = shutil.copy(empty_books, tmp_path / "books.db")
    with HttpServer(Inbox()) as hooks:
        world = World(f"sqlite:///{books}", hooks, {})
        yield world.merchant(webhooks=False)
        world.close()


@pytest.fixture
def ada(bo: Merchant) -> Shopper:
    items = [{"name": f"Tea of the {n}th mountain, first flush", "quantity": n, "amount": 1100} for n in range(1, 9)]
    return bo.world.shopper(bo.opens(amount=39600, items=items, description="Eight kinds of tea, wrapped"))


def bytes_on_the_wire(answer: TestResponse) -> int:
    head = f"HTTP/1.1 {answer.status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in answer.headers) + "\r\n"
    return len(head.encode()) + len(answer.data)


@pytest.mark.parametrize("language", ["en", "zh-HK", "zh-CN"])
def test_the_code_comes_in_one_flight(ada: Shopper, language: str) -> None:
    ada.language = language
    ada.picks("alipay")
    answer = ada.asks("GET", ada.path, headers={"Accept-Encoding": "gzip, deflate, br"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert b"data-qr" in gzip.decompress(answer.data)
    assert bytes_on_the_wire(answer) <= ONE_FLIGHT


KNOWN = ("/pay/", "/accessibility?", "data:", "#", "https://sandbox.alipay.com/")


@pytest.mark.parametrize("agent", ["desktop", "phone"])
def test_a_page_is_one_document_and_names_no_other_host(ada: Shopper, agent: str) -> None:
    if agent == "phone":
        ada.agent = PHONE
    for _ in ("choosing", "paying"):
        page = ada.page()
        assert not LOADED.search(page)
        assert re.findall(r"<link\b[^>]*>", page) == re.findall(r'<link rel="?icon"?[^>]*href="data:[^>]*>', page)
        for address in REFERENCE.findall(page):
            assert address.startswith(KNOWN), address
        assert not re.search(r"@import|url\((?!['\"]?data:)", page)
        ada.picks("alipay")


def test_no_get_draws_a_code(ada: Shopper) -> None:
    assert drawings(lambda: ada.picks("alipay")) == 1
    for path in (ada.path, f"{ada.path}/status", f"{ada.path}/return", f"{ada.path}/receipt"):
        assert drawings(partial(ada.asks, "GET", path)) == 0
    assert drawings(lambda: ada.picks("alipay")) == 0  # the second press finds the first one's code


def drawings(act: Callable[[], object]) -> int:
    """How often `act` draws a QR code, as the interpreter sees it."""
    seen = 0

    def watch(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal seen
        seen += event == "call" and frame.f_code is qr.draw.__code__

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        act()
    finally:
        sys.setprofile(before)
    return seen
