"""A link that may be paid so many times: as many places, however many people come at once, and no payment more."""

import html
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client, TestResponse

from checkout.domain.ids import new_id
from tests.stories.cast import PUBLIC, Merchant, World
from tests.stories.test_reusable_links import ENTERED, FIXED, leads_to, looks, makes, mark_on, presses


def all_press(world: World, link: dict[str, Any], people: int, amount: str = "") -> list[TestResponse]:
    """So many people at the same moment, each with a page of their own."""
    together = Barrier(people)

    def press(mark: str) -> TestResponse:
        together.wait()
        return presses(world, link, mark, amount)

    with ThreadPoolExecutor(people) as hurry:
        return list(hurry.map(press, [new_id("") for _ in range(people)]))


def led(answers: list[TestResponse]) -> set[str]:
    return {leads_to(answer) for answer in answers if answer.status_code == 303}


def pay(world: World, bo: Merchant, session_id: str) -> dict[str, Any]:
    session = bo.reads({"id": session_id})
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    return session


def says(world: World, link: dict[str, Any], status: int) -> str:
    page = looks(world, link)
    assert page.status_code == status, page.text
    return html.unescape(page.text)


def test_of_nine_people_at_once_three_can_pay_and_three_payments_come(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED, "--max-paid", "3")
    answers = all_press(world, link, 9)
    sessions = led(answers)
    assert sorted(answer.status_code for answer in answers) == [303] * 3 + [409] * 6
    assert len(sessions) == 3
    assert "As many people as this link allows are paying" in says(world, link, 409)
    assert Client(world.app).get(urlsplit(link["poster"]).path, base_url=PUBLIC).status_code == 200

    for session_id in sessions:
        pay(world, bo, session_id)
    world.passes(5)
    assert {bo.reads({"id": one})["status"] for one in sessions} == {"paid"}
    assert "It was paid as often as it allows" in says(world, link, 410)
    assert {answer.status_code for answer in all_press(world, link, 4)} == {410}


def test_a_place_that_is_not_used_comes_free_when_no_code_of_it_can_be_paid_any_more(
    world: World, bo: Merchant
) -> None:
    link = makes(world, bo, *FIXED, "--max-paid", "2")
    idle, scanning = sorted(led(all_press(world, link, 2)))
    world.shopper(bo.reads({"id": idle})).cancels()
    assert says(world, link, 200)
    [third] = led(all_press(world, link, 1))

    shown = bo.reads({"id": scanning})
    ada = world.shopper(shown)
    ada.picks("alipay_hk")
    ada.cancels()
    says(world, link, 409)  # her code is on somebody's screen still, and whoever has it may pay
    world.pays(shown)
    pay(world, bo, third)
    world.passes(5)
    assert [bo.reads({"id": one})["status"] for one in (idle, scanning, third)] == ["cancelled", "paid", "paid"]
    says(world, link, 410)


def test_a_link_for_one_payment_leads_everybody_to_the_same_one(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *FIXED, "--max-paid", "1")
    [session_id] = led(all_press(world, link, 6))
    assert led([presses(world, link, mark_on(looks(world, link)))]) == {session_id}

    world.shopper(bo.reads({"id": session_id})).cancels()
    [another] = led(all_press(world, link, 3))
    assert another != session_id
    pay(world, bo, another)
    world.passes(5)
    assert "your payment stands" in says(world, link, 410)
    assert bo.reads({"id": another})["status"] == "paid"


def test_an_amount_that_somebody_has_entered_is_not_put_before_the_next_one(world: World, bo: Merchant) -> None:
    link = makes(world, bo, *ENTERED, "--max-paid", "1")
    [session_id] = led(all_press(world, link, 4, "88"))
    page = says(world, link, 409)
    assert f'href="/pay/{session_id}"' in page
    assert "Go on with that payment" in page
    assert presses(world, link, new_id(""), "99").status_code == 409

    world.passes(timedelta(minutes=31).total_seconds(), step=60)
    assert bo.reads({"id": session_id})["status"] == "expired"
    assert led([presses(world, link, new_id(""), "99")])


def test_a_link_without_such_a_limit_knows_no_places(world: World, bo: Merchant) -> None:
    assert len(led(all_press(world, makes(world, bo, *FIXED), 6))) == 6
