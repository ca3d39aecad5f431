"""The log of deliveries: what failed is found, read and sent again, from the list and from a payment's story."""

import re
from datetime import timedelta

import pytest

from tests.office.cast import Clerk, pays
from tests.stories.cast import Merchant, World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def bo(world: World) -> Merchant:
    return world.merchant("Bo's Tea")


def misses_it(world: World, bo: Merchant) -> dict[str, str]:
    """Ada has paid, and Bo's server answers nothing but errors until we give up."""
    session = bo.opens(reference="WC-77")
    bo.inbox.answers = [500] * 100
    pays(world, session)
    world.passes(6 * 86_400, step=7200)
    bo.inbox.answers = []
    return session


def rows(clerk: Clerk) -> list[str]:
    return re.findall(r'/deliveries/(evt_\w+)">', clerk.text)


def test_what_failed_is_found_read_and_sent_again(world: World, bo: Merchant, operator: Clerk) -> None:
    session = misses_it(world, bo)
    operator.signs_in()
    operator.opens(operator.at("/deliveries?status=failed"))
    assert len(rows(operator)) == 1
    assert "Order paid" in operator.sees()
    assert "WC-77" in operator.sees()
    event = rows(operator)[0]
    operator.opens(operator.at(f"/deliveries/{event}"))
    assert operator.sees().count(" 500 ") > 3, "each try stands there"
    assert "webhook-signature" in operator.text.lower()
    assert session["id"] in operator.text, "the body as it was sent"
    before = len(bo.heard())
    assert operator.sends(operator.at(f"/deliveries/{event}/redeliver")).status_code == 303
    world.works()
    assert len(bo.heard()) == before + 1
    assert bo.inbox.heard[-1].headers["webhook-id"] == event
    operator.opens(operator.at("/deliveries?status=failed"))
    assert rows(operator) == []
    operator.opens(operator.at("/settings"))
    assert "Sent events again" in operator.sees()


def test_everything_that_failed_since_a_day_is_sent_again_by_one_button(
    world: World, bo: Merchant, operator: Clerk
) -> None:
    begun = world.clock.now
    misses_it(world, bo)
    operator.signs_in()
    operator.opens(operator.at("/deliveries"))
    after = (begun + timedelta(days=1)).date().isoformat()
    operator.sends(operator.at("/deliveries/redeliver"), since=after)
    world.works()
    assert "0 events" in operator.opens(operator.at("/deliveries?status=failed"))
    assert len(rows(operator)) == 1, "it happened the day before"
    operator.sends(operator.at("/deliveries/redeliver"), since=begun.date().isoformat())
    assert "1 event is being sent again" in operator.opens(operator.at("/deliveries?status=waiting"))
    assert len(rows(operator)) == 1
    world.works()
    assert bo.heard()[-1]["type"] == "checkout_session.paid"
    assert operator.sends(operator.at("/deliveries/redeliver"), since="soon").status_code == 422


def test_a_payments_story_leads_to_what_was_sent_and_sends_it_again(
    world: World, bo: Merchant, operator: Clerk, viewer: Clerk
) -> None:
    session = pays(world, bo.opens())
    operator.opens(operator.at(f"/payments/{session['id']}"))
    event = rows(operator)[0]
    assert "Send again" in operator.sees()
    heard = len(bo.heard())
    assert operator.sends(operator.at(f"/deliveries/{event}/redeliver")).status_code == 303
    world.works()
    assert len(bo.heard()) == heard + 1
    viewer.opens(viewer.at(f"/payments/{session['id']}"))
    assert rows(viewer) == [event]
    assert "Send again" not in viewer.sees()


def test_with_nobody_to_hear_it_the_page_says_so(world: World, operator: Clerk) -> None:
    world.merchant("Deaf", webhooks=False)
    bo = operator.shop
    ended = bo.opens()
    bo.api("POST", f"/v1/checkout-sessions/{ended['id']}/cancel")
    endpoint = (bo.api("GET", "/v1/webhook-endpoints").json or {})["data"][0]["id"]
    bo.api("DELETE", f"/v1/webhook-endpoints/{endpoint}")
    operator.opens(operator.at("/deliveries"))
    event = rows(operator)[0]
    operator.opens(operator.at(f"/deliveries/{event}"))
    assert operator.sends(operator.at(f"/deliveries/{event}/redeliver")).status_code == 409
    assert "Nobody is there to hear it" in operator.sees()


@pytest.mark.parametrize(
    "query", ["status=x", "type=x", "cursor=x", "session=cs_nobody", "status=failed&type=payment.late"]
)
def test_a_filter_that_makes_no_sense_is_no_error(operator: Clerk, query: str) -> None:
    operator.opens(operator.at(f"/deliveries?{query}"))
    assert operator.status == 200
