"""The OpenAPI document: complete, true, and the same for everybody."""

import re
from typing import Any

import pytest
from pydantic import BaseModel
from werkzeug.test import Client

from checkout.domain.endpoints import EVENT_TYPES
from checkout.web import events_api, merchant_api
from checkout.web.openapi.document import document, examples
from checkout.web.openapi.news import EVENTS
from checkout.web.openapi.operations import Operation
from checkout.web.openapi.table import OPERATIONS
from tests.contract.examples import alike, collect
from tests.stories.cast import PUBLIC, Merchant, World

PLACE = "/v1/openapi.json"
BY_ID = {operation.id: operation for operation in OPERATIONS}


def asks(world: World, **headers: str) -> Any:
    return Client(world.app).get(PLACE, base_url=PUBLIC, headers=headers)


@pytest.fixture
def database_url(empty_books: Any, tmp_path: Any) -> str:
    """On SQLite: nothing of this knows the database."""
    (tmp_path / "books.db").write_bytes(empty_books.read_bytes())
    return f"sqlite:///{tmp_path / 'books.db'}"


def test_every_address_of_the_api_is_described_and_no_other(world: World) -> None:
    rules = {
        (method, rule.rule)
        for rule in world.app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert rules == {(operation.method, operation.rule) for operation in OPERATIONS}
    assert len(BY_ID) == len(OPERATIONS)


def test_every_parameter_of_a_list_is_described_and_no_other() -> None:
    filters = {
        "listCheckoutSessions": {*merchant_api.FILTERS, "metadata"},
        "listRefunds": set(merchant_api.REFUND_FILTERS),
        "listEvents": set(events_api.FILTERS),
    }
    described = {o.id: {p.name for p in o.query} - {"limit", "cursor"} for o in OPERATIONS if o.query}
    assert described == filters


def test_every_type_of_event_is_described() -> None:
    assert set(EVENTS) == set(EVENT_TYPES)


def test_anybody_may_read_it_and_keep_it(world: World) -> None:
    first = asks(world)
    assert (first.status_code, first.mimetype) == (200, "application/json")
    assert first.json["openapi"] == "3.1.0"
    assert first.json["servers"] == [{"url": PUBLIC}]
    assert first.headers["Cache-Control"] == "public, max-age=300"
    again = asks(world, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")


def test_every_reference_leads_somewhere() -> None:
    made = document(PUBLIC)
    for reference in re.findall(r"'\$ref': '#/([^']+)'", str(made)):
        found: Any = made
        for part in reference.split("/"):
            assert part in found, reference
            found = found[part]


def test_the_examples_are_what_the_application_answers(world: World) -> None:
    """`python -m tests.contract --save` writes them anew."""
    assert alike(collect(world)) == alike(examples())


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.answer], ids=lambda o: o.id)
def test_answers_are_what_the_models_say(operation: Operation) -> None:
    """In both directions: the models allow no other field, and no field of theirs is missing."""
    assert operation.answer
    answer = examples()[operation.id]["answer"]
    read = operation.answer.model_validate(answer)
    assert_whole(read, answer)


def assert_whole(read: BaseModel, answer: dict[str, Any]) -> None:
    optional = {"reason", "errors", "public_keys_url"}
    assert set(type(read).model_fields) - optional <= set(answer)


def test_every_operation_has_an_example() -> None:
    told = examples()
    assert set(BY_ID) - {"readOpenapi"} <= set(told)
    assert {name for name, operation in BY_ID.items() if operation.body} <= {
        name for name in told if "request" in told[name]
    }


def test_a_session_that_was_really_paid_is_read_strictly(bo: Merchant, world: World) -> None:
    """Whatever the examples show, the model holds for the session as it is answered today."""
    session = bo.opens(items=[{"name": "Pu'er", "amount": 8800}], locale="zh-HK", wallets=["alipay_hk"])
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    answer = bo.reads(session)
    assert answer["status"] == "paid"
    assert_whole(BY_ID["readCheckoutSession"].answer.model_validate(answer), answer)  # type: ignore[union-attr]
