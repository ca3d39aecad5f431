"""“Where is order 1234?” Bo finds his payments by whatever he has in hand, and nobody else's."""

from datetime import timedelta
from typing import Any

import pytest

from tests.stories.cast import Merchant, World

PATH = "/v1/checkout-sessions"


@pytest.fixture
def shelf(world: World, bo: Merchant) -> list[dict[str, Any]]:
    """Six sessions, a second apart: the third is paid and partly refunded, the fifth cancelled."""
    made = []
    for number in range(6):
        pairs = {"table": str(number % 2), "channel": "web", "a]b [c": "ünï=?&"} if number else {}
        made.append(bo.opens(reference=f"R-{number % 3}", metadata=pairs))
        world.passes(1)
    world.shopper(made[2]).picks("alipay_hk")
    world.pays(made[2])
    world.passes(3)
    refund = {"amount": 100}
    assert bo.api("POST", f"{PATH}/{made[2]['id']}/refunds", refund, Idempotency_Key="r").status_code == 201
    world.passes(10)
    bo.api("POST", f"{PATH}/{made[4]['id']}/cancel")
    return [bo.reads(session) for session in made]


def found(bo: Merchant, query: dict[str, Any]) -> list[str]:
    answer = bo.api("GET", f"{PATH}?{'&'.join(f'{name}={value}' for name, value in query.items())}")
    assert answer.status_code == 200, answer.text
    return [session["id"] for session in answer.json["data"]]  # type: ignore[index]


def test_a_session_is_found_by_whatever_is_in_hand(bo: Merchant, shelf: list[dict[str, Any]]) -> None:
    ids = [session["id"] for session in shelf]
    paid = shelf[2]
    payment, refund = paid["payments"][0], paid["refunds"][0]
    for query, numbers in (
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"reference": "R-1"}, [4, 1]),
        ({"reference": ""}, []),
        ({"status": "open"}, [5, 3, 1, 0]),
        ({"status": "cancelled", "reference": "R-1"}, [4]),
        ({"support_code": paid["support_code"].lower()}, [2]),
        ({"out_trade_no": payment["out_trade_no"]}, [2]),
        ({"out_trade_no": refund["out_trade_no"]}, [2]),
        ({"syssn": payment["syssn"]}, [2]),
        ({"syssn": refund["syssn"]}, [2]),
        ({"syssn": payment["syssn"], "status": "open"}, []),
        ({"created_after": shelf[3]["created_at"]}, [5, 4]),
        ({"created_before": shelf[2]["created_at"]}, [1, 0]),
        ({"metadata[table]": "1"}, [5, 3, 1]),
        ({"metadata[table]": "1", "metadata[channel]": "web", "status": "open"}, [5, 3, 1]),
        ({"metadata[channel]": "pos"}, []),
        ({"metadata[a%5Db%20%5Bc]": "%C3%BCn%C3%AF%3D%3F%26", "limit": 2}, [5, 4]),
    ):
        assert found(bo, query) == [ids[number] for number in numbers], query


def test_whoever_goes_on_from_a_session_does_not_get_it_again(world: World, bo: Merchant) -> None:
    """Its time is printed to the millisecond, and stored to the microsecond."""
    made = []
    for _ in range(3):
        world.clock.now += timedelta(microseconds=1999)
        made.append(bo.opens(metadata={"channel": "web"}))
    first, middle, last = (session["id"] for session in made)
    for query in ({}, {"metadata[channel]": "web"}):
        assert found(bo, query | {"created_after": made[1]["created_at"]}) == [last]
        assert found(bo, query | {"created_before": made[1]["created_at"]}) == [first]
        assert found(bo, query | {"created_after": made[0]["created_at"]}) == [last, middle]


def test_cy_finds_nothing_of_bo(bo: Merchant, world: World, shelf: list[dict[str, Any]]) -> None:
    cy = world.merchant("Cy's Shop")
    payment = shelf[2]["payments"][0]
    for query in (
        {"reference": "R-1"}, {"support_code": shelf[2]["support_code"]}, {"metadata[channel]": "web"},
        {"out_trade_no": payment["out_trade_no"]}, {"syssn": payment["syssn"]},
    ):  # fmt: skip
        assert found(cy, query) == []
        assert found(bo, query)
    assert cy.api("GET", "/v1/refunds").json == {"data": [], "next_cursor": None}


def test_new_sessions_do_not_shift_the_pages(bo: Merchant, world: World, shelf: list[dict[str, Any]]) -> None:
    for query in ("limit=2", "limit=2&metadata[channel]=web"):
        first = bo.api("GET", f"{PATH}?{query}").json
        bo.opens(metadata={"channel": "web"})
        second = bo.api("GET", f"{PATH}?{query}&cursor={first['next_cursor']}").json  # type: ignore[index]
        shown = [session["id"] for page in (first, second) for session in page["data"]]  # type: ignore[index]
        assert len(set(shown)) == 4
        assert shown[2:] == [shelf[3]["id"], shelf[2]["id"]] or query == "limit=2&metadata[channel]=web"


def test_refunds_are_listed_too(bo: Merchant, shelf: list[dict[str, Any]]) -> None:
    refund = shelf[2]["refunds"][0]
    everything = bo.api("GET", "/v1/refunds").json
    assert everything == {"data": [refund], "next_cursor": None}
    assert bo.api("GET", f"/v1/refunds?session={shelf[2]['id']}&status=succeeded").json == everything
    assert bo.api("GET", "/v1/refunds?status=pending").json["data"] == []  # type: ignore[index]


@pytest.mark.parametrize("wrong", [
    "colour=red", "metadata=x", "metadata[]=x", "metadata[a]=1&metadata[a]=2", "created_before=yesterday",
    "created_after=", "reference=a&reference=b", "status=closing", "metadata[" + "k" * 41 + "]=x",
    "metadata[a][b]=x", "metadata[a][]=x", "metadata[][a]=x",
])  # fmt: skip
def test_what_is_no_filter_is_refused_by_its_name(bo: Merchant, wrong: str) -> None:
    answer = bo.api("GET", f"{PATH}?{wrong}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] in wrong  # type: ignore[index]
