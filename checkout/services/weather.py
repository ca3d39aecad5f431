"""Wallet weather: which of a merchant's wallets have trouble at the moment, from our own tries and our own calls."""

from datetime import datetime

from sqlalchemy import Connection, select

from checkout.domain.lifecycle import AttemptStatus
from checkout.domain.weather import LOOKS_AT, LOOKS_BACK, Outing, Weather, in_trouble
from checkout.services.breakers import is_silent
from checkout.store.models import Attempt


def weather_of(connection: Connection, merchant_id: str, *, credential: str, now: datetime) -> Weather:
    """Two indexed reads; nothing is written."""
    if is_silent(connection, credential, now):
        return Weather(silent=True)
    query = (
        select(Attempt.wallet, Attempt.session_id, Attempt.status, Attempt.failure, Attempt.target.is_not(None))
        .where(Attempt.merchant_id == merchant_id, Attempt.created_at > now - LOOKS_BACK)
        .order_by(Attempt.created_at.desc(), Attempt.id.desc())
        .limit(LOOKS_AT)
    )
    rows = connection.execute(query)
    foul = in_trouble(
        Outing(wallet, session_id, AttemptStatus(status), failure, bool(reached))
        for wallet, session_id, status, failure, reached in rows
    )
    return Weather(foul)
