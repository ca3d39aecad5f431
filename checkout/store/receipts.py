"""What a receipt lists: all money of a session, and all that went back."""

from sqlalchemy import Connection, select

from checkout.domain.lifecycle import RefundStatus
from checkout.store.models import Attempt, Payment, Refund
from checkout.store.pages import PageRow


def read_receipt(connection: Connection, session_id: str) -> tuple[list[PageRow], list[PageRow]]:
    """Payments, and refunds that have not failed, each in the order in which we learnt of them."""
    payments = (
        select(Payment.syssn, Payment.out_trade_no, Payment.amount, Payment.role, Payment.paid_at, Attempt.wallet)
        .join(Attempt, Attempt.id == Payment.attempt_id)
        .where(Payment.session_id == session_id)
        .order_by(Payment.created_at, Payment.id)
    )
    refunds = (
        select(Refund.syssn, Refund.out_trade_no, Refund.amount, Refund.cause, Refund.status, Refund.created_at)
        .where(Refund.session_id == session_id, Refund.status != RefundStatus.FAILED)
        .order_by(Refund.created_at, Refund.id)
    )
    return list(connection.execute(payments)), list(connection.execute(refunds))
