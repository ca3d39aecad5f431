"""What an operator says about a merchant, by a command or in the environment, and what is wrong with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from checkout.domain.addresses import check_endpoint
from checkout.domain.errors import Invalid
from checkout.domain.links import problem_with_origin, problem_with_return_url
from checkout.domain.wallets import DESKTOP_SWITCHES, WALLETS, WalletChoice


@dataclass(frozen=True)
class Shop:
    """One merchant. `wallets` as in `alipay` or `alipay:HKD+USD`, in the shop's order."""

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


def check_shop(shop: Shop, *, http_allowed: bool) -> None:
    """Raise Invalid with every mistake at once, by the names that the options of `merchant add` have."""
    errors = _wrong_texts(shop) | _wrong_addresses(shop, http_allowed=http_allowed) | _wrong_choices(shop)
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
    if (udid := shop.options.get("udid")) and not re.fullmatch(r"[\x21-\x7e]{1,40}", udid):
        errors["udid"] = "must have at most 40 letters, digits and signs of ASCII, and no space"
    return errors


def _wrong_addresses(shop: Shop, *, http_allowed: bool) -> dict[str, str]:
    errors = {}
    if problem := problem_with_return_url(shop.base_url, origins=(), http_allowed=http_allowed):
        errors["base-url"] = problem
    if shop.webhook_url and (problem := check_endpoint(shop.webhook_url, loopback_allowed=http_allowed)):
        errors["webhook-url"] = problem
    for origin in shop.return_origins:
        if problem := problem_with_origin(origin, http_allowed=http_allowed):
            errors["return-origin"] = f"{origin!r} {problem}"
    return errors


def _wrong_choices(shop: Shop) -> dict[str, str]:
    errors = {}
    try:
        codes = [WalletChoice.parse(choice).code for choice in shop.wallets]
    except ValueError as problem:
        errors["wallet"] = str(problem)
    else:
        if twice := next((code for code in codes if codes.count(code) > 1), None):
            errors["wallet"] = f"{twice!r} stands there twice; name each wallet once"
    if unknown := [code for code in shop.options.get("frame", ()) if code not in WALLETS]:
        errors["frame"] = f"{unknown[0]!r} is no wallet; choose from {', '.join(WALLETS)}"
    if unknown := [code for code in shop.options.get("pay_types", ()) if code not in DESKTOP_SWITCHES]:
        errors["desktop-pay-type"] = f"{unknown[0]!r} is no choice; choose from {', '.join(DESKTOP_SWITCHES)}"
    return errors
