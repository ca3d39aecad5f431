"""Ten thousand forged notifications change nothing, and each genuine one among them counts."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from werkzeug.test import Client, TestResponse

from checkout.domain.signing import sign_notification
from checkout.store.models import Attempt, GatewayWord
from tests.faults.wires import KEY, count, fingerprint, paid_notice
from tests.proofs.forging import KINDS, Sent, forge
from tests.proofs.scale import Scale, Tally
from tests.stories.cast import PUBLIC, Merchant, World

ROUNDS = 40
REFUSALS = {400, 401, 404, 405, 413}


def test_no_forged_notification_changes_anything(world: World, scale: Scale, tally: Tally, seed: int) -> None:
    draw = random.Random(seed)
    bo, cy = world.merchant(webhooks=False), world.merchant("Cy's Shop", webhooks=False)
    paid, unpaid = sessions_with_codes(world, bo, ROUNDS), sessions_with_codes(world, bo, 3)
    world.passes(3)  # each was asked about, and will not be for a while
    genuine = [Sent(body, sign_notification(body, KEY), bo.told.merchant_id) for body in map(notice_of(world), paid)]
    by_kind = dict.fromkeys(KINDS, 0)
    for number, coming in enumerate(genuine):
        before, words = fingerprint(world), count(world, GatewayWord)
        for _ in range(-(-scale.forgeries // ROUNDS)):
            kind, forged = forge(draw, coming)
            by_kind[kind] += 1
            answer = post(world, forged, cy)
            assert answer.status_code in REFUSALS, f"{kind}: {answer.status_code} for {forged} (seed {seed})"
            tally.add(f"answered {answer.status_code}")
        assert fingerprint(world) == before, f"a forgery of round {number} changed something (seed {seed})"
        waits = world.attempt(paid[number]).next_at
        assert post(world, coming, cy).data == b"SUCCESS"
        hinted = world.attempt(paid[number]).next_at
        assert count(world, GatewayWord) == words + 1
        assert waits
        assert hinted
        assert hinted <= world.clock() + timedelta(seconds=2) < waits
        replay(world, draw.choice(genuine[: number + 1]), cy, tally)
    tally.add("forged", sum(by_kind.values()))
    tally.add("kinds of forgery", sum(1 for times in by_kind.values() if times))
    assert sum(by_kind.values()) >= scale.forgeries
    assert all(by_kind.values()), by_kind
    each_genuine_one_counts(world, bo, paid, unpaid)
    tally.add("genuine", len(genuine))
    tally.add("violations", len(world.violations()))


def sessions_with_codes(world: World, bo: Merchant, how_many: int) -> list[dict[str, Any]]:
    opened = [bo.opens(reference=f"A-{how_many}-{number}") for number in range(how_many)]
    for session in opened:
        world.shopper(session).picks("alipay_hk")
        world.clock.now += timedelta(milliseconds=500)
    return opened


def notice_of(world: World) -> Any:
    return lambda session: paid_notice(world, session)


def replay(world: World, heard: Sent, cy: Merchant, tally: Tally) -> None:
    """A genuine one again: acknowledged, and no more than a reason to ask."""
    before = fingerprint(world, Attempt)
    variant = replace(heard, signature=(heard.signature or "").lower())
    assert post(world, variant, cy).data == b"SUCCESS"
    assert fingerprint(world, Attempt) == before
    tally.add("replayed")


def post(world: World, sent: Sent, cy: Merchant) -> TestResponse:
    where = cy.told.merchant_id if sent.merchant == "another" else sent.merchant
    headers = {} if sent.signature is None else {"X-QF-SIGN": sent.signature}
    return Client(world.app, use_cookies=False).open(
        f"/notify/{where}", method=sent.method, data=sent.body, base_url=PUBLIC, headers=headers,
        content_type=sent.content_type,
    )  # fmt: skip


def each_genuine_one_counts(
    world: World, bo: Merchant, paid: list[dict[str, Any]], unpaid: list[dict[str, Any]]
) -> None:
    """It alone made an enquiry due, and that enquiry finds the payment."""
    world.passes(2)
    assert [bo.reads(session)["status"] for session in paid] == ["paid"] * len(paid)
    assert [bo.reads(session)["status"] for session in unpaid] == ["open"] * len(unpaid)
    with world.parts.sessions() as db:
        kept = db.scalars(select(GatewayWord.out_trade_no).where(GatewayWord.source == "notification")).all()
    assert sorted(kept) == sorted(world.attempt(session).out_trade_no for session in paid)
