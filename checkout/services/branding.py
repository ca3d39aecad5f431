"""How a merchant's pages look, and which sites may show them: changed by a person, written down, committed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from checkout.domain.branding import Brand, check_colour, check_name
from checkout.domain.embedding import MOST_ORIGINS, problem_with_embed_origin
from checkout.domain.errors import Invalid
from checkout.domain.logos import read_logo
from checkout.services.chronicle import write_down
from checkout.services.endpoints import Errand
from checkout.services.hearers import locked_merchant
from checkout.services.terms import Terms

CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": check_name,
    "banner": partial(check_colour, "banner"),
    "accent": partial(check_colour, "accent"),
    "logo": read_logo,
}


def put_brand(db: Session, errand: Errand, said: Mapping[str, Any]) -> Brand:
    """Change what is said of `name`, `banner`, `accent` and `logo` (bytes), and commit; empty takes it away.

    Raises NotFound, and Invalid with every mistake at once.
    """
    changes = _checked(said)
    merchant = locked_merchant(db, errand.merchant_id)
    brand = replace(Brand.read(merchant.branding), **changes)
    merchant.branding = brand.as_dict()
    _note(db, errand, "branding_changed", sorted(changes))
    return brand


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of each, as it is stored. Raises Invalid."""
    good: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in said.items():
        try:
            good[name] = CHECKS[name](value) if value else getattr(Brand, name)
        except Invalid as error:
            errors |= error.errors
    if errors:
        raise Invalid(errors)
    return good


def add_embed_origin(db: Session, terms: Terms, errand: Errand, origin: str) -> list[str]:
    """Let a site show this merchant's checkout inside its pages, and commit. Raises NotFound, Invalid."""
    if problem := problem_with_embed_origin(origin, http_allowed=terms.http_allowed):
        raise Invalid({"origin": problem})
    merchant = locked_merchant(db, errand.merchant_id)
    known = list(merchant.embed_origins)
    if origin not in known:
        if len(known) >= MOST_ORIGINS:
            raise Invalid({"origin": f"must be one of at most {MOST_ORIGINS}; remove another first"})
        merchant.embed_origins = [*known, origin]
        _note(db, errand, "embed_origin_added", [origin])
    return list(merchant.embed_origins)


def remove_embed_origin(db: Session, errand: Errand, origin: str) -> list[str]:
    """From its next page on this site may not embed any more; commits. Raises NotFound, Invalid."""
    merchant = locked_merchant(db, errand.merchant_id)
    if origin not in merchant.embed_origins:
        raise Invalid({"origin": "is not one of this merchant's"})
    merchant.embed_origins = [known for known in merchant.embed_origins if known != origin]
    _note(db, errand, "embed_origin_removed", [origin])
    return list(merchant.embed_origins)


def offer_one_code(db: Session, errand: Errand, *, offered: bool) -> None:
    """One code for all wallets beside the choice, or none, and commit. Raises NotFound."""
    merchant = locked_merchant(db, errand.merchant_id)
    merchant.both_wallets_code = offered
    _note(db, errand, "both_wallets_code", ["on" if offered else "off"])


def _note(db: Session, errand: Errand, action: str, changed: list[str]) -> None:
    details = {"changed": changed}
    write_down(db, actor=errand.actor, action=action, subject=errand.merchant_id, details=details, now=errand.now)
    db.commit()
