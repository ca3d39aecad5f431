"""What the merchant's API answers about telling: events and their deliveries, webhook endpoints, API keys."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from checkout.domain.answers import Answer
from checkout.domain.endpoints import EventType, Signature

DeliveryWord = Literal["pending", "delivered", "failed", "held"]
ScopeWord = Literal["read", "write", "refunds", "admin"]
Excerpt = Annotated[str, Field(description="The first 512 characters of the answer.")]


class Try(Answer):
    """One try of one delivery. The latest twenty are kept."""

    at: datetime
    url: str
    request_headers: dict[str, str]
    answer_status: int | None
    answer_excerpt: Excerpt
    error: str | None
    latency_ms: int


class DeliveryInList(Answer):
    """One event on its way to one endpoint."""

    id: str
    endpoint: str
    url: str
    status: DeliveryWord = Field(
        description="`failed`: given up after three days. `held`: the endpoint is switched off, gone or deleted, or "
        "its address is not public."
    )
    tries: int = Field(description="Since it was last queued.")
    answer_status: int | None
    answer_excerpt: Excerpt | None
    error: str | None
    latency_ms: int | None
    tried_at: datetime | None
    delivered_at: datetime | None
    next_try_at: datetime | None


class Delivery(DeliveryInList):
    """The same, with each try, the newest first."""

    log: list[Try]


class EventInList(Answer):
    """What we told you."""

    id: str = Field(description="The `webhook-id` of each of its deliveries.")
    type: EventType | Literal["endpoint.test"]
    created_at: datetime
    data: dict[str, Any] = Field(description="The whole session as it was then.")
    deliveries: list[DeliveryInList]


class Event(Answer):
    """One event with all that is known of it."""

    id: str
    type: EventType | Literal["endpoint.test"]
    created_at: datetime
    data: dict[str, Any] = Field(description="The whole session as it was then.")
    deliveries: list[Delivery]


class Events(Answer):
    """One page of events, newest first."""

    data: list[EventInList]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null: this was the last.")


class Resent(Answer):
    """How much is sent again."""

    events: int
    deliveries: int
    more: bool = Field(description="There are further events in the range than one call takes.")
    continue_after: datetime | None = Field(description="With `more`: the next call's `created_after`.")


class Endpoint(Answer):
    """One place where you hear events."""

    id: str
    url: str
    types: list[EventType] = Field(description="What it hears; none: everything.")
    signatures: list[Signature]
    main: bool = Field(description="Its secret signs the way back to your shop, too.")
    enabled: bool
    gone_at: datetime | None = Field(description="When it answered 410.")
    both_secrets_until: datetime | None = Field(description="After a rotation: until then the former secret signs too.")
    created_at: datetime
    public_keys_url: str | None = Field(default=None, description="With `v1a` only: where the public key is.")


class Endpoints(Answer):
    """All of your endpoints."""

    data: list[Endpoint]
    next_cursor: None


class NewEndpoint(Endpoint):
    """The endpoint, and its secret: in this answer and in no other."""

    secret: str


class SigningKey(Answer):
    """A public key that verifies your `v1a` signatures."""

    id: str
    algorithm: Literal["ed25519"]
    public_key: str = Field(description="`whpk_` and the 32 bytes in base64.")
    created_at: datetime
    until: datetime | None = Field(description="After a rotation: until then this former key signs too.")


class SigningKeys(Answer):
    """The keys that sign now, the current one first, and where everybody finds them."""

    keys: list[SigningKey]
    public_keys_url: str


class EnabledEndpoint(Endpoint):
    """The endpoint, and how many deliveries are queued for it."""

    queued: int


class ApiKey(Answer):
    """One of your API keys, but for the key itself."""

    id: str
    name: str
    hint: str = Field(description="The last four characters of the key, unless it is a short one.")
    scopes: list[ScopeWord]
    main: bool = Field(description="The one that whoever operates this has set.")
    live: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the hour.")
    revoked_at: datetime | None


class ApiKeys(Answer):
    """All of your keys, the newest first, also those that were revoked."""

    data: list[ApiKey]
    next_cursor: None


class NewApiKey(ApiKey):
    """The key itself: in this answer and in no other."""

    key: str
