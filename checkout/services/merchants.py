"""Merchants: adding one, knowing one by its key, and the one of the environment."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.api_keys import digest_of, new_api_key
from checkout.domain.errors import Invalid
from checkout.domain.ids import new_id
from checkout.domain.links import origin_of
from checkout.domain.shops import Shop, check_shop
from checkout.domain.vault import Vault
from checkout.domain.wallets import WALLETS
from checkout.gateway.accounts import CLIENT_KEY
from checkout.services.api_keys import put_main_key
from checkout.services.chronicle import ENVIRONMENT, OPERATOR, write_down
from checkout.services.endpoints import address_is_taken
from checkout.services.events import send_again
from checkout.services.hearers import locked_merchant, take_over
from checkout.services.terms import Terms
from checkout.services.webhook_secrets import WEBHOOK_SECRET, new_webhook_secret, opened, signs_anew
from checkout.store.models import Merchant
from checkout.store.payable import under_way

DESCRIBED = (
    "name",
    "app_code",
    "base_url",
    "mchid",
    "sign_type",
    "wallets",
    "return_origins",
    "webhook_url",
    "options",
)


@dataclass(frozen=True)
class Introduction:
    """What a new merchant is told, once."""

    merchant_id: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    notify_url: str

    def as_dict(self) -> dict[str, str]:
        return {
            "merchant_id": self.merchant_id,
            "api_key": self.api_key,
            "webhook_secret": self.webhook_secret,
            "notify_url": self.notify_url,
        }


def add_merchant(db: Session, vault: Vault, terms: Terms, shop: Shop, *, now: datetime) -> Introduction:
    """Store a merchant and commit. Raises Invalid naming what is wrong with the shop, and Refused for another's key."""
    check_shop(shop, http_allowed=terms.http_allowed)
    api_key, webhook_secret = shop.api_key or new_api_key(), shop.webhook_secret or new_webhook_secret()
    merchant = Merchant(id=new_id("m_"), from_environment=shop.from_environment, created_at=now)
    merchant.environment = _said(shop) if shop.from_environment else {}
    _describe(merchant, vault, shop)
    merchant.webhook_secret_sealed = vault.seal(webhook_secret.encode(), owner=merchant.owner(WEBHOOK_SECRET))
    put_main_key(db, merchant, api_key, now)
    actor = ENVIRONMENT if shop.from_environment else OPERATOR
    write_down(db, actor=actor, action="merchant_added", subject=merchant.id, details={"name": merchant.name}, now=now)
    db.commit()
    return Introduction(merchant.id, api_key, webhook_secret, f"{terms.public_url}/notify/{merchant.id}")


def _describe(merchant: Merchant, vault: Vault, shop: Shop) -> None:
    merchant.name = shop.name.strip()
    merchant.app_code = shop.app_code
    merchant.client_key_sealed = vault.seal(shop.client_key.encode(), owner=merchant.owner(CLIENT_KEY))
    merchant.base_url = shop.base_url.rstrip("/")
    merchant.mchid = shop.mchid or None
    merchant.sign_type = shop.sign_type
    merchant.wallets = list(shop.wallets) or list(WALLETS)
    merchant.return_origins = [origin_of(origin) for origin in shop.return_origins]
    merchant.webhook_url = shop.webhook_url or None
    merchant.options = shop.options


def _said(shop: Shop) -> dict[str, str]:
    """What the environment says of that which commands and the API change too: secrets as digests."""
    return {
        "webhook_url": shop.webhook_url or "",
        "api_key": shop.api_key and digest_of(shop.api_key),
        "webhook_secret": shop.webhook_secret and digest_of(shop.webhook_secret),
    }


def put_environment_merchant(
    db: Session, vault: Vault, terms: Terms, shop: Shop, *, now: datetime, leave_account: bool = False
) -> Introduction | None:
    """Create or update the deployment's single merchant and commit; None when nothing new has to be told.

    Another webhook secret than before is a rotation, and another address enables the webhook there. Where the
    environment says what it said before, what was changed since stays: a key that leaked does not come back.
    Raises Invalid, naming also an `account` that cannot be left yet unless `leave_account`, and Refused for
    another's key.
    """
    its_own = select(Merchant).where(Merchant.from_environment)
    merchant = db.scalar(its_own.with_for_update())  # all of it: the key may change too
    if merchant is None:
        return add_merchant(db, vault, terms, shop, now=now)
    check_shop(shop, http_allowed=terms.http_allowed)
    said = _said(shop)
    news = {name for name in said if said[name] != merchant.environment.get(name, "")}
    shop = _with_address(db, merchant, shop, is_news="webhook_url" in news)
    if not leave_account and (merchant.app_code, merchant.mchid) != (shop.app_code, shop.mchid or None):
        _refuse_to_leave_money(db, merchant)
    before = {name: getattr(merchant, name) for name in DESCRIBED}
    before["client_key"] = opened(vault, merchant, merchant.client_key_sealed, CLIENT_KEY)
    _describe(merchant, vault, shop)
    after = {name: getattr(merchant, name) for name in DESCRIBED} | {"client_key": shop.client_key}
    changed = [name for name in after if after[name] != before[name]]
    if "api_key" in news and shop.api_key and merchant.api_key_digest != said["api_key"]:
        put_main_key(db, merchant, shop.api_key, now)
        changed.append("api_key")
    if _put_secret(merchant, vault, shop.webhook_secret, now, is_news="webhook_secret" in news):
        changed.append("webhook_secret")
    if "webhook_url" in changed:
        _enable_webhook(db, merchant, now)
    merchant.environment = said
    if changed:
        details = {"changed": changed}
        write_down(db, actor=ENVIRONMENT, action="merchant_changed", subject=merchant.id, details=details, now=now)
    db.commit()
    return None


def _with_address(db: Session, merchant: Merchant, shop: Shop, *, is_news: bool) -> Shop:
    """With the webhook address that is to be: an empty one takes away only what the environment itself had named."""
    moved_since = merchant.webhook_url != merchant.environment.get("webhook_url")
    if not is_news or (moved_since and not shop.webhook_url):
        return replace(shop, webhook_url=merchant.webhook_url)
    if shop.webhook_url and address_is_taken(db, merchant, shop.webhook_url):
        raise Invalid({"webhook-url": "is the address of another endpoint of this merchant"})
    return shop


def _enable_webhook(db: Session, merchant: Merchant, now: datetime) -> None:
    merchant.webhook_gone_at = None
    if merchant.webhook_url:
        take_over(db, merchant)
        send_again(db, merchant.id, merchant.webhook_url, now)


def _put_secret(merchant: Merchant, vault: Vault, said: str, now: datetime, *, is_news: bool) -> bool:
    """Seal the webhook secret anew in any case: the first SECRET_KEY may be another one. True if it is another."""
    present = opened(vault, merchant, merchant.webhook_secret_sealed, WEBHOOK_SECRET)
    wanted = (said if is_news or present is None else "") or present
    return wanted is not None and signs_anew(merchant, vault, wanted, now)


def _refuse_to_leave_money(db: Session, merchant: Merchant) -> None:
    """Another account knows nothing of the codes and refunds of this one: what is paid for them would be lost."""
    codes, refunds = under_way(db, merchant.id)
    if codes or refunds:
        own = f"{merchant.app_code} {merchant.mchid or ''}".strip()
        raise Invalid(
            {
                "account": f"only {own} can be asked what became of its codes of the last day ({codes}) and its "
                f"refunds under way ({refunds}). Wait for them, add the other account as a second merchant "
                "(`merchant add`), or give them up with `db upgrade --leave-account`"
            }
        )


def replace_key(db: Session, merchant_id: str, *, now: datetime) -> str:
    """Make a new main API key and commit: the old one is refused from the next call on. Raises NotFound."""
    merchant = locked_merchant(db, merchant_id, key_changes=True)
    api_key = new_api_key()
    put_main_key(db, merchant, api_key, now)
    write_down(db, actor=OPERATOR, action="api_key_replaced", subject=merchant.id, details={}, now=now)
    db.commit()
    return api_key
