"""One deployment seen from one of many processes, which share its books and the gateway's ledger."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from app import create_app
from checkout.domain.lifecycle import DeliveryStatus, RefundStatus, Role
from checkout.domain.shops import Shop
from checkout.services.deliveries import Posting
from checkout.services.enquiries import Asking, Lanes
from checkout.services.merchants import Introduction, add_merchant
from checkout.store.models import CheckoutSession, Delivery, Event, Payment, Refund, TradeNo
from checkout.web.context import Parts, parts_of
from config import Config
from sandbox import Credential, create_sandbox
from tests.servers import HttpServer
from tests.stories.alipay import opens_inside_alipay
from tests.stories.alipay import settings as alipay_settings
from tests.stories.cast import GATEWAY, NOON, PUBLIC, Clock, Inbox, Merchant, World
from tests.wsgi import session_to

Key = TypeVar("Key")
PAY = "/trade/v1/payment"
PAID = "checkout_session.paid"
CREDENTIALS = {"APP1": Credential("key-of-APP1")}


@dataclass(frozen=True)
class Place:
    """Where a stage is, in words that another process understands."""

    database_url: str
    ledger: str
    webhook_url: str
    api_key: str = ""
    webhook_secret: str = ""
    rate_per_minute: int = 400


class Stage(World):
    """A world of which every process has its own, round the same books and the same gateway."""

    def __init__(self, place: Place, now: datetime = NOON) -> None:
        self.clock = Clock(now)
        self.place = place
        self.credentials = CREDENTIALS
        self.sandbox = create_sandbox(
            ledger=place.ledger, public_url=GATEWAY, credentials=CREDENTIALS, clock=self.clock,
            http=session_to(self._ours), run_notifier=False, calls_per_minute=None,
        )  # fmt: skip
        opens_inside_alipay(self.sandbox)
        env = alipay_settings() | {
            "DATABASE_URL": place.database_url, "PUBLIC_URL": PUBLIC, "SECRET_KEY": "s" * 40,
            "GATEWAY_RATE_PER_MINUTE": str(place.rate_per_minute),
        }  # fmt: skip
        self.app = create_app(Config.from_env(env), gateway_http=session_to(self.sandbox), clock=self.clock)
        joined: Parts = parts_of(self.app)
        self.parts = joined
        self.asking = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, self.clock, Lanes())
        self.refunding = Asking(joined.reading, joined.sessions, joined.gateways, joined.terms, self.clock, Lanes())
        self.posting = Posting(
            joined.reading, joined.sessions, joined.vault, joined.sender, self.clock, Lanes(), lambda: 0.0
        )

    def shop(self) -> Merchant:
        """Bo, who has been introduced before."""
        told = Introduction("", self.place.api_key, self.place.webhook_secret, "")
        return Merchant(self, told, Inbox())


@contextmanager
def settled_in(database_url: str, ledger: Path, hooks: HttpServer, inbox: Inbox, path: str) -> Iterator[Stage]:
    """A stage with Bo's shop on it; `inbox` must be what `hooks` has under this path."""
    place = Place(database_url, str(ledger), hooks.url + path)
    stage = Stage(place)
    described = Shop(
        name="Bo's Tea", app_code="APP1", client_key="key-of-APP1", base_url=GATEWAY, webhook_url=place.webhook_url
    )
    with stage.parts.sessions() as db:
        told = add_merchant(db, stage.parts.vault, stage.parts.terms, described, now=NOON)
    stage.place = replace(place, api_key=told.api_key, webhook_secret=told.webhook_secret)
    stage.ledger.orders()  # makes its file while nobody else does
    yield stage
    stage.close()


def differences(stage: Stage, inbox: Inbox) -> Iterator[str]:
    """Everything in which our books, the gateway's ledger and the merchant's inbox do not say the same."""
    yield from stage.violations()
    orders = stage.ledger.orders()
    with stage.parts.sessions() as db:
        payments = list(db.scalars(select(Payment)))
        refunds = list(db.scalars(select(Refund)))
        numbers = set(db.scalars(select(TradeNo.number)))
        sessions = {one.id: one for one in db.scalars(select(CheckoutSession))}
        events = {one.id: one for one in db.scalars(select(Event))}
        delivered = set(db.scalars(select(Delivery.event_id).where(Delivery.status == DeliveryStatus.DONE)))
    yield from _differ(
        "payments", Counter(p.syssn for p in payments), Counter(r.syssn for o in orders for r in o.payments)
    )
    ours = Counter((r.out_trade_no, r.amount) for r in refunds if r.status is RefundStatus.SUCCEEDED)
    yield from _differ("refunds", ours, Counter((r.out_trade_no, r.amount) for o in orders for r in o.refunds))
    calls = [call.params for call in stage.ledger.calls(PAY)]
    sent = [params["out_trade_no"] for params in calls if "out_trade_no" in params]  # a cut request may lack it
    yield from (f"{number} was sent twice" for number, times in Counter(sent).items() if times > 1)
    yield from (f"{number} was sent and never written down" for number in set(sent) - numbers)
    paid = Counter(event.session_id for event in events.values() if event.type == PAID)
    yield from (f"{one} was announced as paid {times} times" for one, times in paid.items() if times > 1)
    # A request that was cut off in its headers is one to this server too; without an id nobody could check it.
    heard = {request.headers["webhook-id"] for request in inbox.heard if "webhook-id" in request.headers}
    yield from (f"event {one} was never heard" for one in set(events) - (heard & delivered))
    yield from (f"event {one} was heard and never written" for one in heard - set(events))
    yield from (f"{r.id} is {r.status}" for r in refunds if r.status is not RefundStatus.SUCCEEDED)
    kept = (p for p in payments if p.role is Role.SURPLUS and p.refunded != p.amount)
    yield from (f"surplus {p.syssn} stays with us" for p in kept)
    yield from (f"{one.id} waits for a person: {one.review}" for one in sessions.values() if one.review)


def _differ(what: str, ours: Counter[Key], theirs: Counter[Key]) -> Iterator[str]:
    if ours != theirs:
        yield f"{what}: we have {dict(ours - theirs)} that the gateway has not, and lack {dict(theirs - ours)}"
