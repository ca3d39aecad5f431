"""What the fields of bodies mean, in the words of the document; the models say what they may be."""

# fmt: off
FIELDS: dict[str, dict[str, str]] = {
    "Order": {
        "amount":       "Whole minor units: 8800 is HK$88.00, and 8800 JPY is ¥8,800.",
        "currency":     "ISO 4217.",
        "reference":    "Your order number; the shopper reads it.",
        "return_url":   "Where the shopper comes back to, on one of your return origins.",
        "description":  "What is bought, in a line.",
        "items":        "What is bought, line by line.",
        "cancel_url":   "Where a shopper who gave up, or came too late, goes instead.",
        "wallets":      "Narrows the choice of wallets.",
        "locale":       "The page's language: `en`, `zh-HK` or `zh-CN`; else the browser's.",
        "metadata":     "Up to 20 pairs of your own, returned as they came; sessions can be found by them.",
        "expires_in":   "Minutes.",
        "limit_pay":    "`no_credit` is passed on to QFPay, which decides.",
        "udid":         "A device name for QFPay's portal.",
        "late_payment": "Money that comes after the end: held for a person, accepted, or sent back by itself.",
    },
    "Item": {
        "name":         "What it is.",
        "quantity":     "How many.",
        "amount":       "What one costs, in minor units.",
    },
    "RefundWish": {
        "amount":       "Minor units; by default all that is left.",
        "amount_left":  "What you believe is left. If it is not: 412, and nothing is done.",
        "reason":       "For your own books.",
    },
    "EndpointWish": {
        "url":          "https, on a public address.",
        "types":        "The events to send; none: all of them, also those still to come.",
        "signatures":   "`v1` is HMAC-SHA256 with a shared secret, `v1a` Ed25519 with a public key.",
    },
    "EndpointChange": {
        "url":          "https, on a public address.",
        "types":        "The events to send; none: all of them.",
        "signatures":   "`v1`, `v1a` or both.",
        "enabled":      "Whether it is called at all.",
    },
    "EnableWish": {
        "since":        "Also send again what was given up on, of events from this moment on.",
    },
    "RotateWish": {
        "again":        "Also within a day of the last time; the older secret stops at once.",
    },
    "ResendWish": {
        "created_after":  "Events from this moment on.",
        "created_before": "To before this one.",
        "status":         "Only those that failed, or all of them.",
    },
    "KeyWish": {
        "name":         "So that you can tell your keys apart.",
        "scopes":       "What it may do; none contains another.",
        "expires_in":   "Days; without it the key lives until it is revoked.",
    },
}
# fmt: on
