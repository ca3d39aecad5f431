"""Wallet weather, from our own tries: which of a merchant's wallets have trouble at the moment."""

from datetime import datetime

from sqlalchemy import Connection, select

from checkout.domain.lifecycle import AttemptStatus
from checkout.domain.weather import LOOKS_AT, LOOKS_BACK, Outing, in_trouble
from checkout.store.models import Attempt


def wallets_in_trouble(connection: Connection, merchant_id: str, now: datetime) -> frozenset[str]:
    """One indexed read; nothing is written."""
    query = (
        select(Attempt.wallet, Attempt.session_id, Attempt.status, Attempt.failure, Attempt.target.is_not(None))
        .where(Attempt.merchant_id == merchant_id, Attempt.created_at > now - LOOKS_BACK)
        .order_by(Attempt.created_at.desc(), Attempt.id.desc())
        .limit(LOOKS_AT)
    )
    rows = connection.execute(query)
    return in_trouble(
        Outing(wallet, session_id, AttemptStatus(status), failure, bool(reached))
        for wallet, session_id, status, failure, reached in rows
    )
