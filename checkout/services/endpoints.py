"""A merchant's webhook endpoints: adding, changing and deleting them, their secrets, and enabling them again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from checkout.domain.addresses import check_endpoint
from checkout.domain.endpoints import MOST_ENDPOINTS, EndpointChange, EndpointWish
from checkout.domain.errors import Invalid, NotFound, Refused
from checkout.domain.ids import new_id
from checkout.domain.vault import Vault
from checkout.services.chronicle import OPERATOR, Detail, write_down
from checkout.services.events import hold_back, send_again
from checkout.services.hearers import (
    FIRST,
    Hearer,
    endpoint_id_of,
    hearer_of,
    hearers_of,
    locked_hearer,
    locked_merchant,
    public_id,
    silenced,
    take_over,
)
from checkout.services.snapshots import rfc3339
from checkout.services.terms import Terms
from checkout.services.webhook_secrets import (
    ED25519,
    WEBHOOK_SECRET,
    make_signing_key,
    new_webhook_secret,
    public_keys_of,
    replace_key,
    signs_anew,
)
from checkout.store.models import Merchant
from checkout.store.telling import Endpoint


@dataclass(frozen=True)
class Errand:
    """For which merchant something is done, by whom (as the audit log names them), and when."""

    merchant_id: str
    actor: str
    now: datetime


def endpoint_of(db: Session, merchant_id: str, given: str) -> Hearer:
    """The endpoint that a merchant means by an id. Raises NotFound, for another merchant's too."""
    hearer = hearer_of(db, merchant_id, _own_id(merchant_id, given))
    if hearer is None:
        raise NotFound("webhook endpoint")
    return hearer


def _own_id(merchant_id: str, given: str) -> str:
    return FIRST if given == public_id(merchant_id, FIRST) else given or "none"


def locked_endpoint(db: Session, merchant_id: str, given: str) -> Hearer:
    """The same, and nobody else changes it before we commit."""
    hearer = locked_hearer(db, merchant_id, _own_id(merchant_id, given))
    if hearer is None:
        raise NotFound("webhook endpoint")
    return hearer


def add_endpoint(db: Session, vault: Vault, terms: Terms, errand: Errand, wish: EndpointWish) -> tuple[Endpoint, str]:
    """Add one and commit; its secret is told here and nowhere else. Raises Invalid, Refused, NotFound."""
    merchant = locked_merchant(db, errand.merchant_id)
    _check_address(db, terms, merchant, wish.url)
    if len(hearers_of(db, merchant.id)) >= MOST_ENDPOINTS:
        raise Refused(f"There are {MOST_ENDPOINTS} endpoints already, which is the most; delete one")
    secret = new_webhook_secret()
    endpoint = Endpoint(
        id=new_id("we_"),
        merchant_id=merchant.id,
        webhook_url=wish.url,
        webhook_types=list(wish.types),
        webhook_signatures=list(wish.signatures),
        created_at=errand.now,
    )
    endpoint.webhook_secret_sealed = vault.seal(secret.encode(), owner=endpoint.owner(WEBHOOK_SECRET))
    db.add(endpoint)
    db.flush()
    if ED25519 in wish.signatures:
        make_signing_key(db, vault, merchant.id, errand.now)
    take_over(db, endpoint)
    _write_down(db, errand, "webhook_added", endpoint)
    db.commit()
    return endpoint, secret


def change_endpoint(
    db: Session, vault: Vault, terms: Terms, errand: Errand, change: EndpointChange, *, given: str
) -> Hearer:
    """Change what is named, and commit. Another address, or `enabled`, sends what the endpoint has not heard.

    Raises Invalid, Refused, NotFound.
    """
    hearer = locked_endpoint(db, errand.merchant_id, given)
    moved = change.url is not None and change.url != hearer.webhook_url
    if change.url is not None and moved:
        _check_address(db, terms, hearer, change.url)
        hearer.webhook_url = change.url
    if change.types is not None:
        hearer.webhook_types = list(change.types)
    if change.signatures is not None:
        hearer.webhook_signatures = list(change.signatures)
        if ED25519 in change.signatures:
            make_signing_key(db, vault, errand.merchant_id, errand.now)
    if change.enabled is False:
        hearer.webhook_off_at = hearer.webhook_off_at or errand.now
    db.flush()
    if moved:
        take_over(db, hearer)
    if change.enabled or (moved and hearer.webhook_off_at is None):
        _enable(db, hearer, errand.merchant_id, None, errand.now)
    _write_down(db, errand, "webhook_changed", hearer, changed=sorted(change.model_fields_set))
    db.commit()
    return hearer


def delete_endpoint(db: Session, errand: Errand, given: str) -> None:
    """Call it no more, and commit. What waits for it is held back; the secret of the first one stays the merchant's."""
    hearer = locked_endpoint(db, errand.merchant_id, given)
    hold_back(db, errand.merchant_id, endpoint_id_of(hearer))
    if isinstance(hearer, Endpoint):
        db.delete(hearer)
    else:
        hearer.webhook_url, hearer.webhook_gone_at, hearer.webhook_off_at = None, None, None
    db.flush()
    _write_down(db, errand, "webhook_deleted", hearer)
    db.commit()


def rotate_secret(db: Session, vault: Vault, errand: Errand, *, again: bool, given: str = "") -> str:
    """Make a new webhook secret and commit. For a day deliveries carry a signature of the old one too.

    There is room for one old secret: a rotation within that day is Refused, unless `again` says that the
    older one may stop signing. Without `given` it is the merchant's own, which signs the way back too. Raises NotFound.
    """
    hearer = locked_endpoint(db, errand.merchant_id, given) if given else locked_merchant(db, errand.merchant_id)
    until = hearer.former_secret_until
    if until and until > errand.now and not again:
        raise Refused(f"the secret before this one signs until {until:%Y-%m-%d %H:%M} UTC, and would stop now")
    secret = new_webhook_secret()
    signs_anew(hearer, vault, secret, errand.now)
    db.flush()
    _write_down(db, errand, "webhook_secret_rotated", hearer)
    db.commit()
    return secret


def rotate_key(db: Session, vault: Vault, errand: Errand, *, again: bool) -> None:
    """Make a new Ed25519 key for all of the merchant's endpoints, and commit. For a day the old one signs too.

    As with secrets, within that day only `again`. Raises NotFound, and Refused also where no key was ever asked for.
    """
    locked_merchant(db, errand.merchant_id)
    keys = public_keys_of(db, errand.merchant_id, errand.now)
    if not keys:
        raise Refused("no endpoint has asked for v1a signatures yet, so there is no Ed25519 key to rotate")
    until = next((key.until for key in keys if key.until), None)
    if until and not again:
        raise Refused(f"the key before this one signs until {until:%Y-%m-%d %H:%M} UTC, and would stop now")
    replace_key(db, vault, errand.merchant_id, errand.now)
    write_down(
        db, actor=errand.actor, action="signing_key_rotated", subject=errand.merchant_id, details={}, now=errand.now
    )
    db.commit()


def enable_webhook(
    db: Session, terms: Terms, merchant_id: str, *, url: str | None, since: datetime | None, now: datetime
) -> int:
    """Call the first endpoint again, or a new address, and commit; how many deliveries are queued, oldest first.

    With `since` also those that we gave up on, of events from then on. Raises NotFound, Invalid, Refused.
    """
    merchant = locked_merchant(db, merchant_id)
    if url and (problem := check_endpoint(url, loopback_allowed=terms.http_allowed)):
        raise Invalid({"url": problem})
    if url and address_is_taken(db, merchant, url):
        raise Invalid({"url": "is the address of another endpoint of this merchant"})
    merchant.webhook_url = url or merchant.webhook_url
    if not merchant.webhook_url:
        raise Refused("this merchant has no webhook address; give it one")
    if url:
        db.flush()
        take_over(db, merchant)
    queued = _enable(db, merchant, merchant_id, since, now)
    details = {"queued": queued, "moved": url is not None}
    write_down(db, actor=OPERATOR, action="webhook_enabled", subject=merchant.id, details=details, now=now)
    db.commit()
    return queued


def enable_endpoint(db: Session, errand: Errand, given: str, *, since: datetime | None) -> tuple[Hearer, int]:
    """Call it again, and commit; how many deliveries are queued for it. Raises NotFound."""
    hearer = locked_endpoint(db, errand.merchant_id, given)
    queued = _enable(db, hearer, errand.merchant_id, since, errand.now)
    _write_down(db, errand, "webhook_enabled", hearer, queued=queued)
    db.commit()
    return hearer, queued


def _enable(db: Session, hearer: Hearer, merchant_id: str, since: datetime | None, now: datetime) -> int:
    hearer.webhook_gone_at, hearer.webhook_off_at = None, None
    db.flush()
    where = hearer.webhook_url or ""
    return send_again(db, merchant_id, where, now, since=since, endpoint_id=endpoint_id_of(hearer))


def address_is_taken(db: Session, hearer: Hearer, url: str) -> bool:
    """Whether another endpoint of the same merchant has it: an event goes to each address once."""
    merchant_id = hearer.id if isinstance(hearer, Merchant) else hearer.merchant_id
    others = (other for other in hearers_of(db, merchant_id) if endpoint_id_of(other) != endpoint_id_of(hearer))
    return url in [other.webhook_url for other in others]


def _check_address(db: Session, terms: Terms, hearer: Hearer, url: str) -> None:
    if problem := check_endpoint(url, loopback_allowed=terms.http_allowed):
        raise Invalid({"url": problem})
    merchant_id = hearer.id if isinstance(hearer, Merchant) else hearer.merchant_id
    for other in hearers_of(db, merchant_id):
        if other.webhook_url == url:
            raise Refused(f"{public_id(merchant_id, endpoint_id_of(other))} has this address already; change that one")


def _write_down(db: Session, errand: Errand, action: str, hearer: Hearer, **details: Detail) -> None:
    said = {"endpoint": public_id(errand.merchant_id, endpoint_id_of(hearer)), **details}
    write_down(db, actor=errand.actor, action=action, subject=errand.merchant_id, details=said, now=errand.now)


def as_dict(hearer: Hearer, merchant_id: str, now: datetime) -> dict[str, Any]:
    """As merchants read it: never the secret."""
    until = hearer.former_secret_until
    return {
        "id": public_id(merchant_id, endpoint_id_of(hearer)),
        "url": hearer.webhook_url,
        "types": list(hearer.webhook_types),
        "signatures": list(hearer.webhook_signatures),
        "main": isinstance(hearer, Merchant),
        "enabled": not silenced(hearer),
        "gone_at": rfc3339(hearer.webhook_gone_at),
        "both_secrets_until": rfc3339(until) if until and until > now else None,
        "created_at": rfc3339(hearer.created_at),
    }
