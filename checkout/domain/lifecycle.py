"""The state machines as tables: where each status may come from.

News from the gateway may repeat, lag or contradict, so a status it tells of simply does not
change when the table has no such edge; what a person asks for and may not have raises elsewhere.
"""

from enum import StrEnum


class SessionStatus(StrEnum):
    OPEN = "open"
    CLOSING = "closing"  # time is up or somebody gave up, but a code we showed may still be paid
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    CREATED = "created"  # our row exists; the gateway may not know it yet
    PENDING = "pending"  # the gateway waits for the shopper
    UNKNOWN = "unknown"  # the gateway may or may not have it: only an enquiry can tell
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CLOSED = "closed"  # its code has ended, and an enquiry after that end said unpaid


class DeliveryStatus(StrEnum):
    DUE = "due"
    DONE = "done"
    DEAD = "dead"
    BLOCKED = "blocked"  # held back: the endpoint is switched off or said 410, or we never connect to its address


class RefundStatus(StrEnum):
    RESERVED = "reserved"  # its amount is taken from what is left; the gateway does not know it yet
    SENT = "sent"  # the gateway was asked, or is being asked
    UNKNOWN = "unknown"  # it may or may not have it: only an enquiry can tell
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Role(StrEnum):
    """What a payment is to its session."""

    ACCEPTED = "accepted"
    SURPLUS = "surplus"
    LATE = "late"
    MISMATCH = "mismatch"


S, A, D, R = SessionStatus, AttemptStatus, DeliveryStatus, RefundStatus

# fmt: off
SESSION_COMES_FROM: dict[SessionStatus, frozenset[SessionStatus]] = {
    S.OPEN:      frozenset(),
    S.CLOSING:   frozenset({S.OPEN}),
    S.EXPIRED:   frozenset({S.OPEN, S.CLOSING}),
    S.CANCELLED: frozenset({S.OPEN, S.CLOSING}),
    # A late payment that the merchant's policy accepts still makes it paid. Paid absorbs.
    S.PAID:      frozenset({S.OPEN, S.CLOSING, S.EXPIRED, S.CANCELLED}),
}
ATTEMPT_COMES_FROM: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    A.CREATED:   frozenset(),
    A.PENDING:   frozenset({A.CREATED, A.UNKNOWN}),
    A.UNKNOWN:   frozenset({A.CREATED}),
    A.FAILED:    frozenset({A.CREATED, A.PENDING, A.UNKNOWN}),
    A.CLOSED:    frozenset({A.CREATED, A.PENDING, A.UNKNOWN, A.FAILED}),
    # Only the gateway's word makes it, and from any status: the money has moved, whatever we believed.
    A.SUCCEEDED: frozenset({A.CREATED, A.PENDING, A.UNKNOWN, A.FAILED, A.CLOSED}),
}
DELIVERY_COMES_FROM: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    D.DUE:     frozenset({D.DONE, D.DEAD, D.BLOCKED}),  # only a person sends it again, if they wish also what was heard
    D.DONE:    frozenset({D.DUE}),
    D.DEAD:    frozenset({D.DUE}),
    D.BLOCKED: frozenset({D.DUE}),
}
REFUND_COMES_FROM: dict[RefundStatus, frozenset[RefundStatus]] = {
    # Back to the queue only when it is certain that the gateway has not got it: then its number may be sent again.
    R.RESERVED:  frozenset({R.SENT, R.UNKNOWN}),
    R.SENT:      frozenset({R.RESERVED}),
    # From the queue after a restored backup: it may have been sent since the backup was made.
    R.UNKNOWN:   frozenset({R.SENT, R.RESERVED}),
    R.SUCCEEDED: frozenset({R.RESERVED, R.SENT, R.UNKNOWN}),
    R.FAILED:    frozenset({R.RESERVED, R.SENT, R.UNKNOWN}),
}
# fmt: on

FINAL_SESSION = frozenset({S.PAID, S.EXPIRED, S.CANCELLED})
UNHEARD = frozenset({D.DUE, D.DEAD, D.BLOCKED})
REFUND_IN_FLIGHT = frozenset({R.SENT, R.UNKNOWN})
LIVE_ATTEMPT = frozenset({A.CREATED, A.PENDING, A.UNKNOWN})


def public_refund_status(status: RefundStatus) -> str:
    """What merchants read: pending until the gateway has spoken."""
    return status if status in (RefundStatus.SUCCEEDED, RefundStatus.FAILED) else "pending"


def public_status(status: SessionStatus) -> str:
    """What outsiders read: `closing` is an open session without a way to pay (interface.md section 3)."""
    return S.OPEN if status is S.CLOSING else status
