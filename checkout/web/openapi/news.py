"""What merchants may hear from us, type by type."""

EVENTS = {
    "checkout_session.paid": "Deliver: `payments` has one with the role `accepted`.",
    "checkout_session.expired": "It ended unpaid, and no code of it can be paid any more.",
    "checkout_session.cancelled": "It was given up, and no code of it can be paid any more.",
    "checkout_session.review_opened": "A person must look; `review_reason` says why. Do not deliver before.",
    "checkout_session.review_closed": "A person has looked: go by `status`, `payments` and `refunds`.",
    "attempt.failed": "One try did not work; the shopper may try again.",
    "payment.late": "Money came after the end; the session's `late_payment` says what becomes of it.",
    "payment.surplus": "Money came twice; it goes back by itself.",
    "refund.succeeded": "Money that you, or we, sent back has arrived.",
    "refund.failed": "A refund did not work; what it had reserved may be refunded again.",
}
