"""What signs webhooks: each endpoint's own secret, the one before it for a day, and each merchant's Ed25519 key."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id
from checkout.domain.vault import CannotOpen, Vault
from checkout.domain.webhook_signing import new_key_pair
from checkout.services.hearers import Hearer
from checkout.store.models import Merchant
from checkout.store.telling import SigningKey

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a column, not a secret
BOTH_SIGN = timedelta(hours=24)  # after a rotation, so that a merchant may change over while deliveries are under way
HMAC, ED25519 = "v1", "v1a"


@dataclass(frozen=True)
class Pens:
    """What signs one webhook: secrets for HMAC, the newest first, and private keys for Ed25519."""

    secrets: list[str] = field(default_factory=list, repr=False)
    private_keys: list[bytes] = field(default_factory=list, repr=False)


def new_webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def opened(vault: Vault, hearer: Hearer, sealed: bytes, secret: str) -> str | None:
    """None if no SECRET_KEY that we have opens it: then whatever replaces it is a change."""
    try:
        return vault.open(sealed, owner=hearer.owner(secret)).decode()
    except CannotOpen:
        return None


def signs_anew(hearer: Hearer, vault: Vault, secret: str, now: datetime) -> bool:
    """Give it this webhook secret, and let the one that it replaces sign too for a day. False: it had it already."""
    former = opened(vault, hearer, hearer.webhook_secret_sealed, WEBHOOK_SECRET)
    if former != secret:
        hearer.former_secret_sealed, hearer.former_secret_until = hearer.webhook_secret_sealed, now + BOTH_SIGN
    hearer.webhook_secret_sealed = vault.seal(secret.encode(), owner=hearer.owner(WEBHOOK_SECRET))
    return former != secret


def signing_secrets_of(vault: Vault, hearer: Hearer, now: datetime) -> list[str]:
    """What signs this endpoint's webhooks, the newest first. Raises CannotOpen if the newest cannot be opened."""
    found = [vault.open(hearer.webhook_secret_sealed, owner=hearer.owner(WEBHOOK_SECRET)).decode()]
    if hearer.former_secret_sealed and hearer.former_secret_until and hearer.former_secret_until > now:
        former = opened(vault, hearer, hearer.former_secret_sealed, WEBHOOK_SECRET)
        found += [former] if former else []
    return found


def forget_former_secret(db: Session, hearer: Hearer, now: datetime) -> None:
    """Erase the secret before this one, and the Ed25519 key, once its day is over. Commits nothing."""
    if ED25519 in hearer.webhook_signatures:
        forget_former_keys(db, merchant_of(hearer), now)
    if hearer.former_secret_until is None or hearer.former_secret_until > now:
        return
    table = type(hearer)
    over = update(table).where(table.id == hearer.id, table.former_secret_until <= now)
    db.execute(over.values(former_secret_sealed=None, former_secret_until=None))


def pens_of(db: Session, vault: Vault, hearer: Hearer, now: datetime) -> Pens:
    """All that signs for this endpoint now. Raises CannotOpen. Commits nothing."""
    secrets_found, keys = [], []
    if HMAC in hearer.webhook_signatures:
        secrets_found = signing_secrets_of(vault, hearer, now)
    if ED25519 in hearer.webhook_signatures:
        keys = signing_keys_of(db, vault, merchant_of(hearer), now)
    return Pens(secrets_found, keys)


def merchant_of(hearer: Hearer) -> str:
    return hearer.id if isinstance(hearer, Merchant) else hearer.merchant_id


def signing_keys_of(db: Session, vault: Vault, merchant_id: str, now: datetime) -> list[bytes]:
    """The private keys that sign for a merchant, the newest first. Raises CannotOpen if that one cannot be opened."""
    current, *former = public_keys_of(db, merchant_id, now)
    found = [vault.open(current.private_key_sealed, owner=current.owner)]
    for key in former:
        try:
            found.append(vault.open(key.private_key_sealed, owner=key.owner))
        except CannotOpen:  # then whatever replaced it is what signs
            continue
    return found


def make_signing_key(db: Session, vault: Vault, merchant_id: str, now: datetime) -> None:
    """Give the merchant an Ed25519 key, unless it has one. The caller holds its row. Commits nothing."""
    if not db.scalar(select(SigningKey.id).where(SigningKey.merchant_id == merchant_id, SigningKey.until.is_(None))):
        _add_key(db, vault, merchant_id, now)


def _add_key(db: Session, vault: Vault, merchant_id: str, now: datetime) -> None:
    private, public = new_key_pair()
    key = SigningKey(id=new_id("wk_"), merchant_id=merchant_id, public_key=public, created_at=now)
    key.private_key_sealed = vault.seal(private, owner=key.owner)
    db.add(key)
    db.flush()


def replace_key(db: Session, vault: Vault, merchant_id: str, now: datetime) -> None:
    """A new Ed25519 key; the one so far signs for a day more, one before it stops. The caller holds the merchant's row.

    Commits nothing.
    """
    theirs = SigningKey.merchant_id == merchant_id
    db.execute(delete(SigningKey).where(theirs, SigningKey.until.is_not(None)))
    db.execute(update(SigningKey).where(theirs).values(until=now + BOTH_SIGN))
    _add_key(db, vault, merchant_id, now)


def forget_former_keys(db: Session, merchant_id: str, now: datetime) -> None:
    db.execute(delete(SigningKey).where(SigningKey.merchant_id == merchant_id, SigningKey.until <= now))


def public_keys_of(db: Session, merchant_id: str, now: datetime) -> Sequence[SigningKey]:
    """The keys by which this merchant's webhooks are signed now: the current one, then the one before it for a day."""
    theirs = select(SigningKey).where(SigningKey.merchant_id == merchant_id)
    signs = or_(SigningKey.until.is_(None), SigningKey.until > now)
    newest_first = (SigningKey.until.is_not(None), SigningKey.created_at.desc())
    return db.scalars(theirs.where(signs).order_by(*newest_first).execution_options(populate_existing=True)).all()
