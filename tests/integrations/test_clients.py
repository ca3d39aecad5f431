"""The one-file clients against the real product: a shop in each language opens, hears, thanks, refunds and lists."""

import time
from collections.abc import Iterator

import pytest

from tests.integrations.cast import PATIENCE, Driver, Market, Merchant, driving
from tests.servers import wait_until

LANGUAGES = ("python", "php", "javascript")
ORDER = {
    "amount": 8800,
    "currency": "HKD",
    "reference": "茶 A-1001",
    "return_url": "https://shop.example/thanks?lang=zh",
}


@pytest.fixture(params=LANGUAGES, scope="module")
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def merchant(market: Market) -> Iterator[Merchant]:
    with market.shop() as made:
        yield made


@pytest.fixture(scope="module")
def shop(market: Market, merchant: Merchant, language: str) -> Iterator[Driver]:
    with driving(language, market.url, merchant.api_key, merchant.webhook_secret) as driver:
        yield driver


def test_a_shop_sells_and_gives_a_part_back(market: Market, merchant: Merchant, shop: Driver, language: str) -> None:
    key = f"order-of-{language}"
    session = shop.result("create", order=ORDER, key=key)
    assert shop.result("create", order=ORDER, key=key)["id"] == session["id"]
    market.is_paid(merchant, session)

    body, headers = merchant.heard("checkout_session.paid", session["id"])
    assert shop.hears(body, headers)["result"]["data"]["reference"] == ORDER["reference"]
    assert shop.hears(body.replace(b"8800", b"8801"), headers)["error"] == "forged"
    assert shop.hears(body, headers, now=time.time() + 400)["error"] == "forged"

    back = market.way_back(session)
    assert shop.result("return", url=back)["status"] == "paid"
    assert shop("return", url=back.replace("status=paid", "status=open"))["error"] == "forged"

    paid = shop.result("get", id=session["id"])
    assert shop.result("left", session=paid) == 8800
    wish = {"amount": 800, "amount_left": 8800, "reason": "one cup was broken"}
    refund = shop.result("refund", id=session["id"], key=f"{key}-1", wish=wish)
    assert shop.result("refund", id=session["id"], key=f"{key}-1", wish=wish)["id"] == refund["id"]
    late = shop("refund", id=session["id"], key=f"{key}-2", wish=wish)
    assert (late["error"], late["status"]) == ("api", 412)
    wait_until(
        lambda: shop.result("get_refund", id=refund["id"])["status"] != "pending", PATIENCE, lambda: "still pending"
    )
    assert shop.result("left", session=shop.result("get", id=session["id"])) == 8000
    body, headers = merchant.heard("refund.succeeded", session["id"])
    assert shop.hears(body, headers)["result"]["data"]["amount_refunded"] == 800

    events = shop.result("events", filters={"session": session["id"]})
    assert {"checkout_session.paid", "refund.succeeded"} <= {event["type"] for event in events}
    assert shop.result("redeliver", id=events[0]["id"])["id"] == events[0]["id"]


def test_a_list_goes_on_to_its_last_page(shop: Driver, language: str) -> None:
    made = [shop.result("create", order=ORDER | {"reference": f"many {language}"})["id"] for _ in range(3)]

    found = shop.result("list", filters={"reference": f"many {language}", "limit": 1})
    assert [session["id"] for session in found] == made[::-1]


def test_an_untouched_session_is_cancelled(shop: Driver) -> None:
    session = shop.result("create", order=ORDER)

    assert shop.result("cancel", id=session["id"])["status"] == "cancelled"


def test_a_mistake_is_told_field_by_field(shop: Driver) -> None:
    answer = shop("create", order={"amount": "88.00", "currency": "HKD", "colour": "red"})

    assert answer["status"] == 400
    assert {error["field"] for error in answer["errors"]} == {"amount", "colour", "reference", "return_url"}
    assert answer["request"]


def test_a_wrong_key_is_refused_and_never_repeated_in_words(market: Market, language: str) -> None:
    with driving(language, market.url, "sk_wrong", "whsec_AAAA") as shop:
        answer = shop("get", id="cs_nothing")

    assert answer["status"] == 401
    assert "sk_wrong" not in str(answer)
