"""Merchants: adding one, knowing one by its key, and the one of the environment."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, NotAuthentic
from checkout.domain.ids import new_id
from checkout.domain.links import origin_of, problem_with_origin, problem_with_return_url
from checkout.domain.vault import Vault
from checkout.domain.wallets import DESKTOP_SWITCHES, WALLETS, WalletChoice
from checkout.gateway.accounts import CLIENT_KEY
from checkout.services.terms import Terms
from checkout.store.models import Merchant

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a column, not a secret


@dataclass(frozen=True)
class Shop:
    """What an operator says about a merchant. `wallets` as in `alipay` or `alipay:HKD+USD`, in the shop's order."""

    name: str
    app_code: str
    client_key: str = field(repr=False)
    base_url: str = "https://openapi-hk.qfapi.com"
    mchid: str | None = None
    sign_type: str = "sha256"
    wallets: Sequence[str] = ()
    return_origins: Sequence[str] = ()
    webhook_url: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    api_key: str = field(default="", repr=False)  # empty: made for it
    webhook_secret: str = field(default="", repr=False)
    from_environment: bool = False


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


def new_api_key() -> str:
    return "sk_" + secrets.token_urlsafe(32)


def new_webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def digest_of(api_key: str) -> str:
    """Keys have 256 random bits, so a fast digest is enough to store (safety.md S13)."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def add_merchant(db: Session, vault: Vault, terms: Terms, shop: Shop, *, now: datetime) -> Introduction:
    """Store a merchant and commit. Raises Invalid naming what is wrong with the shop."""
    check_shop(shop, http_allowed=terms.http_allowed)
    api_key, webhook_secret = shop.api_key or new_api_key(), shop.webhook_secret or new_webhook_secret()
    merchant = Merchant(
        id=new_id("m_"), api_key_digest=digest_of(api_key), from_environment=shop.from_environment, created_at=now
    )
    _describe(merchant, vault, shop)
    merchant.webhook_secret_sealed = vault.seal(webhook_secret.encode(), owner=merchant.owner(WEBHOOK_SECRET))
    db.add(merchant)
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


def put_environment_merchant(
    db: Session, vault: Vault, terms: Terms, shop: Shop, *, now: datetime
) -> Introduction | None:
    """Create or update the deployment's single merchant and commit; None when nothing new has to be told."""
    merchant = db.scalar(select(Merchant).where(Merchant.from_environment))
    if merchant is None:
        return add_merchant(db, vault, terms, shop, now=now)
    check_shop(shop, http_allowed=terms.http_allowed)
    _describe(merchant, vault, shop)
    if shop.api_key:
        merchant.api_key_digest = digest_of(shop.api_key)
    if shop.webhook_secret:
        sealed = vault.seal(shop.webhook_secret.encode(), owner=merchant.owner(WEBHOOK_SECRET))
        merchant.webhook_secret_sealed = sealed
    db.commit()
    return None


def check_shop(shop: Shop, *, http_allowed: bool) -> None:
    """Raise Invalid with every mistake at once."""
    errors = _wrong_texts(shop) | _wrong_addresses(shop, http_allowed=http_allowed)
    for choice in shop.wallets:
        try:
            WalletChoice.parse(choice)
        except ValueError as problem:
            errors["wallet"] = str(problem)
    if unknown := [code for code in shop.options.get("frame", ()) if code not in WALLETS]:
        errors["frame"] = f"{unknown[0]!r} is no wallet; choose from {', '.join(WALLETS)}"
    if unknown := [code for code in shop.options.get("pay_types", ()) if code not in DESKTOP_SWITCHES]:
        errors["desktop-pay-type"] = f"{unknown[0]!r} is no choice; choose from {', '.join(DESKTOP_SWITCHES)}"
    if errors:
        raise Invalid(errors)


def _wrong_texts(shop: Shop) -> dict[str, str]:
    errors = {}
    if not shop.name.strip() or len(shop.name) > 200:
        errors["name"] = "must have 1 to 200 characters"
    if not shop.app_code or len(shop.app_code) > 64:
        errors["app-code"] = "must have 1 to 64 characters"
    if not shop.client_key:
        errors["client-key"] = "must not be empty"
    if shop.mchid and len(shop.mchid) > 16:
        errors["mchid"] = "must have at most 16 characters"
    return errors


def _wrong_addresses(shop: Shop, *, http_allowed: bool) -> dict[str, str]:
    errors = {}
    for name, url in (("base-url", shop.base_url), ("webhook-url", shop.webhook_url)):
        if url and (problem := problem_with_return_url(url, origins=(), http_allowed=http_allowed)):
            errors[name] = problem
    for origin in shop.return_origins:
        if problem := problem_with_origin(origin, http_allowed=http_allowed):
            errors["return-origin"] = f"{origin!r} {problem}"
    return errors


def merchant_with_key(db: Session, api_key: str) -> Merchant:
    """The merchant that this key belongs to. Raises NotAuthentic."""
    merchant = db.scalar(select(Merchant).where(Merchant.api_key_digest == digest_of(api_key)))
    if merchant is None:
        raise NotAuthentic("API key")
    return merchant


def webhook_secret_of(vault: Vault, merchant: Merchant) -> str:
    return vault.open(merchant.webhook_secret_sealed, owner=merchant.owner(WEBHOOK_SECRET)).decode()
