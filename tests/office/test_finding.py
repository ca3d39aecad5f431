"""A clerk finds an order, whatever the shopper on the phone can read out."""

from typing import Any

import pytest

from tests.office.cast import Clerk, pays
from tests.stories.cast import Merchant, World


@pytest.fixture
def paid(world: World, bo: Merchant) -> dict[str, Any]:
    for number in range(3):
        bo.opens(reference=f"B-200{number}", amount=10_000 + number)
    return pays(world, bo.opens(reference="WC-1234", description="Three tins of oolong"))


def found_by(clerk: Clerk, words: str) -> list[str]:
    clerk.opens(clerk.at(f"/payments?q={words}"))
    assert clerk.status == 200
    return [name for name in ("WC-1234", "B-2000", "B-2001", "B-2002") if f">{name}</a>" in clerk.text]


def test_where_is_order_1234_has_one_answer_whatever_it_is_called(
    world: World, bo: Merchant, viewer: Clerk, paid: dict[str, Any]
) -> None:
    told = bo.reads(paid)
    names = [
        "WC-1234", "1234", "wc-12", "%231234", "oolong", told["id"], told["support_code"], told["support_code"].lower(),
        told["payments"][0]["syssn"], told["payments"][0]["out_trade_no"], "88", "88.00", "HK$88.00",
    ]  # fmt: skip
    assert {name: found_by(viewer, name) for name in names} == {name: ["WC-1234"] for name in names}


def test_the_list_is_narrowed_by_status_and_by_hong_kong_days(viewer: Clerk, paid: dict[str, Any]) -> None:
    assert found_by(viewer, "&status=paid") == ["WC-1234"]
    assert found_by(viewer, "&status=open") == ["B-2000", "B-2001", "B-2002"]
    assert len(found_by(viewer, "&from=2026-03-10&to=2026-03-10")) == 4
    assert found_by(viewer, "&from=2026-03-11") == []
    assert found_by(viewer, "&to=2026-03-09") == []


def test_a_search_that_finds_nothing_says_what_to_try(viewer: Clerk, paid: dict[str, Any]) -> None:
    assert found_by(viewer, "nobody") == []
    assert "six letters of the support code" in viewer.sees()
    assert found_by(viewer, "100%25_") == []


def test_pages_of_a_long_list_follow_each_other_without_a_gap(bo: Merchant, viewer: Clerk) -> None:
    wanted = {bo.opens(reference=f"N-{number:03}")["reference"] for number in range(55)}
    viewer.opens(viewer.at("/payments"))
    first = {name for name in wanted if name in viewer.text}
    link = viewer.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    viewer.opens(link)
    second = {name for name in wanted if name in viewer.text}
    assert (len(first), len(second), first | second) == (50, 5, wanted)
    viewer.opens(viewer.at("/payments?cursor=rubbish"))
    assert viewer.status == 200


def test_one_payments_page_tells_the_whole_story(
    world: World, bo: Merchant, viewer: Clerk, paid: dict[str, Any]
) -> None:
    told = bo.reads(paid)
    viewer.opens(viewer.at(f"/payments/{paid['id']}"))
    said = viewer.sees()
    for words in (
        "The shop opened the checkout", "Try with AlipayHK: paid", "Money came: HK$88.00", told["payments"][0]["syssn"],
        "The gateway answered our question", '"respcd": "0000"', "Your shop is told: Order paid", "12:00:0",
    ):  # fmt: skip
        assert words in said, words
    assert "<form" not in viewer.text.partition('id="main"')[2], "a viewer has nothing to press"
    bo.api("POST", f"/v1/checkout-sessions/{paid['id']}/refunds", {}, Idempotency_Key="all")
    viewer.opens(viewer.at(f"/payments/{paid['id']}"))
    assert viewer.sees().index("Asked for a refund") < viewer.sees().index("Refund of HK$88.00: queued")


def test_an_order_is_found_with_and_without_its_number_sign(bo: Merchant, viewer: Clerk) -> None:
    both, one = ["#1234", "1234"], ["#777"]
    for reference in (*both, *one):
        bo.opens(reference=reference)
    for words, found in (("%231234", both), ("1234", both), ("%23777", one), ("777", one)):
        viewer.opens(viewer.at(f"/payments?q={words}"))
        assert [name for name in (*both, *one) if f">{name}</a>" in viewer.text] == found, words
