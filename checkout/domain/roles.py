"""What people of a shop may do: three roles, one table."""

from enum import StrEnum


class StaffRole(StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    VIEWER = "viewer"


class May(StrEnum):
    """One thing that somebody may do in one shop."""

    SEE = "see"  # payments, reviews, takings, deliveries
    EXPORT = "export"
    REFUND = "refund"
    CANCEL = "cancel"
    REVIEW = "review"
    REDELIVER = "redeliver"
    LINKS = "links"
    READ_LOG = "read_log"
    PEOPLE = "people"
    KEYS = "keys"  # API keys and the webhook's secrets
    ENDPOINTS = "endpoints"
    BRANDING = "branding"
    SHOP = "shop"  # its name, wallets and return origins, and its credentials at the gateway


_SEES = frozenset({May.SEE, May.EXPORT})
_WORKS = _SEES | {May.REFUND, May.CANCEL, May.REVIEW, May.REDELIVER, May.LINKS, May.READ_LOG}

ALLOWED: dict[StaffRole, frozenset[May]] = {
    StaffRole.VIEWER: _SEES,
    StaffRole.OPERATOR: _WORKS,
    StaffRole.OWNER: _WORKS | {May.PEOPLE, May.KEYS, May.ENDPOINTS, May.BRANDING, May.SHOP},
}

# Money leaves, or who may make it leave changes: the person at the keyboard must have shown just now who they are.
# Of the branding it is the sites that may embed the checkout; colours open no door.
NEEDS_PROOF = frozenset({May.REFUND, May.REVIEW, May.PEOPLE, May.KEYS, May.ENDPOINTS, May.BRANDING, May.SHOP})


def may(role: StaffRole, what: May) -> bool:
    return what in ALLOWED[role]
