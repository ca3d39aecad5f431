"""Orders of the demo shop: each adds up, is kept, and leads to its checkout."""

import re
from pathlib import Path

import pytest
from flask.typing import ResponseReturnValue

from demo_shop import create_demo_shop
from tests.demo.scripted import API, SECRET, Bo, Checkout, bo, checkout

__all__ = ["bo", "checkout"]


def test_the_first_form_orders(bo: Bo, checkout: Checkout) -> None:
    form = bo.browser.get("/demo/").text.partition("<form")[2].partition("</form>")[0]
    action = re.search(r'method="post" action="([^"]+)"', form)
    fields = re.findall(r'name="(\w+)"\s+value="([^"]*)"', form)
    assert action

    answer = bo.browser.post(action[1], data=dict(fields))

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{API}/pay/cs_0"
    key, order = checkout.heard[0]
    assert key == order["reference"]
    assert order["currency"] == "HKD"
    assert order["amount"] == sum(item["amount"] for item in order["items"]) > 0
    assert order["return_url"] == f"https://shop.example/demo/orders/{key}/thanks"
    assert order["locale"] == "en"


def test_an_order_adds_up(bo: Bo, checkout: Checkout) -> None:
    bo.orders(jasmine="2", cup="1", lang="zh-HK")

    order = checkout.heard[0][1]
    assert order["amount"] == 2 * 12800 + 9850
    assert order["items"] == [
        {"name": "茉莉龍珠", "quantity": 2, "amount": 25600},
        {"name": "青瓷茶杯", "quantity": 1, "amount": 9850},
    ]
    assert order["locale"] == "zh-HK"


@pytest.mark.parametrize(
    "form",
    [
        {"jasmine": "0"},
        {"jasmine": "-1"},
        {"jasmine": "10"},
        {"jasmine": "a"},
        {"jasmine": "１"},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "0.00"},
        {"amount": "1.234"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"amount": "NaN"},
        {"amount": "1000000"},
    ],
)
def test_an_order_of_nothing_or_nonsense_is_refused(bo: Bo, checkout: Checkout, form: dict[str, str]) -> None:
    answer = bo.orders(**form)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert checkout.heard == []


@pytest.mark.parametrize(
    ("text", "amount"), [("555.13", 55513), ("0.01", 1), (" 12.5 ", 1250), ("999999.99", 99999999)]
)
def test_an_engineer_may_choose_the_amount(bo: Bo, checkout: Checkout, text: str, amount: int) -> None:
    assert bo.orders(amount=text).status_code == 303
    assert checkout.heard[0][1]["amount"] == amount


PROBLEM = {"title": "Bad request", "detail": "Look.", "errors": [{"field": "return_url", "message": "<b>is off</b>"}]}


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ((PROBLEM, 400), "return_url: &lt;b&gt;is off&lt;/b&gt;"),
        (("<h1>Bad gateway</h1>", 502), "&lt;h1&gt;Bad gateway"),
        (("[]", 201), "201"),
        (({"id": "cs_1"}, 201), "201"),
        (({"errors": ["x", 1]}, 500), "500"),
        (("", 301, {"Location": "https://evil.example/"}), "301"),
    ],
)
def test_a_refused_order_is_kept_and_tried_again_under_the_same_key(
    bo: Bo, checkout: Checkout, says: ResponseReturnValue, shown: str
) -> None:
    checkout.says = says
    refused = bo.orders(jasmine="1")
    assert refused.status_code == 502
    assert shown in refused.text

    checkout.says = None
    again = re.search(r'method="post" action="(/demo/orders/[^"]+/pay)"', refused.text)
    assert again
    assert bo.browser.post(again[1]).headers["Location"] == f"{API}/pay/cs_0"
    assert checkout.heard[0] == checkout.heard[1]


def test_an_order_whose_session_is_open_goes_back_to_it(bo: Bo, checkout: Checkout) -> None:
    session = bo.order()

    answer = bo.browser.post(f"/demo/orders/{session['reference']}/pay")

    assert answer.headers["Location"] == session["url"]
    assert len(checkout.heard) == 1


def test_a_checkout_that_is_down_is_explained(tmp_path: Path) -> None:
    shop = create_demo_shop(
        api_url="http://127.0.0.1:9",
        api_key="sk_bo",
        webhook_secret=SECRET,
        public_url="http://127.0.0.1:8001",
        state=str(tmp_path / "new" / "shop.db"),
    )

    answer = shop.test_client().post("/orders")

    assert answer.status_code == 502
    assert "could not be reached" in answer.text
