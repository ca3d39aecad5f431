"""Reusable links: making and ending them, and opening sessions through them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
from checkout.services.keys import Answer, Stamp, first_answer, once
from checkout.services.sessions import add_session
from checkout.services.terms import Terms
from checkout.store.links import Link, LinkSession
from checkout.store.models import CheckoutSession, Merchant

# What holds one of the payments that a link allows: a session that is paid, or that still can be.
HOLD_A_PLACE = (SessionStatus.OPEN, SessionStatus.CLOSING, SessionStatus.PAID)


class Why(StrEnum):
    """Why a link cannot be used."""

    OFF = "off"  # switched off, or past its end
    USED = "used"  # paid as often as it allows
    TAKEN = "taken"  # others are paying, as many as it allows


class LinkClosed(Refused):
    """`begun` is the session of a link for one payment that somebody has opened and not paid yet."""

    def __init__(self, why: Why, begun: str | None = None) -> None:
        super().__init__(f"this link cannot be used: {why}")
        self.why, self.begun = why, begun
        self.http_status = 409 if why is Why.TAKEN else 410


@dataclass(frozen=True)
class Found:
    """A link and whose it is; `closed` says why it may not be used, and None that it may."""

    link: Link
    merchant: Merchant
    closed: Why | None
    begun: str | None = None

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
    begun = begun_by(db, link, now)
    return Found(link, merchant, _closed(db, link, begun, now), begun)


def begun_by(db: Session, link: Link, now: datetime) -> str | None:
    """The one session of a link for one payment, while it can be paid: whoever has the link is meant to pay that."""
    if link.max_paid != 1:
        return None
    theirs = select(CheckoutSession.id).join(LinkSession, LinkSession.session_id == CheckoutSession.id)
    still = (CheckoutSession.status == SessionStatus.OPEN, CheckoutSession.expires_at > now)
    return db.scalar(theirs.where(LinkSession.link_id == link.id, *still).order_by(CheckoutSession.id).limit(1))


def _closed(db: Session, link: Link, begun: str | None, now: datetime) -> Why | None:
    if not link.active or (link.expires_at and link.expires_at <= now):
        return Why.OFF
    if link.max_paid is None:
        return None
    if takings_of(db, [link.id]).get(link.id, 0) >= link.max_paid:
        return Why.USED
    leads_there = begun and link.amount  # an amount that somebody else has entered is not the next one's
    return Why.TAKEN if _places(db, link) >= link.max_paid and not leads_there else None


def _places(db: Session, link: Link) -> int:
    theirs = select(func.count()).select_from(LinkSession)
    query = theirs.join(CheckoutSession, CheckoutSession.id == LinkSession.session_id)
    held = query.where(LinkSession.link_id == link.id, CheckoutSession.status.in_(HOLD_A_PLACE))
    return int(db.scalar(held) or 0)


def open_session(
    db: Session, terms: Terms, token: str, *, amount: int, locale: str | None, once_key: str, now: datetime
) -> str:
    """Open a session through a link and commit; its id. The same key and amount again: the same session.

    Of a link for one payment everybody gets the one session, while it lives. `amount` must be what the link asks
    for, or between its limits. Raises NotFound, LinkClosed, Invalid.
    """
    link = (found := find_link(db, token, now)).link

    def effect() -> Answer:
        return Answer(201, json.dumps({"id": _open(db, terms, token, amount, locale=locale, now=now)}))

    try:
        return _id_in(once(db, _stamp(found, amount, once_key), effect, now))
    except LinkClosed as error:
        if (
            error.why is Why.TAKEN and error.begun and link.amount
        ):  # made under the key of whoever was first, and under no other
            return error.begun
        raise


def opened_before(db: Session, found: Found, *, amount: int, once_key: str) -> str | None:
    """The session that this key and amount have opened, however closed the link is by now; only reads."""
    first = first_answer(db, _stamp(found, amount, once_key))
    return _id_in(first) if first else None


def _stamp(found: Found, amount: int, once_key: str) -> Stamp:
    link = found.link
    return Stamp.of(found.merchant.id, f"link/{link.id}/{once_key}/{amount}", [link.id, amount])


def _id_in(answer: Answer) -> str:
    return str(json.loads(answer.body)["id"])


def _open(db: Session, terms: Terms, token: str, amount: int, *, locale: str | None, now: datetime) -> str:
    # One after the other from here to the commit, so that nobody counts the places while another takes one.
    lock = update(Link).where(Link.token == token).values(opened=Link.opened)
    db.execute(lock.execution_options(synchronize_session=False))
    found = find_link(db, token, now)
    link = found.link
    fits = amount == link.amount if link.amount else link.least <= amount <= link.most
    if found.closed:
        raise LinkClosed(found.closed, found.begun)
    if not fits:
        raise Invalid({"amount": "is not what this link asks for"})
    if found.begun:
        raise LinkClosed(Why.TAKEN, found.begun)
    counted = update(Link).where(Link.id == link.id).values(opened=Link.opened + 1).returning(Link.opened)
    number = db.scalars(counted.execution_options(synchronize_session=False)).one()
    session = add_session(db, terms, found.merchant, _order(terms, link, amount, number, locale=locale), now=now)
    db.add(LinkSession(session_id=session.id, link_id=link.id))
    db.flush()
    return session.id


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
