"""The manners of the API: which refusals pass by themselves, what is said in which words, and to whom it is counted."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import Client, TestResponse

from tests.stories.cast import PUBLIC, Merchant
from tests.stories.test_limits import calls

PATH = "/v1/checkout-sessions"
KEYS, ENDPOINTS = "/v1/api-keys", "/v1/webhook-endpoints"
NOBODY = "/.well-known/webhook-keys/m_nobody.json"


def sends(bo: Merchant, body: bytes) -> TestResponse:
    client = Client(bo.world.app, use_cookies=False)
    headers = {"Authorization": f"Bearer {bo.told.api_key}"}
    return client.post(PATH, data=body, content_type="application/json", base_url=PUBLIC, headers=headers)


def said(answer: TestResponse, field: str) -> str:
    assert answer.status_code == 400, answer.text
    assert answer.json
    return str(next(one["message"] for one in answer.json["errors"] if one["field"] == field))


def test_what_waiting_does_not_mend_names_no_time_to_wait(bo: Merchant, session: dict[str, Any]) -> None:
    """A client that may repeat what is 409 with Retry-After would only ask three times for nothing."""
    refund = bo.api("POST", f"{PATH}/{session['id']}/refunds", {}, Idempotency_Key="r1")
    assert "nothing was paid" in refund.text
    own = bo.api("GET", KEYS).json["data"][0]["id"]  # type: ignore[index]
    last_key = bo.api("DELETE", f"{KEYS}/{own}")
    twice = [bo.api("POST", ENDPOINTS, {"url": "https://books.example/hear"}) for _ in range(2)][-1]
    first = bo.api("GET", ENDPOINTS).json["data"][0]["id"]  # type: ignore[index]
    rotated = [bo.api("POST", f"{ENDPOINTS}/{first}/rotate-secret") for _ in range(2)][-1]
    for answer in (refund, last_key, twice, rotated):
        assert (answer.status_code, answer.mimetype) == (409, "application/problem+json"), answer.text
        assert "Retry-After" not in answer.headers


def test_a_key_that_lacks_a_scope_is_counted_like_any_other(make_world: Any) -> None:
    world = make_world(RATE_LIMITS="api=3/minute")
    bo = world.merchant("Bo's Tea")
    till = bo.api("POST", KEYS, {"name": "till", "scopes": ["read"]}).json["key"]
    answers = [calls(world, "POST", PATH, till, json=bo.order()) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert [answer.headers["RateLimit"] for answer in answers][:2] == ['"api";r=2;t=20', '"api";r=1;t=40']
    assert calls(world, "GET", PATH, till).status_code == 429


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", f"{PATH}/", NOBODY])
def test_where_nothing_is_a_program_reads_the_same_as_for_what_is_not_its_own(bo: Merchant, path: str) -> None:
    nowhere, unknown = bo.api("GET", path), bo.api("GET", f"{PATH}/cs_0000000000000000000000")
    assert (nowhere.status_code, nowhere.mimetype) == (404, "application/problem+json")
    assert nowhere.json == unknown.json


def test_lengths_are_told_in_characters_and_numbers_in_entries(bo: Merchant) -> None:
    for wish, field, words in (
        ({"reference": "x" * 129}, "reference", "must have at most 128 characters"),
        ({"reference": ""}, "reference", "must have at least 1 character(s)"),
        ({"description": "茶" * 501}, "description", "must have at most 500 characters"),
        ({"metadata": {"k" * 41: "v"}}, f"metadata.{'k' * 41}.[key]", "must have at most 40 characters"),
        ({"metadata": {str(n): "v" for n in range(21)}}, "metadata", "must have at most 20 entries"),
        ({"items": [{"name": "", "amount": 1}]}, "items.0.name", "must have at least 1 character(s)"),
        ({"items": [{"name": "Tea", "amount": 1}] * 101}, "items", "must have at most 100 entries"),
    ):
        assert said(bo.api("POST", PATH, bo.order(**wish)), field) == words


def test_what_cannot_be_read_is_told_in_our_words(bo: Merchant) -> None:
    many = json.dumps(bo.order()).replace("8800", "9" * 5000)
    assert said(sends(bo, many.encode()), "body") == "must be JSON: a number has more than 40 digits"
    assert (
        said(sends(bo, json.dumps(bo.order()).encode("utf-16")), "body") == "must be JSON: it is not encoded as UTF-8"
    )


def test_a_call_that_takes_no_field_names_the_one_it_was_given(bo: Merchant, session: dict[str, Any]) -> None:
    cancel, paths = f"{PATH}/{session['id']}/cancel", ("/v1/events/evt_1/redeliver", f"{ENDPOINTS}/whe_1/test")
    for path in (cancel, *paths):
        assert said(bo.api("POST", path, {"foo": 1}), "foo") == "is not a field of this call; remove it"
        assert said(bo.api("POST", path, ["foo"]), "body") == "must be a JSON object"
    assert bo.reads(session)["status"] == "open"
    assert bo.api("POST", cancel, {}).status_code == 200


@pytest.mark.parametrize(
    "asked", [{"metadata[table]": "7" * 501}, {f"metadata[key {n}]": "7" for n in range(21)}], ids=["long", "many"]
)
def test_pairs_that_no_session_can_have_are_refused_and_not_sought(bo: Merchant, asked: dict[str, str]) -> None:
    answer = bo.api("GET", f"/v1/checkout-sessions?{urlencode(asked)}")
    assert answer.status_code == 400
    [wrong] = answer.json["errors"]  # type: ignore[index]
    assert "at most" in wrong["message"]
