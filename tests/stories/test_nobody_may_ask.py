"""The breaker is open and its probe is somebody else's: what is due waits, and what was heard before still counts."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkout.domain.signing import sign_notification
from checkout.services.breakers import BETWEEN_PROBES, MOST_FAULTS
from checkout.services.enquiries import enquire_next
from checkout.store.models import Attempt
from checkout.store.models import Merchant as MerchantRow
from checkout.store.oversight import Breaker
from tests.stories.cast import Merchant, World
from tests.stories.test_neighbours import touches_only
from tests.stories.test_notifications import body_for, flagged, post

DAY = 86_400


def nobody_may_ask(world: World, bo: Merchant) -> None:
    """From this moment until that of the next probe."""
    with world.parts.sessions() as db:
        credential = world.parts.gateways.of(db.get_one(MerchantRow, bo.told.merchant_id)).budget_key
        now = world.clock.now
        still = {"faults": MOST_FAULTS, "opened_at": now, "probe_at": now + BETWEEN_PROBES}
        if db.get(Breaker, credential) is None:
            db.add(Breaker(credential=credential, **still))
        else:
            db.execute(update(Breaker).where(Breaker.credential == credential).values(still))
        db.commit()


def passes_in_silence(world: World, bo: Merchant, seconds: int, step: int = 1) -> None:
    """Whenever it is time for a probe, it is somebody else's, and in vain."""
    asked = world.enquiries()
    end = world.clock.now + timedelta(seconds=seconds)
    while world.clock.now < end:
        world.clock.now = min(world.clock.now + timedelta(seconds=step), end)
        nobody_may_ask(world, bo)
        world.works()
    assert world.enquiries() == asked


def scans(world: World, bo: Merchant, *references: str) -> list[dict[str, Any]]:
    sessions = [bo.opens(reference=reference) for reference in references]
    for session in sessions:
        world.shopper(session).picks("alipay_hk")
    return sessions


def notices(world: World, bo: Merchant, session: dict[str, Any]) -> None:
    attempt = world.attempt(session)
    body = body_for(attempt.out_trade_no, pay_type=attempt.pay_type)
    assert post(world, bo, body, sign_notification(body, "key-of-APP1")).data == b"SUCCESS"


def test_only_what_is_due_and_only_this_gateways_waits_for_the_next_probe(world: World, bo: Merchant) -> None:
    [due] = scans(world, bo, "due")
    cy = world.merchant("Cy's Shop")
    world.clock.now += timedelta(seconds=1)
    scans(world, cy, "theirs")
    scans(world, bo, "later")
    moment = world.attempt(due).next_at
    assert moment is not None
    world.clock.now = moment
    nobody_may_ask(world, bo)
    mine = world.attempt(due).id
    with touches_only(world, Attempt, lambda row: row["id"] == mine) as after:
        assert enquire_next(world.asking)
        assert not enquire_next(world.asking), "nothing else is due"
    assert after[mine]["next_at"] == moment + BETWEEN_PROBES


def test_a_minute_after_its_notification_a_payment_is_booked_though_nobody_may_ask(world: World, bo: Merchant) -> None:
    mine, other = scans(world, bo, "mine", "other")
    passes_in_silence(world, bo, 7)
    notices(world, bo, mine)
    passes_in_silence(world, bo, 59)
    assert bo.reads(mine)["status"] == "open"
    passes_in_silence(world, bo, 1)
    assert (bo.reads(mine)["status"], bo.reads(other)["status"]) == ("paid", "open")
    assert world.violations() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_day_after_its_end_a_person_is_called_though_nobody_may_ask(world: World, bo: Merchant) -> None:
    [mine] = scans(world, bo, "mine")
    world.clock.now += timedelta(minutes=10)
    [younger] = scans(world, bo, "younger")
    left = int((world.attempt(mine).ends_at - world.clock.now).total_seconds())
    assert world.attempt(younger).ends_at > world.attempt(mine).ends_at + timedelta(minutes=5)
    passes_in_silence(world, bo, left + DAY - 60, step=3600)
    assert flagged(world) == {}
    passes_in_silence(world, bo, 120, step=30)
    assert flagged(world) == {mine["id"]: "undecided"}
