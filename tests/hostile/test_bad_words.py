"""Requests that no honest client sends: each gets its 4xx, never a 500, and never more than it may have."""

import base64
import json
from typing import Any

import pytest
from werkzeug.test import Client

from tests.stories.cast import PUBLIC, Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def cursor(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


MOMENT = "2026-03-10T04:00:00+00:00"
QUERIES = {
    "limit with zeros in front": {"limit": "01000000"},
    "limit of 5000 digits": {"limit": "0100" + "9" * 5000},
    "cursor that is a number": {"cursor": cursor(5)},
    "cursor that is null": {"cursor": cursor(None)},
    "cursor nested deeply": {"cursor": cursor("[" * 5000)},
    "cursor with a NUL": {"cursor": cursor([MOMENT, "a\0"])},
    "cursor with a surrogate": {"cursor": cursor([MOMENT, "\ud800"])},
    "cursor before time": {"cursor": cursor(["0001-01-01T00:00:00+14:00", "cs_"])},
    "created before time": {"created_after": "0001-01-01T00:00:00+14:00"},
    "created after time": {"created_after": "9999-12-31T23:59:59-14:00"},
    "empty status": {"status": ""},
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_list_asked_for_in_a_strange_way_is_400(world: World, bo: Merchant, query: dict[str, str]) -> None:
    client = Client(world.app, use_cookies=False)
    answer = client.get(
        "/v1/checkout-sessions", base_url=PUBLIC, query_string=query,
        headers={"Authorization": f"Bearer {bo.told.api_key}"},
    )  # fmt: skip
    assert answer.status_code == 400, answer.text[:200]
    assert answer.json
    assert answer.json["errors"][0]["field"] in query


BODIES: dict[str, dict[str, Any]] = {
    "surrogate in metadata": {"metadata": {"k": "\ud800"}},
    "surrogate in a metadata key": {"metadata": {"\ud800": "v"}},
    "surrogate in an unknown field": {"\ud800": 1},
    "surrogate in the reference": {"reference": "\ud800"},
    "surrogate in a wallet": {"wallets": ["\ud800"]},
    "surrogate in the locale": {"locale": "\ud800"},
    "surrogate in the currency": {"currency": "\ud800"},
    "surrogate in the return_url": {"return_url": "https://shop.example/\ud800"},
    "NUL in metadata": {"metadata": {"k": "\0"}},
    "NUL in a metadata key": {"metadata": {"\0": "v"}},
    "huge amount": {"amount": 10**400},
    "float amount": {"amount": 8800.0},
    "true amount": {"amount": True},
}


@pytest.mark.parametrize("wishes", BODIES.values(), ids=BODIES)
def test_an_order_with_strange_words_is_400(world: World, bo: Merchant, wishes: dict[str, Any]) -> None:
    answer = bo.api("POST", "/v1/checkout-sessions", bo.order(**wishes))
    assert answer.status_code == 400, answer.text[:200]


@pytest.mark.parametrize(
    "url",
    ["https://shop.example:0x50/", "https://shop.example:70000/", "https://[::1", "https://shop..example/",
     "https://.shop.example/", "https://shop_example/", "https://a@b/", "https:///x", "//shop.example"],
)  # fmt: skip
def test_a_return_url_that_is_none_is_400_or_taken(world: World, bo: Merchant, url: str) -> None:
    assert bo.api("POST", "/v1/checkout-sessions", bo.order(return_url=url)).status_code in (201, 400)
