"""Bo's developer talks to the API: strict reading, every mistake at once, and the same answer for the same key."""

from typing import Any

import pytest

from checkout import crash_points
from checkout.domain.orders import LONGEST_BODY, MOST_CHARACTERS
from tests.stories.cast import Merchant, World

PATH = "/v1/checkout-sessions"


def mistakes(answer: Any) -> dict[str, str]:
    assert answer.mimetype == "application/problem+json", answer.text
    return {mistake["field"]: mistake["message"] for mistake in answer.json["errors"]}


def test_a_session_is_what_was_ordered(bo: Merchant, world: World) -> None:
    order = bo.order(
        description="Tea for two",
        items=[{"name": "Pu'er 普洱", "quantity": 2, "amount": 4400}],
        cancel_url="https://shop.example/basket",
        wallets=["alipay"],
        locale="zh-HK",
        metadata={"table": "7"},
        expires_in=60,
        late_payment="accept",
    )
    answer = bo.api("POST", PATH, order)
    assert answer.status_code == 201
    told = answer.json
    assert told is not None
    assert {name: told[name] for name in order if name not in {"expires_in", "limit_pay"}} == {
        name: value for name, value in order.items() if name != "expires_in"
    }
    assert (told["status"], told["review"], told["amount_refunded"], told["version"]) == ("open", False, 0, 1)
    assert (told["created_at"], told["expires_at"]) == ("2026-03-10T04:00:00.000Z", "2026-03-10T05:00:00.000Z")
    assert (told["attempts"], told["payments"], told["refunds"], told["paid_at"]) == ([], [], [], None)
    assert told["url"] == f"https://pay.sampan.example/pay/{told['id']}"
    assert told["id"].startswith("cs_")
    assert len(told["id"]) >= 25
    assert bo.reads(told) == told


# fmt: off
WRONG = [
    ({"amount": -1}, "amount"), ({"amount": 0}, "amount"), ({"amount": 1.5}, "amount"), ({"amount": "100"}, "amount"),
    ({"amount": True}, "amount"), ({"amount": 10**11}, "amount"), ({"amount": None}, "amount"),
    ({"amount": "１００"}, "amount"),
    ({"currency": "hkd"}, "currency"), ({"currency": "XXX"}, "currency"), ({"currency": 1}, "currency"),
    ({"reference": ""}, "reference"), ({"reference": "x" * 129}, "reference"), ({"reference": "a\nb"}, "reference"),
    ({"description": "x" * 501}, "description"), ({"wallets": ["paypal"]}, "wallets.0"),
    ({"wallets": ["alipay", "alipay"]}, "wallets"), ({"locale": "fr"}, "locale"), ({"expires_in": 4}, "expires_in"),
    ({"expires_in": 1441}, "expires_in"), ({"expires_in": "30"}, "expires_in"), ({"limit_pay": "credit"}, "limit_pay"),
    ({"late_payment": "keep"}, "late_payment"), ({"metadata": {"k": 1}}, "metadata.k"), ({"metadata": []}, "metadata"),
    ({"metadata": {str(n): "v" for n in range(21)}}, "metadata"), ({"metadata": {"k" * 41: "v"}}, "metadata"),
    ({"metadata": {"k": "v" * 501}}, "metadata.k"), ({"items": [{"name": "a"}]}, "items.0.amount"),
    ({"items": [{"name": "a", "amount": 1, "price": 1}]}, "items.0.price"), ({"colour": "red"}, "colour"),
    ({"return_url": "/thanks"}, "return_url"), ({"return_url": "javascript:alert(1)"}, "return_url"),
    ({"return_url": "//evil.example"}, "return_url"), ({"return_url": "https:evil.example"}, "return_url"),
    ({"return_url": "https://shop.example@evil.example"}, "return_url"),
    ({"return_url": "https://shop.example\\@evil"}, "return_url"),
    ({"return_url": "https://shop.example/%0d%0a\r\n"}, "return_url"),
    ({"return_url": "https://shöp.example/"}, "return_url"),
    ({"return_url": "https://" + "x" * 2050}, "return_url"), ({"return_url": "data:text/html,x"}, "return_url"),
    ({"metadata": {"k": "a\0b"}}, "metadata.k"), ({"metadata": {"k": "\ud800"}}, "metadata.k"),
    ({"reference": "\ud800"}, "reference"),
    ({"cancel_url": "ftp://shop.example"}, "cancel_url"),
]
# fmt: on


@pytest.mark.parametrize(
    ("change", "field", "has"),
    [
        ({"amount": 100}, "amount", "alipay"),
        ({"amount": 100, "wallets": ["alipay"]}, "wallets", "alipay"),
        ({"currency": "USD"}, "currency", "none"),
    ],
)
def test_an_order_that_no_wallet_takes_says_what_to_change(
    world: World, change: dict[str, Any], field: str, has: str
) -> None:
    bo = world.merchant(wallets=("alipay:HKD",))  # it takes no amount of one dollar or less
    answer = bo.api("POST", PATH, bo.order() | change)
    currency = change.get("currency", "HKD")
    told = f"no wallet can be offered for this; for {currency} this merchant has: {has}"
    assert (answer.status_code, mistakes(answer)) == (400, {field: told})


def test_an_order_for_one_wallet_is_not_taken_by_another(world: World) -> None:
    bo = world.merchant(wallets=("alipay:HKD", "alipay_hk:HKD"))
    small = bo.order() | {"amount": 100}  # of which Alipay takes none
    assert bo.api("POST", PATH, small).status_code == 201
    answer = bo.api("POST", PATH, small | {"wallets": ["alipay"]})
    assert (answer.status_code, list(mistakes(answer))) == (400, ["wallets"])


@pytest.mark.parametrize(("change", "field"), WRONG, ids=[f"{field}-{n}" for n, (_, field) in enumerate(WRONG)])
def test_a_bad_value_is_named(bo: Merchant, change: dict[str, Any], field: str) -> None:
    answer = bo.api("POST", PATH, bo.order() | change)
    assert answer.status_code == 400
    assert any(named.startswith(field) for named in mistakes(answer)), answer.text


def test_every_mistake_is_told_at_once(bo: Merchant) -> None:
    answer = bo.api("POST", PATH, {"amount": 0, "currency": "X", "colour": "red"})
    assert set(mistakes(answer)) == {"amount", "currency", "reference", "return_url", "colour"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"amount": NaN}',
        b'{"amount": 1, "amount": 2}',
        b"[" * 100_000,
        b"\xff",
        b'"' + b"x" * MOST_CHARACTERS,
        b'"' + b"\\u6c49" * MOST_CHARACTERS,
        b" " * (LONGEST_BODY + 1),
    ],
)
def test_rubbish_is_refused_with_a_reason(bo: Merchant, body: bytes) -> None:
    from werkzeug.test import Client

    answer = Client(bo.world.app).post(
        PATH, data=body, content_type="application/json", base_url="https://pay.sampan.example",
        headers={"Authorization": f"Bearer {bo.told.api_key}"},
    )  # fmt: skip
    assert answer.status_code in {400, 413}
    assert answer.mimetype == "application/problem+json"


def test_an_order_at_all_its_limits_is_taken_however_its_characters_are_written(bo: Merchant) -> None:
    """json.dumps and PHP's json_encode write all but ASCII as \\uXXXX: twelve bytes for this one."""
    tea = "\N{TEAPOT}"
    order = bo.order(
        reference=tea * 128,
        description=tea * 500,
        items=[{"name": tea * 200, "quantity": 100_000, "amount": 10**9}] * 100,
        metadata={f"{tea * 38}{number:02}": tea * 500 for number in range(20)},
        return_url="https://shop.example/".ljust(2048, "a"),
        cancel_url="https://shop.example/".ljust(2048, "b"),
    )
    session = bo.opens(**order)
    assert session["metadata"] == order["metadata"]
    assert {name: bo.reads(session)[name] for name in order} == order
    assert bo.api("POST", PATH, bo.order(description="x" * MOST_CHARACTERS)).status_code == 413


def test_of_very_many_mistakes_a_hundred_are_told(bo: Merchant) -> None:
    answer = bo.api("POST", PATH, bo.order(**{f"colour{number}": 1 for number in range(3_000)}))
    assert (answer.status_code, len(mistakes(answer))) == (400, 100)


def test_a_return_url_must_be_on_the_merchants_list(world: World) -> None:
    bo = world.merchant(return_origins=["https://shop.example"])
    assert bo.api("POST", PATH, bo.order()).status_code == 201
    for url in (
        "https://shop.example.evil.example/",
        "https://evil.example/",
        "http://shop.example/",
        "https://shop.example:444/",
    ):
        assert "return_url" in mistakes(bo.api("POST", PATH, bo.order(return_url=url)))


def test_the_same_key_gives_the_same_answer(bo: Merchant, world: World) -> None:
    first = bo.api("POST", PATH, bo.order(), Idempotency_Key="order-7")
    world.clock.now = world.clock.now.replace(hour=5)
    again = bo.api("POST", PATH, bo.order(), Idempotency_Key="order-7")
    assert (again.status_code, again.text) == (first.status_code, first.text)
    other = bo.api("POST", PATH, bo.order(amount=1), Idempotency_Key="order-7")
    assert other.status_code == 422
    assert bo.api("POST", PATH, bo.order(), Idempotency_Key="order-8").json["id"] != first.json["id"]  # type: ignore[index]
    assert bo.api("POST", PATH, bo.order(), Idempotency_Key="x" * 256).status_code == 400


def test_a_key_belongs_to_its_merchant(bo: Merchant, world: World) -> None:
    cy = world.merchant("Cy's Shop")
    mine = bo.api("POST", PATH, bo.order(), Idempotency_Key="1").json
    theirs = cy.api("POST", PATH, cy.order(), Idempotency_Key="1").json
    assert mine["id"] != theirs["id"]  # type: ignore[index]


def test_cy_sees_nothing_of_bo(bo: Merchant, world: World, session: dict[str, Any]) -> None:
    cy = world.merchant("Cy's Shop")
    unknown = cy.api("GET", f"{PATH}/cs_0000000000000000000000")
    for method, path in (("GET", ""), ("POST", "/cancel")):
        answer = cy.api(method, f"{PATH}/{session['id']}{path}")
        assert (answer.status_code, answer.text) == (404, unknown.text)
    assert cy.api("GET", PATH).json == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer sk_wrong", "Basic abc", "Bearer ключ"])
def test_without_a_key_there_is_no_answer(bo: Merchant, key: str) -> None:
    from werkzeug.test import Client

    answer = Client(bo.world.app).get(
        PATH, base_url="https://pay.sampan.example", headers={"Authorization": key.encode().decode("latin-1")}
    )
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_only_json_is_read(bo: Merchant) -> None:
    from werkzeug.test import Client

    answer = Client(bo.world.app).post(
        PATH, data={"amount": "1"}, base_url="https://pay.sampan.example",
        headers={"Authorization": f"Bearer {bo.told.api_key}"},
    )  # fmt: skip
    assert answer.status_code == 415


def test_the_list_is_read_page_by_page(bo: Merchant, world: World) -> None:
    made = []
    for number in range(5):
        made.append(bo.opens(reference=f"R-{number % 2}")["id"])
        world.passes(1)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = bo.api("GET", f"{PATH}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        assert page is not None
        found += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert found == made[::-1]
    only = bo.api("GET", f"{PATH}?reference=R-1&status=open&created_after=2026-03-10T04:00:02Z").json
    assert only is not None
    assert [one["id"] for one in only["data"]] == [made[3]]
    for wrong in (
        "limit=0",
        "limit=x",
        "status=done",
        "created_after=yesterday",
        "cursor=zzz",
        "colour=red",
        "limit=1&limit=2",
        "reference=%00",
    ):
        assert bo.api("GET", f"{PATH}?{wrong}").status_code == 400, wrong


def test_a_call_holds_one_connection_of_the_pool(bo: Merchant, world: World) -> None:
    held: dict[str, int] = {}
    pool = world.parts.engine.pool
    with crash_points.watched(lambda point: held.update({point: pool.checkedout()})):  # type: ignore[attr-defined]
        session = bo.opens()
        bo.api("POST", PATH, bo.order(reference="A-1002"), Idempotency_Key="k")
        bo.api("POST", f"{PATH}/{session['id']}/cancel")
    assert {name: held[name] for name in ("key.before_commit", "cancel.before_commit")} == {
        "key.before_commit": 1,
        "cancel.before_commit": 1,
    }
