"""What the people of a shop change about it: its name, its wallets and where shoppers may be sent back to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from checkout.domain.errors import Invalid, Refused
from checkout.domain.links import origin_of, problem_with_origin
from checkout.domain.text import has_controls
from checkout.domain.wallets import WalletChoice
from checkout.services.chronicle import write_down
from checkout.services.endpoints import Errand
from checkout.services.hearers import locked_merchant
from checkout.services.terms import Terms

MOST_ORIGINS, LONGEST_NAME = 20, 200


@dataclass(frozen=True)
class ShopWish:
    """`wallets` as in `alipay` or `alipay:HKD+USD`, in the order in which shoppers see them."""

    name: str
    wallets: Sequence[str]
    return_origins: Sequence[str]

    def check(self, *, http_allowed: bool) -> None:
        """Raise Invalid with every mistake at once."""
        errors: dict[str, str] = {}
        if not self.name.strip() or len(self.name) > LONGEST_NAME or has_controls(self.name):
            errors["name"] = f"must have 1 to {LONGEST_NAME} characters"
        try:
            chosen = [WalletChoice.parse(entry).code for entry in self.wallets]
        except ValueError as problem:
            chosen, errors["wallets"] = [], str(problem)
        if not errors.get("wallets") and (not chosen or len(set(chosen)) != len(chosen)):
            errors["wallets"] = "must be at least one, each once"
        if len(self.return_origins) > MOST_ORIGINS:
            errors["return_origins"] = f"must be at most {MOST_ORIGINS}"
        for origin in self.return_origins:
            if problem_found := problem_with_origin(origin, http_allowed=http_allowed):
                errors["return_origins"] = problem_found
        if errors:
            raise Invalid(errors)


def change_shop(db: Session, terms: Terms, errand: Errand, wish: ShopWish) -> list[str]:
    """Change what differs, and commit; the names of what has changed. Sessions that are open keep what they have.

    Raises Invalid, NotFound, and Refused when the environment says what the shop is.
    """
    wish.check(http_allowed=terms.http_allowed)
    merchant = locked_merchant(db, errand.merchant_id)
    if merchant.from_environment:
        raise Refused("This shop is described where this service runs")
    wanted = {
        "name": wish.name.strip(),
        "wallets": list(wish.wallets),
        "return_origins": list(dict.fromkeys(origin_of(origin) for origin in wish.return_origins)),
    }
    changed = [name for name, value in wanted.items() if getattr(merchant, name) != value]
    for name in changed:
        setattr(merchant, name, wanted[name])
    db.flush()
    if changed:
        details = {"changed": changed}
        write_down(
            db, actor=errand.actor, action="merchant_changed", subject=merchant.id, details=details, now=errand.now
        )
    db.commit()
    return changed
