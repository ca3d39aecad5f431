"""Every byte by which the gateway changed something: kept raw, sealed, once (safety.md I26)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id
from checkout.domain.vault import Vault
from checkout.store.models import Attempt, GatewayWord


@dataclass(frozen=True)
class Said:
    """`source` is payment, enquiry or notification; `known`: the number stands in our books."""

    merchant_id: str
    source: str
    body: bytes
    out_trade_no: str
    known: bool = True


def keep(db: Session, vault: Vault, said: Said, now: datetime) -> bool:
    """Store what was said. False if these very bytes were stored before. Commits nothing.

    Two processes may store the same bytes at once: the unique digest refuses one of them with an
    IntegrityError, and its caller begins again.
    """
    digest = hashlib.sha256(said.body).hexdigest()
    same = select(GatewayWord.id).where(
        GatewayWord.merchant_id == said.merchant_id,
        GatewayWord.source == said.source,
        GatewayWord.out_trade_no == said.out_trade_no,
        GatewayWord.digest == digest,
    )
    if db.scalar(same):
        return False
    word_id = new_id("gw_")
    db.add(
        GatewayWord(
            id=word_id,
            merchant_id=said.merchant_id,
            source=said.source,
            out_trade_no=said.out_trade_no,
            known=said.known,
            digest=digest,
            body_sealed=vault.seal(said.body, owner=f"gateway_word/{word_id}"),
            heard_at=now,
        )
    )
    db.flush()
    return True


def unanswered_notices(db: Session, vault: Vault, attempt: Attempt) -> list[tuple[datetime, bytes]]:
    """Genuine notifications about this attempt that came after the last answered question: when, and what they said."""
    query = select(GatewayWord).where(
        GatewayWord.merchant_id == attempt.merchant_id,
        GatewayWord.source == "notification",
        GatewayWord.out_trade_no == attempt.out_trade_no,
    )
    if attempt.answered_at is not None:
        query = query.where(GatewayWord.heard_at > attempt.answered_at)
    found = db.scalars(query.order_by(GatewayWord.heard_at, GatewayWord.id)).all()
    return [(word.heard_at, vault.open(word.body_sealed, owner=f"gateway_word/{word.id}")) for word in found]
