"""An event and the API tell the same story of one version of a session."""

from datetime import timedelta
from typing import Any

from tests.stories.cast import Merchant, Shopper, World


def test_an_event_says_what_the_api_says(world: World, bo: Merchant, session: dict[str, Any], ada: Shopper) -> None:
    ada.picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    (heard,) = bo.heard()
    assert heard["type"] == "checkout_session.paid"
    assert heard["data"] == bo.reads(session)


def test_so_does_the_event_of_a_failure(world: World, bo: Merchant) -> None:
    session = bo.opens(amount=55512)  # the sandbox refuses it
    world.shopper(session).picks("alipay_hk")
    world.passes(5)
    (heard,) = bo.heard()
    assert heard["type"] == "attempt.failed"
    assert heard["data"]["attempts"] == bo.reads(session)["attempts"]


def test_a_session_is_never_paid_before_it_was_opened(world: World, bo: Merchant) -> None:
    world.clock.now += timedelta(milliseconds=900)  # the gateway tells whole seconds
    session = bo.opens()
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.passes(5)
    told = bo.reads(session)
    assert told["paid_at"] == told["created_at"] == session["created_at"]
    assert told["payments"][0]["paid_at"] < told["paid_at"], "which stays the gateway's word"
    assert bo.heard()[0]["data"]["paid_at"] == told["paid_at"]
