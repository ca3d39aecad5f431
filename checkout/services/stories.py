"""One payment's whole story: every try, word, movement, event and decision in the order in which they happened."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.errors import GatewayError
from checkout.domain.lifecycle import Role
from checkout.domain.vault import CannotOpen, Vault
from checkout.gateway.records import read_json
from checkout.services.reviews import ENDED_UNPAID
from checkout.store import office_queries
from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, GatewayWord, Payment, Refund
from checkout.store.telling import DeliveryTry

MOST_WORDS = 200
# Of what happened at one moment: what was asked for before what came of it.
ORDER = ("opened", "attempt", "word", "payment", "decision", "refund", "event")
MASK = "•••"

# What is shown of the gateway's words as it was said. Everything else may be a shopper's account, or an address to
# pay at; `cardcd` holds the Alipay user id (qfpay.md section 6), and nobody promises that it will be the only one.
PLAIN_FIELDS = frozenset(
    {
        "app_code", "cancel", "cash_fee", "cash_fee_type", "cash_refund_fee", "cash_refund_fee_type", "data", "errmsg",
        "exchange_rate", "goods_name", "mchid", "notify_type", "order_type", "orig_syssn", "origssn", "out_trade_no",
        "page", "page_size", "pay_type", "paydtm", "qf_trade_no", "respcd", "resperr", "respmsg", "status", "sysdtm",
        "syssn", "txamt", "txcurrcd", "txdtm", "txzone", "udid",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """One thing that happened. `kind` and `what` choose its words, `facts` fills them."""

    at: datetime
    kind: str
    what: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    raw: str = ""


@dataclass(frozen=True)
class Story:
    session: CheckoutSession
    attempts: list[Attempt]
    payments: list[Payment]
    refunds: list[Refund]
    happenings: list[Happening]

    @property
    def accepted(self) -> Payment | None:
        return next((payment for payment in self.payments if payment.role is Role.ACCEPTED), None)

    @property
    def left(self) -> int:
        """How much of the accepted payment may still be refunded."""
        return self.accepted.amount - self.accepted.refunded if self.accepted else 0

    @property
    def held(self) -> dict[str, int]:
        """Money that no order stands for and that is still here: minor units, by currency."""
        found: Counter[str] = Counter()
        for payment in self.payments:
            if payment.role is not Role.ACCEPTED and payment.refunded < payment.amount:
                found[payment.currency] += payment.amount - payment.refunded
        return dict(found)

    @property
    def decisions(self) -> tuple[str, ...]:
        """What a person may decide about a review, by the rules of services/reviews.py."""
        late = any(payment.role is Role.LATE and payment.refunded == 0 for payment in self.payments)
        twice = any(p.role is Role.SURPLUS and p.refunded < p.amount for p in self.payments)
        allowed = {
            "accept": late and self.session.status in ENDED_UNPAID,
            "refund": bool(self.held),
            "close": self.session.review is not None and not twice,
        }
        return tuple(name for name, yes in allowed.items() if yes)


def story_of(db: Session, vault: Vault, session: CheckoutSession) -> Story:
    attempts = _all(db, Attempt, session)
    payments = _all(db, Payment, session)
    refunds = _all(db, Refund, session)
    currencies = {payment.id: payment.currency for payment in payments}
    happenings = [
        Happening(session.created_at, "opened"),
        *(Happening(one.created_at, "attempt", one.status, {"attempt": one}) for one in attempts),
        *(Happening(one.created_at, "payment", one.role, {"payment": one}) for one in payments),
        *(
            Happening(one.created_at, "refund", one.status, {"refund": one, "currency": currencies[one.payment_id]})
            for one in refunds
        ),
        *_words(db, vault, [one.out_trade_no for one in (*attempts, *refunds)]),
        *_events(db, session.id),
        *_decisions(db, session.id, [refund.id for refund in refunds]),
    ]
    in_order = sorted(happenings, key=lambda one: (one.at, ORDER.index(one.kind)))
    return Story(session, attempts, payments, refunds, in_order)


def _all(db: Session, model: Any, session: CheckoutSession) -> list[Any]:
    query = select(model).where(model.session_id == session.id).order_by(model.created_at, model.id)
    return list(db.scalars(query))


def _words(db: Session, vault: Vault, numbers: list[str]) -> Iterator[Happening]:
    query = select(GatewayWord).where(GatewayWord.out_trade_no.in_(numbers)).order_by(GatewayWord.heard_at)
    for word in db.scalars(query.limit(MOST_WORDS)):
        try:
            body = vault.open(word.body_sealed, owner=f"gateway_word/{word.id}")
        except CannotOpen:
            body = b""
        yield Happening(
            word.heard_at, "word", word.source, {"number": word.out_trade_no}, readable(body, word.out_trade_no)
        )


def readable(body: bytes, number: str) -> str:
    """What the gateway said, set out for reading, without what is personal and without other payments' records."""
    try:
        said = read_json(body)
    except GatewayError:
        return body.decode("utf-8", "replace")[:2000] if body.strip() in (b"SUCCESS", b"0000") else MASK
    if isinstance(said.get("data"), list):
        of_others = [one for one in said["data"] if isinstance(one, dict) and one.get("out_trade_no") != number]
        said["data"] = [one for one in said["data"] if one not in of_others]
    return json.dumps(_masked(said), ensure_ascii=False, indent=2, default=str)


def _masked(value: Any, name: str = "data") -> Any:
    if isinstance(value, dict):
        return {key: _masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, name) for inner in value]
    return value if name in PLAIN_FIELDS or value in ("", None) else MASK


def _events(db: Session, session_id: str) -> Iterator[Happening]:
    query = select(Event).where(Event.session_id == session_id).order_by(Event.created_at, Event.id)
    for event in db.scalars(query):
        yield Happening(
            event.created_at, "event", event.type, {"event": event.id, "deliveries": _deliveries(db, event.id)}
        )


def _deliveries(db: Session, event_id: str) -> list[dict[str, Any]]:
    found = []
    for delivery in db.scalars(select(Delivery).where(Delivery.event_id == event_id).order_by(Delivery.id)):
        tries = select(DeliveryTry).where(DeliveryTry.delivery_id == delivery.id).order_by(DeliveryTry.id)
        found.append({"delivery": delivery, "tries": list(db.scalars(tries))})
    return found


def _decisions(db: Session, session_id: str, refunds: list[str]) -> Iterator[Happening]:
    for entry in office_queries.log_of_session(db, session_id, refunds):
        yield Happening(entry.at, "decision", entry.action, {"actor": entry.actor, **entry.details})
