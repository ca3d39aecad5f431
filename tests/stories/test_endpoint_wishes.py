"""What no endpoint may be, and whose it is."""

from typing import Any

import pytest

from tests.stories.cast import Merchant, World
from tests.stories.test_endpoints import PLACE, adds, only_sqlite, shown, verifies
from tests.stories.test_event_log import cancels

INSIDE = [
    "https://10.0.0.1/h", "https://169.254.169.254/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://127.1/",
    "https://2130706433/", "https://shop.example:22/", "http://shop.example/h", "https://user@shop.example/h",
    "ftp://shop.example/", "https://intranet/", "https://shop.example/#x", "https://shop.example/ x", "",
]  # fmt: skip


@only_sqlite
@pytest.mark.parametrize("url", INSIDE)
def test_an_address_inside_is_not_even_registered(bo: Merchant, url: str) -> None:
    [first] = shown(bo)
    for answer in (bo.api("POST", PLACE, {"url": url}), bo.api("PATCH", f"{PLACE}/{first['id']}", {"url": url})):
        assert answer.status_code == 400
        assert [one["field"] for one in answer.json["errors"]] == ["url"]  # type: ignore[index]
    assert shown(bo) == [first]


@only_sqlite
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "url"),
        ({"url": "https://a.example/", "types": ["paid"]}, "types.0"),
        ({"url": "https://a.example/", "types": ["payment.late"] * 2}, "types"),
        ({"url": "https://a.example/", "signatures": []}, "signatures"),
        ({"url": "https://a.example/", "signatures": ["v2"]}, "signatures.0"),
        ({"url": "https://a.example/", "secret": "whsec_x"}, "secret"),
        ([], "body"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(bo: Merchant, wish: Any, field: str) -> None:
    answer = bo.api("POST", PLACE, wish)
    assert answer.status_code == 400
    assert field in [one["field"] for one in answer.json["errors"]]  # type: ignore[index]


@only_sqlite
def test_there_are_ten_endpoints_at_most(bo: Merchant) -> None:
    for number in range(9):
        adds(bo, f"/{number}")
    assert bo.api("POST", PLACE, {"url": "https://a.example/"}).status_code == 409


def test_nobody_sees_or_touches_another_shops_endpoints(world: World, bo: Merchant) -> None:
    cy = world.merchant("Cy's Shop")
    _, inbox = adds(bo, "/private")
    for endpoint in shown(bo):
        where = f"{PLACE}/{endpoint['id']}"
        answers = [
            cy.api("GET", where), cy.api("PATCH", where, {"url": "https://cy.example/"}), cy.api("DELETE", where),
            *(cy.api("POST", f"{where}/{verb}") for verb in ("rotate-secret", "enable", "test")),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [404] * 6
    assert [one["main"] for one in shown(cy)] == [True]
    assert len(shown(bo)) == 2
    cancels(cy)
    world.works()
    assert (bo.inbox.heard, inbox.heard) == ([], [])
    assert verifies(cy.told.webhook_secret, cy.inbox.heard[0])
