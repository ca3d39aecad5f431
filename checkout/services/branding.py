"""How a merchant's pages look, and which sites may show them: changed by a person, written down, committed."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from checkout.domain.branding import Brand, check_colour, check_name
from checkout.domain.embedding import MOST_ORIGINS, problem_with_embed_origin
from checkout.domain.errors import Invalid, PreconditionFailed
from checkout.domain.logos import read_logo
from checkout.services.chronicle import write_down
from checkout.services.endpoints import Errand
from checkout.services.hearers import locked_merchant
from checkout.services.terms import Terms
from checkout.store.models import Merchant

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
    changes, mistakes = sort_out(said)
    if mistakes:
        raise Invalid({name: message for mistake in mistakes.values() for name, message in mistake.errors.items()})
    merchant = locked_merchant(db, errand.merchant_id)
    brand = replace(Brand.read(merchant.branding), **changes)
    merchant.branding = brand.as_dict()
    _note(db, errand, "branding_changed", sorted(changes))
    db.commit()
    return brand


def sort_out(said: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Invalid]]:
    """What is said of each, as it is stored; and apart from it what is wrong with the others."""
    good: dict[str, Any] = {}
    mistakes: dict[str, Invalid] = {}
    for name, value in said.items():
        try:
            good[name] = CHECKS[name](value) if value else getattr(Brand, name)
        except Invalid as error:
            mistakes[name] = error
    return good, mistakes


def looks_tag(merchant: Merchant) -> str:
    """Stands for the looks as they are now: whoever saves says which ones they saw."""
    return _tag([merchant.branding, merchant.both_wallets_code])


def origins_tag(merchant: Merchant) -> str:
    return _tag(list(merchant.embed_origins))


def _tag(looks: Any) -> str:
    return hashlib.sha256(json.dumps(looks, sort_keys=True).encode()).hexdigest()[:16]


def change_looks(db: Session, errand: Errand, changes: Mapping[str, Any], *, one_code: bool, as_of: str) -> list[str]:
    """Change what differs of a brand that was sorted out, and the one code; commit. The names of what has changed.

    Raises NotFound, and PreconditionFailed when somebody has changed the looks since `as_of`, a `looks_tag`.
    """
    merchant = locked_merchant(db, errand.merchant_id)
    if looks_tag(merchant) != as_of:
        raise PreconditionFailed("the looks were changed meanwhile")
    before = Brand.read(merchant.branding)
    brand = replace(before, **changes)
    changed = sorted(name for name in changes if getattr(brand, name) != getattr(before, name))
    if changed:
        merchant.branding = brand.as_dict()
        _note(db, errand, "branding_changed", changed)
    if one_code != merchant.both_wallets_code:
        merchant.both_wallets_code = one_code
        _note(db, errand, "both_wallets_code", ["on" if one_code else "off"])
        changed.append("one_code")
    db.commit()
    return changed


def set_embed_origins(db: Session, terms: Terms, errand: Errand, origins: Sequence[str], *, as_of: str) -> None:
    """These sites and no others may embed; commit. Raises NotFound, Invalid, PreconditionFailed as above."""
    wanted = list(dict.fromkeys(origins))
    _check_origins(terms, wanted)
    merchant = locked_merchant(db, errand.merchant_id)
    if origins_tag(merchant) != as_of:
        raise PreconditionFailed("the sites were changed meanwhile")
    known = list(merchant.embed_origins)
    merchant.embed_origins = wanted
    for origin in (one for one in wanted if one not in known):
        _note(db, errand, "embed_origin_added", [origin])
    for origin in (one for one in known if one not in wanted):
        _note(db, errand, "embed_origin_removed", [origin])
    db.commit()


def _check_origins(terms: Terms, origins: Sequence[str]) -> None:
    for origin in origins:
        if problem := problem_with_embed_origin(origin, http_allowed=terms.http_allowed):
            raise Invalid({"origin": problem})
    if len(origins) > MOST_ORIGINS:
        raise Invalid({"origin": f"must be at most {MOST_ORIGINS}"})


def add_embed_origin(db: Session, terms: Terms, errand: Errand, origin: str) -> list[str]:
    """Let a site show this merchant's checkout inside its pages, and commit. Raises NotFound, Invalid."""
    _check_origins(terms, [origin])
    merchant = locked_merchant(db, errand.merchant_id)
    known = list(merchant.embed_origins)
    if origin not in known:
        if len(known) >= MOST_ORIGINS:
            raise Invalid({"origin": f"must be one of at most {MOST_ORIGINS}; remove another first"})
        merchant.embed_origins = [*known, origin]
        _note(db, errand, "embed_origin_added", [origin])
    db.commit()
    return list(merchant.embed_origins)


def remove_embed_origin(db: Session, errand: Errand, origin: str) -> list[str]:
    """From its next page on this site may not embed any more; commits. Raises NotFound, Invalid."""
    merchant = locked_merchant(db, errand.merchant_id)
    if origin not in merchant.embed_origins:
        raise Invalid({"origin": "is not one of this merchant's"})
    merchant.embed_origins = [known for known in merchant.embed_origins if known != origin]
    _note(db, errand, "embed_origin_removed", [origin])
    db.commit()
    return list(merchant.embed_origins)


def offer_one_code(db: Session, errand: Errand, *, offered: bool) -> None:
    """One code for all wallets beside the choice, or none, and commit. Raises NotFound."""
    merchant = locked_merchant(db, errand.merchant_id)
    merchant.both_wallets_code = offered
    _note(db, errand, "both_wallets_code", ["on" if offered else "off"])
    db.commit()


def _note(db: Session, errand: Errand, action: str, changed: list[str]) -> None:
    details = {"changed": changed}
    write_down(db, actor=errand.actor, action=action, subject=errand.merchant_id, details=details, now=errand.now)
