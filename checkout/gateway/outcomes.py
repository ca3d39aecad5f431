"""The four ways in which creating a payment can end (safety: silence is not failure)."""

from dataclasses import dataclass, field
from enum import StrEnum

from checkout.gateway.codes import Meaning


class Kind(StrEnum):
    """What leads the shopper to the wallet; its values name the gateway's fields."""

    PAY_URL = "pay_url"  # a page to open, or to show as a QR code
    QRCODE = "qrcode"  # the text of a QR code
    PAY_PARAMS = "pay_params"  # JSON text for the wallet's own bridge


@dataclass(frozen=True)
class NotSent:
    """Provably not processed: the same number may be sent again. `silent`: not even a connection came about."""

    reason: str
    silent: bool = False


@dataclass(frozen=True)
class Refused:
    """The gateway answered no, so that nobody can pay. `message` is its own text: for operators only."""

    code: str
    meaning: Meaning
    message: str
    raw: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True)
class Accepted:
    """The order was made; nothing is paid yet."""

    syssn: str
    target: str
    kind: Kind
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Refunded:
    """The money is on its way back. `syssn` is the gateway's number of the refund."""

    syssn: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Unknown:
    """Only an enquiry can tell.

    `code`: what it said instead of an outcome, if that is documented. `suspicious`: it said yes to something
    else than we asked, so a person should look. `silent`: there was no answer, or none but a server error, so
    that others need not wait for one either.
    """

    reason: str
    raw: bytes | None = field(default=None, repr=False)
    code: str = ""
    suspicious: bool = False
    silent: bool = False


Outcome = NotSent | Refused | Accepted | Unknown
RefundOutcome = NotSent | Refused | Refunded | Unknown
