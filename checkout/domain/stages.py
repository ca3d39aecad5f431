"""What the shopper should see: one pure function decides, and a stage is the name of a screen in templates/pay/."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from checkout.domain.lifecycle import LIVE_ATTEMPT, AttemptStatus, SessionStatus


class Stage(StrEnum):
    CHOOSE = "choose"
    WAITING = "waiting"
    SCAN = "scan"
    WALLET = "wallet"
    UNKNOWN = "unknown"
    FAILED = "failed"
    PAID = "paid"
    REVIEW = "review"
    CLOSING = "closing"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


FINAL = frozenset({Stage.PAID, Stage.EXPIRED, Stage.CANCELLED})
WAITS = frozenset({Stage.WAITING, Stage.SCAN, Stage.WALLET, Stage.UNKNOWN, Stage.CLOSING, Stage.REVIEW})


@dataclass(frozen=True)
class Try:
    """As much of an attempt as the choice of a screen needs."""

    status: AttemptStatus
    has_code: bool  # a pay_url or qrcode was stored, so it may have been shown
    on_phone: bool
    ends_at: datetime


def stage_of(status: SessionStatus, latest: Try | None, *, review: bool, expires_at: datetime, now: datetime) -> Stage:
    """The session decides; the latest attempt only while the session is open."""
    if status is SessionStatus.PAID:
        return Stage.PAID
    if review:
        return Stage.REVIEW
    if status is SessionStatus.OPEN and now < expires_at:
        return _while_open(latest, now)
    return {SessionStatus.EXPIRED: Stage.EXPIRED, SessionStatus.CANCELLED: Stage.CANCELLED}.get(status, Stage.CLOSING)


def _while_open(latest: Try | None, now: datetime) -> Stage:
    if latest is None or latest.status is AttemptStatus.CLOSED:
        return Stage.CHOOSE
    if latest.status is AttemptStatus.FAILED or (latest.status in LIVE_ATTEMPT and now >= latest.ends_at):
        return Stage.FAILED
    if latest.status is AttemptStatus.CREATED:
        return Stage.WAITING
    if latest.status is AttemptStatus.UNKNOWN or not latest.has_code:
        return Stage.UNKNOWN
    return Stage.WALLET if latest.on_phone else Stage.SCAN
