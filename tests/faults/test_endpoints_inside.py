"""F55: an endpoint that is, or becomes, an address inside."""

import pytest

from tests.faults.shops import DAY, cancels, deliveries, in_a_hurry, moves_to, path_of, statuses
from tests.services.endpoints import (
    PUBLIC_IP,
    dialled,
)
from tests.stories.cast import Merchant, World

__all__ = ["dialled"]


INSIDE = [
    ["127.0.0.1"], ["10.0.0.1"], ["192.168.1.1"], ["172.16.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["fe80::1"],
    ["fd00:ec2::254"], ["::1"], ["::ffff:127.0.0.1"], ["::ffff:169.254.169.254"], ["64:ff9b::a9fe:a9fe"],
    [PUBLIC_IP, "10.0.0.1"], ["10.0.0.1", PUBLIC_IP],
]  # fmt: skip


@pytest.mark.parametrize("addresses", INSIDE, ids="+".join)
def test_f55_an_endpoint_inside_is_blocked_without_a_packet(
    world: World, bo: Merchant, dialled: list[str], addresses: list[str]
) -> None:
    moves_to(world, bo, "https://shop.example/hook")
    in_a_hurry(world, seconds=15, loopback_allowed=False, resolve=lambda *_: addresses)
    cancels(bo)
    world.passes(DAY, step=7200)
    [delivery] = deliveries(world)
    assert (delivery.status, delivery.tries, delivery.answer_status) == ("blocked", 1, None)
    assert dialled == []
    assert not any(address in (delivery.error or "") for address in addresses), "our network is not for them to map"


def test_f55_a_name_that_changes_between_the_check_and_the_connection_gains_nothing(
    world: World, bo: Merchant, dialled: list[str]
) -> None:
    moves_to(world, bo, "https://shop.example/hook")
    lies = iter([[PUBLIC_IP], ["127.0.0.1"], ["127.0.0.1"]])
    in_a_hurry(world, seconds=15, loopback_allowed=False, resolve=lambda *_: next(lies))
    cancels(bo)
    world.works()
    assert dialled == [PUBLIC_IP], "resolved once, and connected to what was checked"
    assert statuses(world) == ["due"]
    world.passes(6)
    assert dialled == [PUBLIC_IP]
    assert statuses(world) == ["blocked"]


def test_f55_what_was_blocked_is_sent_when_the_endpoint_is_where_it_should_be(world: World, bo: Merchant) -> None:
    outside = world.posting
    moves_to(world, bo, "https://shop.example/hook")
    in_a_hurry(world, seconds=15, loopback_allowed=False, resolve=lambda *_: ["10.0.0.1"])
    for reference in "12":
        cancels(bo, reference)
        world.works()
    assert statuses(world) == ["blocked"] * 2
    world.posting = outside
    moves_to(world, bo, world.hooks.url + path_of(world, bo))
    world.works()
    assert [news["data"]["reference"] for news in bo.heard()] == ["1", "2"]


@pytest.mark.parametrize("url", ["https://10.0.0.1/hook", "https://169.254.169.254/", "https://shop.example:22/"])
def test_f55_an_address_inside_is_not_even_registered(world: World, bo: Merchant, url: str) -> None:
    words = ["merchant", "enable-webhook", bo.told.merchant_id, "--url", url]
    refused = world.app.test_cli_runner().invoke(args=words)
    assert refused.exit_code == 1
    assert "--url must" in refused.output
