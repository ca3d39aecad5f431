"""Every byte by which the gateway changed something: kept raw, sealed, once (safety.md I26)."""

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.domain.ids import new_id
from checkout.domain.vault import Vault
from checkout.store.models import GatewayWord


def keep(
    db: Session,
    vault: Vault,
    merchant_id: str,
    source: str,
    body: bytes,
    out_trade_no: str,
    now: datetime,
    *,
    known: bool = True,
) -> bool:
    """Store what was said. False if these very bytes were stored before. Commits nothing.

    Two processes may store the same bytes at once: the unique digest refuses one of them with an
    IntegrityError, and its caller begins again.
    """
    digest = hashlib.sha256(body).hexdigest()
    same = select(GatewayWord.id).where(
        GatewayWord.merchant_id == merchant_id,
        GatewayWord.source == source,
        GatewayWord.out_trade_no == out_trade_no,
        GatewayWord.digest == digest,
    )
    if db.scalar(same):
        return False
    word_id = new_id("gw_")
    db.add(
        GatewayWord(
            id=word_id,
            merchant_id=merchant_id,
            source=source,
            out_trade_no=out_trade_no,
            known=known,
            digest=digest,
            body_sealed=vault.seal(body, owner=f"gateway_word/{word_id}"),
            heard_at=now,
        )
    )
    db.flush()
    return True
