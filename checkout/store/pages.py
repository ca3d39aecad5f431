"""What the shopper's page needs, in one indexed read: Core, because these are the hot GETs (design.md section 6)."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, func, or_, select

from checkout.store.models import Attempt, CheckoutSession, Delivery, Event, Merchant, Refund

# Row is generic column by column; thirty type parameters would say nothing.
PageRow = Row[*tuple[Any, ...]]
_S, _M, _A = CheckoutSession.__table__, Merchant.__table__, Attempt.__table__

_LATEST = (
    select(_A.c.id)
    .where(_A.c.session_id == _S.c.id)
    .order_by(_A.c.superseded, _A.c.created_at.desc(), _A.c.id)
    .limit(1)
    .correlate(_S)
    .scalar_subquery()
)
_PAGE = (
    select(
        *(column for column in _S.c if column.name != "metadata"),
        _M.c.name.label("shop"),
        _M.c.app_code,
        _M.c.base_url,
        _M.c.options,
        _M.c.wallets.label("merchant_wallets"),
        _M.c.webhook_secret_sealed,
        _M.c.branding,
        _M.c.embed_origins,
        _M.c.both_wallets_code,
        *(_A.c[name].label(f"attempt_{name}") for name in (
            "id", "wallet", "pay_type", "on_phone", "status", "target", "qr_svg", "qr_modules",
            "failure", "created_at", "code_minutes", "ends_at", "asked_at", "answered_at", "watched_until", "next_at",
        )),
    )
    .select_from(_S.join(_M, _M.c.id == _S.c.merchant_id).outerjoin(_A, _A.c.id == _LATEST))
    .where(_S.c.id == bindparam("session_id"))
)  # fmt: skip


def read_page(connection: Connection, session_id: str) -> PageRow | None:
    """The session, its merchant and its latest attempt; None for an unknown id."""
    return connection.execute(_PAGE, {"session_id": session_id}).first()


def read_returned(connection: Connection, session_id: str) -> list[PageRow]:
    """What goes back by itself: why, how much, and how far it is."""
    query = (
        select(Refund.cause, Refund.amount, Refund.status)
        .where(Refund.session_id == session_id, Refund.cause != "merchant")
        .order_by(Refund.created_at, Refund.id)
    )
    return list(connection.execute(query))


class Told(NamedTuple):
    """Whether a server of the shop has acknowledged that it was paid; None: it has no endpoint for this."""

    heard: bool | None = None
    again_at: datetime | None = None  # when it is told once more, after a try that failed
    in_vain: bool = False  # nobody tells it any more


def read_told(connection: Connection, session_id: str) -> Told:
    failed = or_(Delivery.error.is_not(None), Delivery.answer_status.is_not(None))
    query = (
        select(
            func.count(),
            func.count(Delivery.delivered_at),
            func.count(Delivery.next_at),
            func.min(case((failed, Delivery.next_at))),
        )
        .join(Event, Event.id == Delivery.event_id)
        .where(Event.session_id == session_id, Event.type == "checkout_session.paid")
    )
    sent, heard, due, again_at = connection.execute(query).one()
    if not sent or heard:
        return Told(heard > 0 if sent else None)
    return Told(False, again_at, in_vain=not due)
