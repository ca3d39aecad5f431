"""API keys: knowing a merchant by one, making and revoking them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from checkout.domain.api_keys import ALL_SCOPES, KeyWish, Scope, digest_of, is_mistyped, new_api_key
from checkout.domain.errors import MistypedKey, NotAllowed, NotAuthentic, NotFound, Refused
from checkout.domain.ids import new_id
from checkout.services.chronicle import write_down
from checkout.services.hearers import locked_merchant
from checkout.services.snapshots import rfc3339
from checkout.store.models import Merchant
from checkout.store.telling import ApiKey

MOST_ALIKE = 2  # live keys with the same scopes: the one in use, and the one that replaces it
USE_NOTED_EVERY = timedelta(hours=1)
LONG_ENOUGH_FOR_A_HINT = 20  # the last four of a short key would give too much of it away


@dataclass(frozen=True)
class Holder:
    """Who calls: the merchant, by one of its keys."""

    merchant: Merchant
    key: ApiKey

    def use_is_news(self, now: datetime) -> bool:
        """Whether the key's last use was long enough ago to be written down."""
        return self.key.last_used_at is None or self.key.last_used_at <= now - USE_NOTED_EVERY


def holder_of(db: Session, given: str, scope: Scope, now: datetime) -> Holder:
    """Whose key this is. Raises NotAuthentic, also for a revoked one, and NotAllowed if it lacks the scope.

    A mistyped key is told from the others before anybody looks for it; the others are looked for alike.
    """
    if is_mistyped(given):
        raise MistypedKey
    query = select(Merchant, ApiKey).join(ApiKey, ApiKey.merchant_id == Merchant.id)
    found = db.execute(query.where(ApiKey.digest == digest_of(given))).first()
    if found is None or not _lives(found[1], now):
        raise NotAuthentic("API key")
    holder = Holder(found[0], found[1])
    if scope not in holder.key.scopes:
        raise NotAllowed(f"This API key lacks the scope `{scope}`, which this call needs.")
    return holder


def _lives(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def note_use(db: Session, key_id: str, now: datetime) -> None:
    """Write down that it is in use, once an hour at most, and commit."""
    noted = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USE_NOTED_EVERY)
    db.execute(update(ApiKey).where(ApiKey.id == key_id, noted).values(last_used_at=now))
    db.commit()


def put_main_key(db: Session, merchant: Merchant, api_key: str, now: datetime) -> None:
    """Make this the main key of a merchant, who may be new, in place of the last. Commits nothing. Raises Refused.

    It may have been a key of this merchant before: whoever sets it again wants it back.
    """
    digest = digest_of(api_key)
    if db.scalar(select(ApiKey.merchant_id).where(ApiKey.digest == digest)) not in (None, merchant.id):
        raise Refused("this API key is in use by another merchant")
    merchant.api_key_digest = digest  # the release before this one knows merchants by it
    db.add(merchant)
    db.flush()
    mains = update(ApiKey).where(ApiKey.merchant_id == merchant.id, ApiKey.main, ApiKey.revoked_at.is_(None))
    db.execute(mains.values(revoked_at=now))
    key = db.scalar(select(ApiKey).where(ApiKey.digest == digest).execution_options(populate_existing=True))
    if key is None:
        key = ApiKey(id=new_id("key_"), merchant_id=merchant.id, digest=digest, hint=_hint(api_key), created_at=now)
        db.add(key)
    key.name, key.scopes, key.main, key.revoked_at, key.expires_at = "main", list(ALL_SCOPES), True, None, None
    db.flush()


def add_key(
    db: Session, merchant_id: str, wish: KeyWish, *, actor: str, granted: Collection[str], now: datetime
) -> tuple[ApiKey, str]:
    """Make a key and commit; the key itself is told here and nowhere else.

    `granted` is what whoever asks may do: nobody makes a key that may do more. Raises NotAllowed, Refused, NotFound.
    """
    if beyond := [scope for scope in wish.scopes if scope not in granted]:
        raise NotAllowed(f"This API key lacks the scope `{beyond[0]}`, and cannot make one that has it.")
    merchant = locked_merchant(db, merchant_id)
    alike = [key for key in keys_of(db, merchant_id) if _lives(key, now) and set(key.scopes) == set(wish.scopes)]
    if len(alike) >= MOST_ALIKE:
        names = " and ".join(key.id for key in alike)
        raise Refused(f"Two live keys with these scopes are the most, and there are {names}: revoke one of them")
    api_key = new_api_key()
    key = ApiKey(
        id=new_id("key_"),
        merchant_id=merchant.id,
        name=wish.name,
        digest=digest_of(api_key),
        hint=_hint(api_key),
        scopes=list(wish.scopes),
        main=False,
        created_at=now,
        expires_at=now + timedelta(days=wish.expires_in) if wish.expires_in else None,
    )
    db.add(key)
    db.flush()
    details = {"key": key.id, "scopes": list(wish.scopes)}
    write_down(db, actor=actor, action="api_key_added", subject=merchant.id, details=details, now=now)
    db.commit()
    return key, api_key


def _hint(api_key: str) -> str:
    return api_key[-4:] if len(api_key) >= LONG_ENOUGH_FOR_A_HINT else ""


def keys_of(db: Session, merchant_id: str) -> list[ApiKey]:
    """The newest first, those that were revoked included."""
    query = select(ApiKey).where(ApiKey.merchant_id == merchant_id)
    newest_first = query.order_by(ApiKey.created_at.desc(), ApiKey.id)
    return list(db.scalars(newest_first.execution_options(populate_existing=True)))


def revoke_key(
    db: Session, merchant_id: str, key_id: str, *, actor: str, now: datetime, may_lock_out: bool = False
) -> None:
    """Refuse it from the next call on, and commit; once is enough. Raises NotFound.

    The last key that may make others stays, or its merchant would need the operator: Refused, unless `may_lock_out`.
    """
    merchant = locked_merchant(db, merchant_id, key_changes=True)
    keys = keys_of(db, merchant_id)
    key = next((one for one in keys if one.id == key_id), None)
    if key is None:
        raise NotFound("API key")
    if key.revoked_at is not None:
        return
    makers = [one for one in keys if _lives(one, now) and Scope.ADMIN in one.scopes]
    if makers == [key] and not may_lock_out:
        raise Refused("This is your only key with the scope `admin`: make another one first")
    key.revoked_at = now
    if key.main:
        merchant.api_key_digest = f"revoked/{merchant.id}"
    db.flush()
    write_down(db, actor=actor, action="api_key_revoked", subject=merchant.id, details={"key": key.id}, now=now)
    db.commit()


def as_dict(key: ApiKey, now: datetime) -> dict[str, Any]:
    """As merchants read it: never the key itself."""
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "scopes": list(key.scopes),
        "main": key.main,
        "live": _lives(key, now),
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "last_used_at": rfc3339(key.last_used_at),
        "revoked_at": rfc3339(key.revoked_at),
    }
