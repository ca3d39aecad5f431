"""One ledger between several processes, and the whole way over real HTTP."""

import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from checkout.domain.signing import sign_request
from sandbox import Ledger
from tests.sandbox.cast import KEY, Ear, SandboxMaker
from tests.servers import HttpServer, wait_until

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _pay_and_count(path: str, paid: "multiprocessing.Queue[int]") -> None:
    books = Ledger(path)
    done = 0
    for number in range(20):
        try:
            books.pay(f"N{number}")
        except ValueError:
            continue
        done += 1
    paid.put(done)


def test_several_processes_share_one_ledger(make_sandbox: SandboxMaker, tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    bo = make_sandbox(ledger=path)
    for number in range(20):
        bo.order(out_trade_no=f"N{number}")
    spawn = multiprocessing.get_context("spawn")
    paid: multiprocessing.Queue[int] = spawn.Queue()
    payers = [spawn.Process(target=_pay_and_count, args=(path, paid)) for _ in range(2)]
    for payer in payers:
        payer.start()
    total = sum(paid.get(timeout=60) for _ in payers)
    for payer in payers:
        payer.join()
    assert total == 20
    assert all(len(order.payments) == 1 for order in bo.ledger.orders())


def test_it_works_over_real_http_below_a_prefix(
    http_server: Callable[["WSGIApplication"], HttpServer], make_sandbox: SandboxMaker, tmp_path: Path, ear: Ear
) -> None:
    shop = http_server(ear)
    bo = make_sandbox(ledger=str(tmp_path / "ledger.db"), http=None, run_notifier=True)
    outside = http_server(DispatcherMiddleware(Response("not here", 404), {"/sandbox": bo.app}))

    def send(verb: str, params: dict[str, str], timeout: float = 5) -> requests.Response:
        headers = {"X-QF-APPCODE": "APP1", "X-QF-SIGN": sign_request(params, KEY, "md5")}
        return requests.post(f"{outside.url}/sandbox/trade/v1/{verb}", data=params, headers=headers, timeout=timeout)

    notify = f"{shop.url}/notify/mer_1"
    answer = send("payment", bo.form(out_trade_no="A", notify_url=notify)).json()
    wallet = answer["pay_url"].replace("http://127.0.0.1:8000", outside.url)
    page = requests.get(wallet, timeout=5).text
    action = re.search(r'<form method="post" action="([^"]+)"', page)
    assert action
    assert action[1].startswith("/sandbox/wallet/")
    paid = requests.post(outside.url + action[1], data={"action": "pay"}, timeout=5)
    assert "Paid" in paid.text
    assert send("query", {"out_trade_no": "A"}).json()["data"][0]["respcd"] == "0000"
    deadline = time.monotonic() + 10
    while not ear.heard and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ear.heard[0].path == "/notify/mer_1"

    with pytest.raises(requests.ConnectionError):
        send("payment", bo.form(out_trade_no="B", txamt="55502"))
    with pytest.raises(requests.ReadTimeout):
        send("payment", bo.form(out_trade_no="C", txamt="55501"), timeout=0.5)
    wait_until(lambda: {order.out_trade_no for order in bo.ledger.orders()} == {"A", "B", "C"}, 20, lambda: "not kept")
