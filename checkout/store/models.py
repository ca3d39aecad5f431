"""What is stored: one class a table, one row a fact (design.md section 2)."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from checkout.domain.lifecycle import AttemptStatus, DeliveryStatus, RefundStatus, Role, SessionStatus
from checkout.domain.wallets import WalletChoice
from checkout.store.types import Json, Moment, Word

LIVE = text("NOT superseded AND status IN ('created', 'pending', 'unknown')")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: Moment,
        dict[str, Any]: Json,
        list[Any]: Json,
        int: BigInteger,
        bytes: LargeBinary,
    }


class Merchant(Base):
    """A shop with its own QFPay credentials. Secrets are sealed for this row; the API key is only a digest."""

    __tablename__ = "merchant"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    app_code: Mapped[str] = mapped_column(String(64))
    client_key_sealed: Mapped[bytes]
    base_url: Mapped[str] = mapped_column(Text)
    mchid: Mapped[str | None] = mapped_column(String(16))
    sign_type: Mapped[str] = mapped_column(String(6))
    wallets: Mapped[list[Any]]
    return_origins: Mapped[list[Any]]
    # Switches: `pay_types` (such as 801501), `frame` (wallets shown in an iframe), `limit_pay`, `udid`, `code_minutes`.
    options: Mapped[dict[str, Any]]
    api_key_digest: Mapped[str] = mapped_column(String(64), unique=True)
    webhook_url: Mapped[str | None] = mapped_column(Text)
    webhook_secret_sealed: Mapped[bytes]
    former_secret_sealed: Mapped[bytes | None]  # signs beside the new one for a day after a rotation
    former_secret_until: Mapped[datetime | None]
    webhook_gone_at: Mapped[datetime | None]  # the endpoint answered 410: nothing is sent until it is enabled again
    webhook_types: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))  # empty: all
    webhook_signatures: Mapped[list[Any]] = mapped_column(default=lambda: ["v1"], server_default=text("""'["v1"]'"""))
    webhook_off_at: Mapped[datetime | None]  # the merchant has switched it off
    branding: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # as domain/branding.py
    embed_origins: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))  # may frame its pages
    both_wallets_code: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # one for all
    from_environment: Mapped[bool] = mapped_column(default=False)
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))  # what it said last
    created_at: Mapped[datetime]

    @property
    def choices(self) -> list[WalletChoice]:
        return [WalletChoice.parse(entry) for entry in self.wallets]

    def owner(self, secret: str) -> str:
        """Whom a sealed secret of this row belongs to."""
        return f"merchant/{self.id}/{secret}"


class CheckoutSession(Base):
    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_merchant_reference", "merchant_id", "reference", "created_at", "id"),
        Index("ix_session_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    support_code: Mapped[str] = mapped_column(String(6), index=True)
    reference: Mapped[str] = mapped_column(String(128))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str] = mapped_column(Text)
    items: Mapped[list[Any]]
    details: Mapped[dict[str, Any]] = mapped_column("metadata")  # the merchant's own pairs; `metadata` is SQLAlchemy's
    wallets: Mapped[list[Any]]
    locale: Mapped[str | None] = mapped_column(String(5))
    return_url: Mapped[str] = mapped_column(Text)
    cancel_url: Mapped[str | None] = mapped_column(Text)
    limit_pay: Mapped[str | None] = mapped_column(String(16))
    udid: Mapped[str | None] = mapped_column(String(40))
    late_payment: Mapped[str] = mapped_column(String(8))
    warnings: Mapped[list[Any]]  # what the merchant should know and need not mend: {code, message}
    status: Mapped[SessionStatus] = mapped_column(Word(SessionStatus, 10))
    closing_as: Mapped[str | None] = mapped_column(String(10))  # what `closing` ends in, unless it is paid
    review: Mapped[str | None] = mapped_column(String(40))  # why a person must look; None: nobody need
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]  # when the sweep must look next; None: never again
    renewals: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # how often its deadline was put off
    alipay_answered_at: Mapped[datetime | None]  # Alipay told us who pays, or refused: asked once, silently


class Attempt(Base):
    __tablename__ = "attempt"
    __table_args__ = (
        # The referee of double clicks: one live attempt per session, whoever asks first.
        Index("uq_attempt_live", "session_id", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_attempt_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_attempt_session", "session_id"),
        Index("ix_attempt_merchant_created", "merchant_id", "created_at"),  # how each wallet has done of late
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    wallet: Mapped[str] = mapped_column(String(20))
    pay_type: Mapped[str] = mapped_column(String(6))
    on_phone: Mapped[bool]
    out_trade_no: Mapped[str] = mapped_column(ForeignKey("trade_no.number"), unique=True)
    status: Mapped[AttemptStatus] = mapped_column(Word(AttemptStatus, 10))
    superseded: Mapped[bool] = mapped_column(default=False)
    syssn: Mapped[str | None] = mapped_column(String(64))
    target: Mapped[str | None] = mapped_column(Text)  # the pay_url or qrcode, exactly as QFPay gave it
    qr_svg: Mapped[str | None] = mapped_column(Text)  # made once: the dearest thing on the road (design.md section 6)
    qr_modules: Mapped[int | None]
    failure: Mapped[str | None] = mapped_column(String(20))
    failure_code: Mapped[str | None] = mapped_column(String(8))  # also of an answer that the number was used before
    created_at: Mapped[datetime]
    code_minutes: Mapped[int] = mapped_column(default=30, server_default=text("30"))  # the life that was asked for it
    ends_at: Mapped[datetime]  # from here its code can surely not be paid any more
    asked_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    watched_until: Mapped[datetime | None]  # a page that shows it gave a sign of life
    next_at: Mapped[datetime | None]  # when to ask next; while leased, when the lease ends
    tries: Mapped[int] = mapped_column(default=0)  # questions in a row without an answer
    version: Mapped[int] = mapped_column(default=1)


class Payment(Base):
    """Money that moved: appended. What changes: how much is on its way back, who confirmed it, late into accepted."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("merchant_id", "syssn"),
        Index(
            "uq_payment_accepted",
            "session_id",
            unique=True,
            sqlite_where=text("role = 'accepted'"),
            postgresql_where=text("role = 'accepted'"),
        ),
        Index("ix_payment_merchant_system", "merchant_id", "system_at"),  # takings by the gateway's own day
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"))
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempt.id"), index=True)
    role: Mapped[Role] = mapped_column(Word(Role, 10))
    out_trade_no: Mapped[str] = mapped_column(ForeignKey("trade_no.number"))
    syssn: Mapped[str] = mapped_column(String(64))
    amount: Mapped[int]
    refunded: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # reserved, sent, unknown and done
    currency: Mapped[str] = mapped_column(String(3))
    pay_type: Mapped[str] = mapped_column(String(6))
    proof: Mapped[str] = mapped_column(String(12))  # enquiry, or notification when nobody could be asked
    confirmed_at: Mapped[datetime | None]  # when an enquiry said what a notification alone had proven
    paid_at: Mapped[datetime | None]
    system_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Refund(Base):
    """Money going back, under a number of its own."""

    __tablename__ = "refund"
    __table_args__ = (Index("ix_refund_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), index=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), index=True)
    cause: Mapped[str] = mapped_column(String(10))  # merchant, portal, or the role of money that nobody may keep
    reason: Mapped[str] = mapped_column(Text)
    amount: Mapped[int]
    out_trade_no: Mapped[str] = mapped_column(ForeignKey("trade_no.number"), unique=True)
    status: Mapped[RefundStatus] = mapped_column(Word(RefundStatus, 10))
    syssn: Mapped[str | None] = mapped_column(String(64))
    failure_code: Mapped[str | None] = mapped_column(String(8))  # also of a refusal that only makes it wait
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]  # the first enquiry that did not find it
    next_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)


class TradeNo(Base):
    """Every number ever sent to the gateway, written before its first use and never deleted."""

    __tablename__ = "trade_no"

    number: Mapped[str] = mapped_column(String(128), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    kind: Mapped[str] = mapped_column(String(8))
    owner_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]


class GatewayWord(Base):
    """What the gateway said, raw and sealed: every notification, and every answer that changed something."""

    __tablename__ = "gateway_word"
    __table_args__ = (UniqueConstraint("merchant_id", "source", "out_trade_no", "digest"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    source: Mapped[str] = mapped_column(String(12))  # payment, enquiry, notification
    out_trade_no: Mapped[str] = mapped_column(String(128), index=True)  # empty when it names none
    known: Mapped[bool]  # False: an orphan, a number that is not in our books
    digest: Mapped[str] = mapped_column(String(64))
    body_sealed: Mapped[bytes]
    heard_at: Mapped[datetime]


class Event(Base):
    """News for the merchant, written in the transaction that makes it true; `body` never changes."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_merchant_created", "merchant_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), index=True)
    type: Mapped[str] = mapped_column(String(40))
    about: Mapped[str] = mapped_column(String(160), unique=True)  # what makes it one and the same news
    version: Mapped[int]
    to_deliver: Mapped[bool]  # the merchant had an endpoint when it happened
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Delivery(Base):
    """One event on its way to one endpoint."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "url"),
        Index("ix_delivery_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_delivery_merchant_status", "merchant_id", "status"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    endpoint_id: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))  # empty: the first one
    url: Mapped[str] = mapped_column(String(2048))
    status: Mapped[DeliveryStatus] = mapped_column(Word(DeliveryStatus, 8))
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    answer_status: Mapped[int | None]
    answer_excerpt: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    milliseconds: Mapped[int | None]
    tried_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The first answer to a request with this key, kept for seven days."""

    __tablename__ = "idempotency"

    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status_code: Mapped[int]
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Budget(Base):
    """How many gateway calls one credential may still make: one token bucket for all processes."""

    __tablename__ = "budget"

    credential: Mapped[str] = mapped_column(String(200), primary_key=True)
    tokens: Mapped[int]  # in thousandths of a call
    filled_at: Mapped[datetime]
