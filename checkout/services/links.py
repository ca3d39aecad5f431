"""Reusable links: making and ending them, and opening sessions through them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.ids import new_id
from checkout.domain.lifecycle import SessionStatus
from checkout.domain.link_wishes import LinkWish
from checkout.domain.links import problem_with_return_url
from checkout.domain.orders import Order
from checkout.domain.wallets import Wallet, offered
from checkout.services.chronicle import write_down
from checkout.services.keys import Answer, Stamp, once
from checkout.services.sessions import add_session
from checkout.services.terms import Terms
from checkout.store.links import Link, LinkSession
from checkout.store.models import CheckoutSession, Merchant


class LinkClosed(Refused):
    """Switched off, past its end, or paid as often as it allows."""

    http_status = 410


@dataclass(frozen=True)
class Found:
    """A link and whose it is; `open` says whether it may still be used."""

    link: Link
    merchant: Merchant
    open: bool

    def wallets(self, amount: int | None = None) -> list[Wallet]:
        """What can be paid with here."""
        sum_up = amount or self.link.amount or self.link.most
        choices = self.merchant.choices
        return offered(choices, currency=self.link.currency, amount=sum_up, narrowed=self.link.wallets)


def make_link(db: Session, terms: Terms, merchant: Merchant, wish: LinkWish, *, actor: str, now: datetime) -> Link:
    """Store a link and commit. Raises Invalid."""
    _check(terms, merchant, wish, now)
    link = Link(
        id=new_id("ln_"),
        merchant_id=merchant.id,
        token=new_id(""),
        least=wish.least,
        most=wish.most,
        opened=0,
        active=True,
        created_at=now,
        **wish.model_dump(include={"name", "amount", "currency", "description", "prefix", "max_paid", "expires_at"}),
        wallets=list(wish.wallets),
        return_url=wish.return_url or "",
    )
    db.add(link)
    db.flush()
    write_down(db, actor=actor, action="link_made", subject=link.id, details={"merchant": merchant.id}, now=now)
    db.commit()
    return link


def _check(terms: Terms, merchant: Merchant, wish: LinkWish, now: datetime) -> None:
    errors: dict[str, str] = {}
    origins = tuple(merchant.return_origins)
    if wish.return_url and (
        problem := problem_with_return_url(wish.return_url, origins=origins, http_allowed=terms.http_allowed)
    ):
        errors["return_url"] = problem
    amount = wish.amount or wish.most
    if not offered(merchant.choices, currency=wish.currency, amount=amount, narrowed=wish.wallets):
        errors["currency"] = f"none of this merchant's wallets takes {wish.currency} and this amount"
    if wish.expires_at and wish.expires_at <= now:
        errors["expires_at"] = "must be in the future"
    if errors:
        raise Invalid(errors)


def links_of(db: Session, merchant_id: str, *, limit: int = 100) -> Sequence[Link]:
    """A merchant's links, newest first."""
    query = select(Link).where(Link.merchant_id == merchant_id)
    return db.scalars(query.order_by(Link.created_at.desc(), Link.id).limit(limit)).all()


def takings_of(db: Session, link_ids: Sequence[str]) -> dict[str, int]:
    """How many sessions of each link are paid; links without any are left out."""
    query = (
        select(LinkSession.link_id, func.count())
        .join(CheckoutSession, CheckoutSession.id == LinkSession.session_id)
        .where(LinkSession.link_id.in_(link_ids), CheckoutSession.status == SessionStatus.PAID)
        .group_by(LinkSession.link_id)
    )
    return {link_id: int(count) for link_id, count in db.execute(query)}


def sums_of(db: Session, link_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many sessions of each link are paid, and their sum in minor units; links without any are left out."""
    query = (
        select(LinkSession.link_id, func.count(), func.sum(CheckoutSession.amount))
        .join(CheckoutSession, CheckoutSession.id == LinkSession.session_id)
        .where(LinkSession.link_id.in_(link_ids), CheckoutSession.status == SessionStatus.PAID)
        .group_by(LinkSession.link_id)
    )
    return {link_id: (int(count), int(total)) for link_id, count, total in db.execute(query)}


def link_of(db: Session, merchant_id: str, link_id: str) -> Link:
    """Raises NotFound, for another merchant's too."""
    link = db.scalar(select(Link).where(Link.id == link_id, Link.merchant_id == merchant_id))
    if link is None:
        raise NotFound("link")
    return link


def sessions_of(db: Session, link_id: str, *, limit: int) -> Sequence[CheckoutSession]:
    """What a link has opened, newest first."""
    query = select(CheckoutSession).join(LinkSession, LinkSession.session_id == CheckoutSession.id)
    opened = query.where(LinkSession.link_id == link_id)
    return db.scalars(opened.order_by(CheckoutSession.created_at.desc(), CheckoutSession.id).limit(limit)).all()


def switch_link(
    db: Session, link_id: str, *, active: bool, actor: str, now: datetime, merchant_id: str | None = None
) -> Link:
    """Let a link be used or not, and commit; sessions that it has opened go on. Raises NotFound."""
    query = update(Link).where(Link.id == link_id).values(active=active).returning(Link)
    if merchant_id:
        query = query.where(Link.merchant_id == merchant_id)
    link = db.scalar(query.execution_options(populate_existing=True))
    if link is None:
        raise NotFound("link")
    action = "link_enabled" if active else "link_disabled"
    write_down(db, actor=actor, action=action, subject=link.id, details={}, now=now)
    db.commit()
    return link


def find_link(db: Session, token: str, now: datetime) -> Found:
    """The link with this token. Raises NotFound."""
    query = select(Link, Merchant).join(Merchant, Merchant.id == Link.merchant_id).where(Link.token == token)
    row = db.execute(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound("link")
    link, merchant = row
    return Found(link, merchant, _usable(db, link, now))


def _usable(db: Session, link: Link, now: datetime) -> bool:
    if not link.active or (link.expires_at and link.expires_at <= now):
        return False
    return link.max_paid is None or takings_of(db, [link.id]).get(link.id, 0) < link.max_paid


def open_session(
    db: Session, terms: Terms, token: str, *, amount: int, locale: str | None, once_key: str, now: datetime
) -> str:
    """Open a session through a link and commit; its id. The same key and amount again: the same session.

    `amount` must be what the link asks for, or between its limits. Raises NotFound, LinkClosed, Invalid.
    """
    found = find_link(db, token, now)
    link = found.link
    key = f"link/{link.id}/{once_key}/{amount}"
    stamp = Stamp.of(found.merchant.id, key, [link.id, amount])

    def effect() -> Answer:
        session = _open(db, terms, find_link(db, token, now), amount, locale=locale, now=now)
        return Answer(201, json.dumps({"id": session.id}))

    return str(json.loads(once(db, stamp, effect, now).body)["id"])


def _open(
    db: Session, terms: Terms, found: Found, amount: int, *, locale: str | None, now: datetime
) -> CheckoutSession:
    link = found.link
    fits = amount == link.amount if link.amount else link.least <= amount <= link.most
    if not found.open:
        raise LinkClosed("this link can no longer be used")
    if not fits:
        raise Invalid({"amount": "is not what this link asks for"})
    counted = update(Link).where(Link.id == link.id, Link.active).values(opened=Link.opened + 1)
    number = db.scalar(counted.returning(Link.opened).execution_options(synchronize_session=False))
    if number is None:
        raise LinkClosed("this link was switched off a moment ago")
    session = add_session(db, terms, found.merchant, _order(terms, link, amount, number, locale=locale), now=now)
    db.add(LinkSession(session_id=session.id, link_id=link.id))
    db.flush()
    return session


def _order(terms: Terms, link: Link, amount: int, number: int, *, locale: str | None) -> Order:
    asked: dict[str, Any] = {
        "amount": amount,
        "currency": link.currency,
        "reference": f"{link.prefix}{number}",
        "return_url": link.return_url or terms.public_url,
        "description": link.description,
        "wallets": list(link.wallets),
        "locale": locale,
    }
    order = Order.read(asked)
    return order if link.return_url else order.model_copy(update={"return_url": ""})
