"""The way to the gateway: the breaker first, then the budget, then the wire, and what became of it is noted."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.errors import GatewayRefused, GatewayUnreachable
from checkout.gateway.client import Gateway, NotSent, Unknown
from checkout.services import breakers, budgets
from checkout.services.budgets import Use
from checkout.services.terms import Terms

log = logging.getLogger(__name__)

T = TypeVar("T")
Clock = Callable[[], datetime]

BUDGET_PAUSE = timedelta(seconds=2)
TOO_MANY = "429"  # HTTP's, as the gateway's client hands it on


class NotNow(GatewayUnreachable):
    """Nothing was asked: the gateway is known to be dead, or the minute's budget is spent. `until` says when to try."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


def permit(db: Session, terms: Terms, credential: str, use: Use, clock: Clock) -> None:
    """Raise NotNow unless one call may leave at this moment. Commits."""
    if until := breakers.closed_until(db, credential, clock()):
        raise NotNow("the gateway has not answered for a while", until)
    if not budgets.take(db, credential, use=use, rate_per_minute=terms.rate_per_minute, now=clock()):
        breakers.pass_on(db, credential, clock())
        raise NotNow("our own budget of calls is spent", clock() + BUDGET_PAUSE)


def ask(db: Session, terms: Terms, gateway: Gateway, question: Callable[[], T], *, use: Use, clock: Clock) -> T:
    """One question. Raises NotNow, and what the gateway's client raises; a garbled answer proves nothing either way."""
    db.commit()  # nothing stays open while we call, and what was read stays readable
    permit(db, terms, gateway.budget_key, use, clock)
    crash_point("question.before_send")
    try:
        answer = question()
    except GatewayRefused as refusal:
        breakers.note(db, gateway.budget_key, clock(), answered=True)
        if refusal.code == TOO_MANY:
            budgets.squeeze(db, gateway.budget_key, rate_per_minute=terms.rate_per_minute, now=clock())
        raise
    except GatewayUnreachable:
        breakers.note(db, gateway.budget_key, clock(), answered=False)
        raise
    breakers.note(db, gateway.budget_key, clock(), answered=True)
    crash_point("question.answered")
    return answer


def send(db: Session, gateway: Gateway, order: Callable[[], T], clock: Clock) -> T:
    """One order that moves money; the caller has had it permitted, and has committed what it intends."""
    crash_point("order.before_send")
    outcome = order()
    crash_point("order.sent")
    silent = isinstance(outcome, NotSent | Unknown) and outcome.silent
    try:
        breakers.note(db, gateway.budget_key, clock(), answered=not silent)
    except SQLAlchemyError as error:  # what became of the order matters more than what we learnt of the gateway
        db.rollback()
        log.warning("the breaker was not told: %s", type(error).__name__)
    return outcome
