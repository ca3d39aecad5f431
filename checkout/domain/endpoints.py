"""What a merchant may wish of a webhook endpoint, and of events that are to be sent again."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from checkout.domain.addresses import MAX_URL
from checkout.domain.moments import HOW_TO_WRITE, UNREADABLE, read_moment
from checkout.domain.orders import Strict

EventType = Literal[
    "checkout_session.paid",
    "checkout_session.expired",
    "checkout_session.cancelled",
    "checkout_session.review_opened",
    "checkout_session.review_closed",
    "attempt.failed",
    "payment.late",
    "payment.surplus",
    "refund.succeeded",
    "refund.failed",
]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
TEST_EVENT = "endpoint.test"
MOST_ENDPOINTS = 10

Signature = Literal["v1", "v1a"]  # as Standard Webhooks names them: HMAC-SHA256, Ed25519


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise PydanticCustomError("twice", "must name each one once")
    return names


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("moment", HOW_TO_WRITE)
    try:
        return read_moment(value)
    except UNREADABLE:
        raise PydanticCustomError("moment", HOW_TO_WRITE) from None


Url = Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL)]
Types = Annotated[
    list[EventType],
    Field(max_length=len(EVENT_TYPES), json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]
Signatures = Annotated[
    list[Signature],
    Field(min_length=1, max_length=2, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]
When = Annotated[datetime, BeforeValidator(_moment)]


class EndpointWish(Strict):
    """The body of POST /v1/webhook-endpoints. No `types`: all of them, also those that are still to come."""

    url: Url
    types: Types = []  # noqa: RUF012 - pydantic copies it
    signatures: Signatures = ["v1"]  # noqa: RUF012 - pydantic copies it


class EndpointChange(Strict):
    """The body of PATCH /v1/webhook-endpoints/<id>: what is not named stays as it is."""

    url: Url | None = None
    types: Types | None = None
    signatures: Signatures | None = None
    enabled: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_no_value(cls, data: Any) -> Any:
        """Left out it would stay as it is, and whoever writes null means something else."""
        if isinstance(data, dict) and (empty := [name for name in cls.model_fields if data.get(name, 0) is None]):
            raise PydanticCustomError("null", "{names} must not be null", {"names": ", ".join(empty)})
        return data


class EnableWish(Strict):
    """The body of POST …/enable. With `since` also what we gave up on is sent again, of events from then on."""

    since: When | None = None


class RotateWish(Strict):
    """The body of POST …/rotate-secret and …/rotate. `again`: also within a day of the last; the older one stops."""

    again: bool = False


class ResendWish(Strict):
    """The body of POST /v1/events/redeliver: which events are sent again, from a moment to before another one."""

    created_after: When
    created_before: When | None = None
    status: Literal["failed", "any"] = "failed"

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.created_before and self.created_before <= self.created_after:
            raise PydanticCustomError("order", "created_before must be later than created_after")
        return self
