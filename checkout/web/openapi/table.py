"""Every call of the merchant's API, in the order in which a reader meets them."""

from checkout.domain.answers import CheckoutSession, CheckoutSessions, Refund, Refunds
from checkout.domain.orders import Order, RefundWish
from checkout.web.openapi.operations import MOMENT, PAGE, Operation, Parameter
from checkout.web.openapi.telling import TELLING

SESSION_WORDS = ("open", "paid", "expired", "cancelled")
REFUND_WORDS = ("pending", "succeeded", "failed")
SESSION = "/v1/checkout-sessions/<session_id>"
SESSIONS, REFUNDS, MORE = "Checkout sessions", "Refunds", "This document"

SEARCH = (
    Parameter("reference", "Your order number, exactly.", example="A-1001"),
    Parameter("status", "The session's status.", {"type": "string", "enum": list(SESSION_WORDS)}),
    Parameter("created_after", "Created after this moment.", MOMENT, example="2026-03-01T00:00:00Z"),
    Parameter("created_before", "Created before this moment.", MOMENT),
    Parameter("support_code", "The six characters that a shopper reads out; the case does not matter."),
    Parameter("out_trade_no", "Our number at QFPay, of an attempt or of a refund."),
    Parameter("syssn", "QFPay's own number, of a payment or of a refund."),
    Parameter(
        "metadata",
        "Pairs of your own, exactly: `metadata[table]=7`. Several must all be there.",
        {"type": "object", "additionalProperties": {"type": "string", "maxLength": 500},
         "propertyNames": {"minLength": 1, "maxLength": 40, "not": {"pattern": "\\]\\["}}, "maxProperties": 20},
        deep=True,
    ),
    *PAGE,
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/v1/checkout-sessions", "openCheckoutSession", SESSIONS,
        "Open a session",
        "Say what is to be paid, and send the shopper to the `url` of the answer. Never waits for QFPay. With an "
        "`Idempotency-Key`, the same body gets the same answer for seven days, so that a time-out may be repeated.",
        CheckoutSession, 201, Order, key="optional",
    ),
    Operation(
        "GET", SESSION, "readCheckoutSession", SESSIONS,
        "Read a session",
        "The whole session as it is now, with its attempts, payments and refunds.",
        CheckoutSession,
    ),
    Operation(
        "GET", "/v1/checkout-sessions", "listCheckoutSessions", SESSIONS,
        "Find sessions",
        "Newest first, a page at a time. Filters may be combined; all of them must fit.",
        CheckoutSessions, query=SEARCH,
    ),
    Operation(
        "POST", f"{SESSION}/cancel", "cancelCheckoutSession", SESSIONS,
        "Cancel a session",
        "Safe at any time. An untouched session is `cancelled` at once; while a code can still be paid the answer is "
        "`open`, and an event tells the end; when the shopper has just paid it says `paid`. The body is empty.",
        CheckoutSession, problems=(413, 415),
    ),
    Operation(
        "POST", f"{SESSION}/refunds", "refundCheckoutSession", REFUNDS,
        "Send money back",
        "All that is left, unless you say how much; with `amount_left` you say how much you believe is left, and get "
        "412 if that is no longer so. Never waits for QFPay: the answer is `pending`, and an event tells the end.",
        Refund, 201, RefundWish, body_needed=False, key="required", problems=(412,),
    ),
    Operation(
        "GET", "/v1/refunds/<refund_id>", "readRefund", REFUNDS,
        "Read a refund",
        "What became of one refund.",
        Refund,
    ),
    Operation(
        "GET", "/v1/refunds", "listRefunds", REFUNDS,
        "Find refunds",
        "Newest first, a page at a time.",
        Refunds,
        query=(
            Parameter("session", "The id of its session."),
            Parameter("status", "The refund's status.", {"type": "string", "enum": list(REFUND_WORDS)}),
            *PAGE,
        ),
    ),
    *TELLING,
    Operation(
        "GET", "/v1/openapi.json", "readOpenapi", MORE,
        "Read this document",
        "The OpenAPI 3.1 description of all this, for generators and for tools. Needs no key.",
        None, public=True, also={304: "It has not changed; send its `ETag` as `If-None-Match`."},
    ),
)  # fmt: skip
