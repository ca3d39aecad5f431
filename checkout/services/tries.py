"""The log of deliveries: each try as it was sent and answered, and test events sent on a person's wish."""

import json
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from checkout.domain.endpoints import TEST_EVENT
from checkout.domain.errors import Refused, TooManyAttempts
from checkout.domain.ids import new_ordered_id
from checkout.domain.vault import CannotOpen, Vault
from checkout.services.endpoints import Errand, locked_endpoint
from checkout.services.hearers import endpoint_id_of, public_id, silenced
from checkout.services.snapshots import rfc3339
from checkout.services.webhook_secrets import Pens, pens_of
from checkout.services.webhooks import Answer, WebhookSender
from checkout.store.models import Delivery
from checkout.store.telling import DeliveryTry, EndpointTest

TRIES_KEPT = 20  # of each delivery
TESTS_KEPT = 50  # of each merchant
NO_ANSWER_YET = "not answered yet"
ONE_TEST = timedelta(seconds=20)  # longer than any try: whoever asks meanwhile waits for the first
A_MINUTE, TESTS_A_MINUTE = timedelta(minutes=1), 10
OURS = ("connection", "accept-encoding")  # of no interest to whoever looks for a fault


def keep_try(db: Session, delivery: Delivery, answer: Answer) -> None:
    """Write down one try, and forget the oldest of many. Commits nothing."""
    db.add(
        DeliveryTry(
            id=new_ordered_id("try_"),
            delivery_id=delivery.id,
            url=delivery.url,
            request_headers=_shown(answer),
            answer_status=answer.status,
            answer_excerpt=answer.excerpt,
            error=answer.error,
            milliseconds=answer.milliseconds,
            at=delivery.tried_at,
        )
    )
    db.flush()
    of_it = select(DeliveryTry.id).where(DeliveryTry.delivery_id == delivery.id)
    old = of_it.order_by(DeliveryTry.at.desc(), DeliveryTry.id.desc()).offset(TRIES_KEPT)
    db.execute(delete(DeliveryTry).where(DeliveryTry.id.in_(old)).execution_options(synchronize_session=False))


def _shown(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.sent.items() if name not in OURS}


def send_test(
    sessions: sessionmaker[Session], vault: Vault, sender: WebhookSender, errand: Errand, given: str
) -> EndpointTest:
    """Send an event about nothing, wait for its answer, and commit it. It is tried once, whatever the endpoint says.

    Raises NotFound, Refused (it is switched off), TooManyAttempts (one is under way, or ten in a minute).
    """
    with sessions() as db:
        test, pens = _begin(db, vault, errand, given)
    answer = sender.send(
        test.url,
        event_id=test.id,
        body=test.body,
        secrets=pens.secrets,
        private_keys=pens.private_keys,
        now=errand.now,
    )
    with sessions() as db:
        kept = db.get_one(EndpointTest, test.id)
        kept.request_headers, kept.answer_status = _shown(answer), answer.status
        kept.answer_excerpt, kept.error, kept.milliseconds = answer.excerpt, answer.error, answer.milliseconds
        db.commit()
        return kept


def _begin(db: Session, vault: Vault, errand: Errand, given: str) -> tuple[EndpointTest, Pens]:
    """The row first, the call second: what is under way can be seen, also by whoever asks for another one."""
    hearer = locked_endpoint(db, errand.merchant_id, given)
    if silenced(hearer):
        raise Refused("This endpoint is switched off; enable it first")
    _spare_the_endpoint(db, errand)
    try:
        pens = pens_of(db, vault, hearer, errand.now)
    except CannotOpen:
        raise Refused("Our own SECRET_KEY no longer opens the webhook secret; tell whoever operates this") from None
    endpoint = public_id(errand.merchant_id, endpoint_id_of(hearer))
    data = {"endpoint": endpoint, "message": "This is a test. Nothing was paid."}
    body = {"type": TEST_EVENT, "timestamp": rfc3339(errand.now), "data": data}
    test = EndpointTest(
        id=new_ordered_id("evt_"),
        merchant_id=errand.merchant_id,
        endpoint_id=endpoint_id_of(hearer),
        url=hearer.webhook_url or "",
        body=json.dumps(body, separators=(",", ":")),
        request_headers={},
        answer_excerpt="",
        error=NO_ANSWER_YET,
        milliseconds=0,
        created_at=errand.now,
    )
    db.add(test)
    db.commit()
    return test, pens


def _spare_the_endpoint(db: Session, errand: Errand) -> None:
    ours = EndpointTest.merchant_id == errand.merchant_id
    under_way = select(func.count()).where(ours, EndpointTest.error == NO_ANSWER_YET)
    if db.scalar(under_way.where(EndpointTest.created_at > errand.now - ONE_TEST)):
        raise TooManyAttempts("A test is under way; wait for its end", ONE_TEST.seconds)
    lately = select(func.count()).where(ours, EndpointTest.created_at > errand.now - A_MINUTE)
    if (db.scalar(lately) or 0) >= TESTS_A_MINUTE:
        raise TooManyAttempts(f"{TESTS_A_MINUTE} tests a minute are the most", A_MINUTE.seconds)
    of_it = select(EndpointTest.id).where(ours)
    old = of_it.order_by(EndpointTest.created_at.desc(), EndpointTest.id.desc()).offset(TESTS_KEPT)
    db.execute(delete(EndpointTest).where(EndpointTest.id.in_(old)).execution_options(synchronize_session=False))
