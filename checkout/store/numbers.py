"""Numbers that the gateway is told: written down before they are used, together with what uses them."""

from sqlalchemy.orm import Session

from checkout.store.models import Attempt, Refund, TradeNo


def write_with_its_number(db: Session, row: Attempt | Refund) -> None:
    """The number first, because it must be known before it is used; then the attempt or refund that owns it.

    Raises IntegrityError when the number was used before. Commits nothing.
    """
    kind = "payment" if isinstance(row, Attempt) else "refund"
    number = TradeNo(number=row.out_trade_no, kind=kind, owner_id=row.id, created_at=row.created_at)
    number.merchant_id = row.merchant_id
    db.add(number)
    db.flush()
    db.add(row)
    db.flush()


def storable(text: str, longest: int) -> bool:
    """Whether our columns, PostgreSQL's too, hold what the gateway calls something, letter for letter."""
    return 1 <= len(text) <= longest and text.isascii() and text.isprintable()
