"""What is stored about telling merchants: further webhook endpoints, each try, tests, signing keys; and API keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from checkout.store.models import Base


class Endpoint(Base):
    """One more place where a merchant hears its events. Its first one is part of the merchant's own row.

    The columns about hearing have the names that they have there, so that one code serves both.
    """

    __tablename__ = "endpoint"
    __table_args__ = (UniqueConstraint("merchant_id", "webhook_url"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    webhook_url: Mapped[str] = mapped_column(String(2048))
    webhook_types: Mapped[list[Any]]  # empty: all
    webhook_signatures: Mapped[list[Any]]
    webhook_secret_sealed: Mapped[bytes]
    former_secret_sealed: Mapped[bytes | None]
    former_secret_until: Mapped[datetime | None]
    webhook_gone_at: Mapped[datetime | None]
    webhook_off_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    def owner(self, secret: str) -> str:
        """Whom a sealed secret of this row belongs to."""
        return f"endpoint/{self.id}/{secret}"


class DeliveryTry(Base):
    """One try of one delivery: what was sent and what came back. The latest of each delivery are kept."""

    __tablename__ = "delivery_try"
    __table_args__ = (Index("ix_delivery_try_delivery", "delivery_id", "at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"))
    url: Mapped[str] = mapped_column(String(2048))
    request_headers: Mapped[dict[str, Any]]
    answer_status: Mapped[int | None]
    answer_excerpt: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    milliseconds: Mapped[int]
    at: Mapped[datetime]


class EndpointTest(Base):
    """An event about nothing, sent at once because a person asked for it, and what the endpoint made of it."""

    __tablename__ = "endpoint_test"
    __table_args__ = (Index("ix_endpoint_test_merchant_created", "merchant_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    endpoint_id: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(String(2048))
    body: Mapped[str] = mapped_column(Text)
    request_headers: Mapped[dict[str, Any]]
    answer_status: Mapped[int | None]
    answer_excerpt: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    milliseconds: Mapped[int]
    created_at: Mapped[datetime]


class SigningKey(Base):
    """An Ed25519 key that signs one merchant's webhooks; the first is made when an endpoint wants it.

    A key that was rotated away signs until its last moment, and is erased then.
    """

    __tablename__ = "signing_key"
    __table_args__ = (
        Index(
            "uq_signing_key_current",
            "merchant_id",
            unique=True,
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
        Index("ix_signing_key_merchant", "merchant_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    public_key: Mapped[str] = mapped_column(String(60))  # whpk_ and base64
    private_key_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    until: Mapped[datetime | None]  # None: the current one

    @property
    def owner(self) -> str:
        """Whom the sealed private key belongs to."""
        return f"merchant/{self.merchant_id}/signing_key"


class ApiKey(Base):
    """With this a merchant's server calls. Only a digest of it is stored; revoked ones are kept for the record."""

    __tablename__ = "api_key"
    __table_args__ = (
        Index(
            "uq_api_key_main",
            "merchant_id",
            unique=True,
            sqlite_where=text("main AND revoked_at IS NULL"),
            postgresql_where=text("main AND revoked_at IS NULL"),
        ),
        Index("ix_api_key_merchant", "merchant_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    merchant_id: Mapped[str] = mapped_column(ForeignKey("merchant.id"))
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(4))  # its last characters, so that people can tell theirs apart
    scopes: Mapped[list[Any]]
    main: Mapped[bool]  # the one of `merchant add`, `replace-key` and MERCHANT_API_KEY
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the hour
    revoked_at: Mapped[datetime | None]
