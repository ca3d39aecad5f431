"""Below /merchant everything that is not there looks like the back office, and tells nobody what is there."""

from typing import Any

import pytest

from tests.office.cast import Clerk
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOWHERE = ("/payments/cs_0", "/nothing", "/settings/nothing", "/settings/people/nothing", "/", "//", "/%00")


def test_an_unknown_address_is_a_page_of_the_back_office_with_the_way_back(owner: Clerk) -> None:
    for path in (*map(owner.at, NOWHERE), "/merchant/nothing", "/merchant/sign-in/nothing", "/merchant/"):
        owner.opens(path)
        if owner.status in (303, 308):
            continue  # a slash too many
        assert owner.status == 404, path
        assert "There is nothing at this address, or it belongs to another shop." in owner.sees()
        assert "office.css" in owner.text
        assert owner.page
        assert owner.page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert f'href="{owner.at("/payments")}"' in owner.text
        assert owner.email in owner.text


def test_a_stranger_gets_the_same_page_without_anybodys_name(world: World, bo: Merchant, owner: Clerk) -> None:
    stranger = Clerk(world, bo, "")
    for path in (owner.at("/nothing"), "/merchant/nothing"):
        stranger.opens(path)
        assert stranger.status == 404
        assert "There is nothing at this address" in stranger.sees()
        assert "office.css" in stranger.text
        assert bo.told.merchant_id not in stranger.text.replace(path, "")
        assert "Bo's Tea" not in stranger.sees()


def test_what_is_nowhere_in_a_shop_of_others_reads_as_in_one_that_does_not_exist(
    world: World, bo: Merchant, hired: Any
) -> None:
    cy = hired(world.merchant("Cy's Cakes", webhooks=False), "owner")
    cy.signs_in()
    for path in ("/payments", *NOWHERE[:-3]):
        words, links = [], []
        for shop in (bo.told.merchant_id, "m_nobody"):
            cy.opens(f"/merchant/{shop}{path}")
            assert cy.status == 404
            words.append(cy.sees())
            links.append(cy.text.count(cy.at("/payments")))
            assert shop not in cy.text.replace(f"/merchant/{shop}{path}", "")
        assert words[0] == words[1]
        assert links[0] == links[1] > 0


def test_half_a_sign_in_shows_no_shop(world: World, owner: Clerk) -> None:
    owner.enrols()
    owner.signs_out()
    owner.signs_in()
    owner.opens(owner.at("/nothing"))
    assert owner.status == 404
    assert "Bo's Tea" not in owner.sees()


def test_another_verb_says_which_ones_there_are(owner: Clerk) -> None:
    answer = owner.asks("GET", "/merchant/sign-out")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
    assert "office.css" in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/merchants", "/pay/cs_0"])
def test_elsewhere_the_page_is_the_shoppers(owner: Clerk, path: str) -> None:
    owner.opens(path)
    assert owner.status == 404
    assert "office.css" not in owner.text
    assert owner.email not in owner.text
