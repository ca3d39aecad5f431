"""Whoever hears a merchant's events: the merchant's own row, which is its first endpoint, and its further ones."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from checkout.domain.errors import NotFound
from checkout.store.models import Delivery, Merchant
from checkout.store.telling import DeliveryTry, Endpoint

Hearer = Merchant | Endpoint  # with the same columns about hearing
FIRST = ""  # what a delivery to the merchant's own row has for an endpoint
PREFIX = "we_"


def endpoint_id_of(hearer: Hearer) -> str:
    """As deliveries name it."""
    return hearer.id if isinstance(hearer, Endpoint) else FIRST


def public_id(merchant_id: str, endpoint_id: str) -> str:
    """As merchants name it: the first endpoint has an id that is made of the merchant's."""
    return endpoint_id or PREFIX + merchant_id.partition("_")[2]


def hearers_of(db: Session, merchant_id: str) -> list[Hearer]:
    """All that have an address, the first one first, as they stood at one moment: no two share an address."""
    rows = db.execute(
        select(Merchant, Endpoint)
        .outerjoin(Endpoint, Endpoint.merchant_id == Merchant.id)
        .where(Merchant.id == merchant_id)
        .order_by(Endpoint.created_at, Endpoint.id)
        .execution_options(populate_existing=True)
    ).all()
    found: list[Hearer] = [row[0] for row in rows[:1] if row[0].webhook_url]
    further: list[Endpoint | None] = [row[1] for row in rows]  # None: the outer join found no further one
    return found + [endpoint for endpoint in further if endpoint is not None]


def hearer_of(db: Session, merchant_id: str, endpoint_id: str) -> Hearer | None:
    """None: this endpoint is no more."""
    if endpoint_id == FIRST:
        return _first(db.get_one(Merchant, merchant_id))
    return db.scalar(select(Endpoint).where(Endpoint.id == endpoint_id, Endpoint.merchant_id == merchant_id))


def locked_merchant(db: Session, merchant_id: str, *, key_changes: bool = False) -> Merchant:
    """As it stands now, and nobody else changes it before we commit. Raises NotFound.

    Rows that refer to it may be written meanwhile, unless its key changes: on PostgreSQL that locks them out anyway.
    """
    query = select(Merchant).where(Merchant.id == merchant_id).with_for_update(key_share=not key_changes)
    merchant = db.scalar(query.execution_options(populate_existing=True))
    if merchant is None:
        raise NotFound("merchant")
    return merchant


def locked_hearer(db: Session, merchant_id: str, endpoint_id: str) -> Hearer | None:
    """The same as it stands now. The merchant's row is the lock of all its endpoints. Raises NotFound without it."""
    merchant = locked_merchant(db, merchant_id)
    if endpoint_id == FIRST:
        return _first(merchant)
    query = select(Endpoint).where(Endpoint.id == endpoint_id, Endpoint.merchant_id == merchant_id)
    return db.scalar(query.execution_options(populate_existing=True))


def _first(merchant: Merchant) -> Merchant | None:
    return merchant if merchant.webhook_url else None  # the row stays when its endpoint is deleted


def wants(hearer: Hearer, kind: str) -> bool:
    return not hearer.webhook_types or kind in hearer.webhook_types


def silenced(hearer: Hearer) -> bool:
    """Nothing is sent to it until it is enabled again; what happens meanwhile waits."""
    return hearer.webhook_gone_at is not None or hearer.webhook_off_at is not None


def take_over(db: Session, hearer: Hearer) -> None:
    """What was ever sent to its address is its own now, also if another endpoint had that address before.

    An event has one delivery for each address and each endpoint; where two meet, the one of this address stays. Call
    it whenever an endpoint gets an address, with the merchant's row locked.
    """
    endpoint_id, url = endpoint_id_of(hearer), hearer.webhook_url
    merchant_id = hearer.merchant_id if isinstance(hearer, Endpoint) else hearer.id
    mine, there = aliased(Delivery), aliased(Delivery)
    meet = (mine.event_id == there.event_id) & (mine.endpoint_id == endpoint_id) & (mine.id != there.id)
    at_address = (there.merchant_id == merchant_id) & (there.url == url) & (there.endpoint_id != endpoint_id)
    found = select(mine.id, mine.delivered_at, there.id).join(there, meet).where(at_address)
    for own_id, delivered_at, other_id in db.execute(found).all():
        db.execute(update(DeliveryTry).where(DeliveryTry.delivery_id == own_id).values(delivery_id=other_id))
        known = func.coalesce(Delivery.delivered_at, delivered_at)
        there_too = update(Delivery).where(Delivery.id == other_id).values(delivered_at=known)
        db.execute(there_too.execution_options(synchronize_session=False))
        db.execute(delete(Delivery).where(Delivery.id == own_id).execution_options(synchronize_session=False))
    strangers = (Delivery.merchant_id == merchant_id, Delivery.url == url, Delivery.endpoint_id != endpoint_id)
    now_mine = update(Delivery).where(*strangers).values(endpoint_id=endpoint_id)
    db.execute(now_mine.execution_options(synchronize_session=False))
