"""Notifications: the raw bytes are checked first, and only then read (qfpay.md sections 2.3 and 6)."""

from checkout.domain.errors import GatewayGarbled, NotAuthentic
from checkout.domain.signing import matches, sign_notification
from checkout.gateway.orders import Credentials
from checkout.gateway.records import Record, read_json, read_record, text


def read_notification(body: bytes, signature: str | None, credentials: Credentials) -> Record:
    """Raises NotAuthentic for a body that is not from this account, GatewayGarbled for signed rubbish."""
    if not matches(sign_notification(body, credentials.client_key), signature):
        raise NotAuthentic("notification: the signature does not match")
    return read_stored(body, credentials)


def read_stored(body: bytes, credentials: Credentials) -> Record:
    """Read bytes whose signature was right when they came. Raises as above, but for the signature."""
    fields = read_json(body)
    kind = text(fields, "notify_type") or text(fields, "order_type") or "payment"
    record = read_record(fields, kind)
    if not record.out_trade_no or not record.syssn:
        raise GatewayGarbled("notification: no number")
    if record.foreign_to(credentials.mchid):
        raise NotAuthentic("notification: of another merchant of this account")
    return record
