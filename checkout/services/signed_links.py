"""Signed links: whose a link is, and the one session that it opens (interface.md section 5)."""

import logging
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, KeyUnavailable
from checkout.domain.link_checking import Checked, check_link
from checkout.domain.link_problems import Problem, Wrong
from checkout.domain.links import problem_with_return_url
from checkout.domain.orders import Order
from checkout.domain.storefront_links import (
    BadLink,
    LinkOrder,
    Params,
    deadline_of,
    is_signed_with,
    order_of,
    pairs_of,
    read_link,
)
from checkout.domain.vault import CannotOpen, Vault
from checkout.gateway.accounts import CLIENT_KEY
from checkout.services.sessions import add_session, check_order
from checkout.services.terms import Terms
from checkout.store import retrying
from checkout.store.links import SignedLink
from checkout.store.models import CheckoutSession, Merchant

log = logging.getLogger(__name__)

NOBODYS_KEY = secrets.token_hex()  # tried where there is no key, so that the answer takes as long; it never fits
# What our order calls the parameters of a link.
NAMES = {
    "amount": "txamt", "currency": "txcurrcd", "reference": "out_trade_no", "description": "goods_name",
    "return_url": "return_url", "udid": "udid",
}  # fmt: skip


@dataclass(frozen=True)
class Verified:
    """A link whose signature is right: what it asks for, and whose it is."""

    merchant: Merchant
    order: LinkOrder


def verify_link(db: Session, vault: Vault, readings: Iterable[Params]) -> Verified:
    """Find the merchant by app code and key. Raises BadLink, and for an unknown app code in the same words and time.

    Raises KeyUnavailable when a key that cannot be opened may be the one that fits.
    """
    fitting: list[tuple[Merchant, Params]] = []
    locked = False
    for params in readings:
        query = select(Merchant).where(Merchant.app_code == params["appcode"])
        merchants = db.scalars(query.order_by(Merchant.created_at, Merchant.id)).all()
        keys = [key_of(vault, merchant) for merchant in merchants]
        fits = [is_signed_with(params, key or NOBODYS_KEY) for key in keys or [None]]  # each is tried, whichever fits
        found = zip(merchants, keys, fits, strict=False)
        fitting += [(merchant, params) for merchant, key, fit in found if fit and key is not None]
        locked = locked or None in keys
    if not fitting:
        raise KeyUnavailable if locked else BadLink(Problem(Wrong.SIGNATURE), status=403)
    order = order_of(fitting[0][1])
    meant = _meant([merchant for merchant, _ in fitting], order.mchid)
    if locked and meant.mchid != order.mchid:
        raise KeyUnavailable  # the one whose key is lost may be named more exactly, and have the same key
    return Verified(meant, order)


def key_of(vault: Vault, merchant: Merchant) -> str | None:
    """The merchant's client key; None if no SECRET_KEY that we have opens it."""
    try:
        return vault.open(merchant.client_key_sealed, owner=merchant.owner(CLIENT_KEY)).decode()
    except CannotOpen:
        log.exception("the client key cannot be opened", extra={"merchant": merchant.id})
        return None


def _meant(merchants: list[Merchant], mchid: str | None) -> Merchant:
    """An agent's merchants share its app code and key, and `mchntid` tells them apart: never pay a neighbour."""
    exact = [merchant for merchant in merchants if merchant.mchid == mchid]
    if exact:
        return exact[0]
    # Named, and here is one account that QFPay gave no number to; or not named, and there is only one.
    rest = [merchant for merchant in merchants if not merchant.mchid] if mchid else merchants
    if len({merchant.mchid for merchant in rest}) != 1:
        raise BadLink(Problem(Wrong.SUB_MERCHANT, "mchntid"), status=403)
    return rest[0]


def session_of_link(db: Session, link: Verified) -> str | None:
    """The session that this link has opened, whatever became of it. Raises BadLink if it was for something else."""
    query = (
        select(CheckoutSession.id, CheckoutSession.amount, CheckoutSession.currency)
        .join(SignedLink, SignedLink.session_id == CheckoutSession.id)
        .where(SignedLink.merchant_id == link.merchant.id, SignedLink.number == link.order.number)
    )
    found = db.execute(query).first()
    if found is None:
        return None
    if (found.amount, found.currency) != (link.order.amount, link.order.currency):
        raise BadLink(Problem(Wrong.KNOWN, "out_trade_no"), status=409)
    return str(found.id)


def open_link(db: Session, terms: Terms, link: Verified, now: datetime) -> str:
    """The link's session, opened and committed unless it was before: of two who come at once one opens it.

    Raises BadLink.
    """
    return retrying.run(db, partial(_open, db, terms, link, now), finds_itself=True)


def _open(db: Session, terms: Terms, link: Verified, now: datetime) -> str:
    if known := session_of_link(db, link):
        db.rollback()
        return known
    try:
        session_id = _add(db, terms, link, now)
        db.commit()
    except IntegrityError:  # somebody else has opened it since
        db.rollback()
        if known := session_of_link(db, link):
            return known
        raise
    return session_id


def _add(db: Session, terms: Terms, link: Verified, now: datetime) -> str:
    expires_at = deadline_of(link.order, now)
    order = _fitting_order(terms, link)
    session = add_session(db, terms, link.merchant, order, now=now, expires_at=expires_at)
    row = SignedLink(merchant_id=link.merchant.id, number=link.order.number, session_id=session.id, created_at=now)
    db.add(row)
    db.flush()
    return session.id


def _fitting_order(terms: Terms, link: Verified) -> Order:
    """What the link asks for, as its merchant can be paid. Raises BadLink."""
    try:
        order = _as_order(terms, link)
        check_order(terms, link.merchant, order)
    except Invalid as error:
        problems = (Problem(Wrong.UNFIT, NAMES.get(name, name), text) for name, text in error.errors.items())
        raise BadLink(*problems) from None
    return order


def _as_order(terms: Terms, link: Verified) -> Order:
    asked = link.order
    return Order.read(
        {
            "amount": asked.amount,
            "currency": asked.currency,
            "reference": asked.number,
            "return_url": asked.return_url,
            "description": asked.description,
            "cancel_url": _cancel_url(terms, link),
            "limit_pay": asked.limit_pay,
            "udid": asked.udid,
            "locale": asked.locale,
        }
    )


def _cancel_url(terms: Terms, link: Verified) -> str | None:
    """Where we would not send anybody is no reason to refuse an order: its shopper comes back by `return_url`."""
    origins = tuple(link.merchant.return_origins)
    problem = problem_with_return_url(link.order.cancel_url, origins=origins, http_allowed=terms.http_allowed)
    return None if problem else link.order.cancel_url


def check(
    db: Session, vault: Vault, terms: Terms, query: bytes, *, merchant: Merchant | None, now: datetime
) -> Checked:
    """Everything that can be said about a link: about its signature, and what it would meet, only to its merchant.

    `merchant` is one that the link names. Opens nothing.
    """
    key = key_of(vault, merchant) if merchant else None
    checked = replace(check_link(query, key), locked=merchant is not None and key is None)
    if checked.problems:
        return checked
    readings = read_link(query)
    meant = next((params for params in readings if key and is_signed_with(params, key)), readings[0])
    order = order_of(meant)
    if merchant is None:
        return replace(checked, problems=tuple(_late(order, now)))
    link = Verified(merchant, order)
    return replace(checked, problems=(*_another_meant(db, vault, link, readings), *_met(db, terms, link, now)))


def _another_meant(db: Session, vault: Vault, link: Verified, readings: Iterable[Params]) -> Iterator[Problem]:
    try:
        if verify_link(db, vault, readings).merchant.id != link.merchant.id:
            yield Problem(Wrong.SUB_MERCHANT, "mchntid")
    except BadLink as error:
        yield from (problem for problem in error.problems if problem.kind is not Wrong.SIGNATURE)
    except KeyUnavailable:
        return  # said already


def _met(db: Session, terms: Terms, link: Verified, now: datetime) -> Iterator[Problem]:
    """What opening this link would meet if its signature were right."""
    try:
        if session_of_link(db, link):
            return  # opened before, so it leads there, whatever has changed since
    except BadLink as error:
        yield from error.problems
    yield from _late(link.order, now)
    try:
        _fitting_order(terms, link)
    except BadLink as error:
        yield from error.problems


def _late(order: LinkOrder, now: datetime) -> Iterator[Problem]:
    try:
        deadline_of(order, now)
    except BadLink as error:
        yield from error.problems


def names(query: bytes, merchant: Merchant) -> bool:
    """Whether a link names the merchant's app code."""
    try:
        return dict(pairs_of(query, plus_is_blank=True)).get("appcode") == merchant.app_code
    except BadLink:
        return False
