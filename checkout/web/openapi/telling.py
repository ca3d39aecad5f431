"""The calls about what merchants hear, and with which keys they call."""

from checkout.domain import told
from checkout.domain.api_keys import KeyWish
from checkout.domain.endpoints import (
    EVENT_TYPES,
    TEST_EVENT,
    EnableWish,
    EndpointChange,
    EndpointWish,
    ResendWish,
    RotateWish,
)
from checkout.web.openapi.operations import MOMENT, PAGE, Operation, Parameter

EVENTS, ENDPOINTS, KEYS = "Events", "Webhook endpoints", "API keys"
EVENT, ENDPOINT = "/v1/events/<event_id>", "/v1/webhook-endpoints/<endpoint_id>"

TELLING: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/events", "listEvents", EVENTS,
        "Read what we told you",
        "Newest first, a page at a time, each event with its deliveries.",
        told.Events,
        query=(
            Parameter("session", "The id of its session."),
            Parameter("type", "The type of the event.", {"type": "string", "enum": [*EVENT_TYPES, TEST_EVENT]}),
            Parameter("created_after", "Created after this moment.", MOMENT, example="2026-03-01T00:00:00Z"),
            *PAGE,
        ),
    ),
    Operation(
        "GET", EVENT, "readEvent", EVENTS,
        "Read one event",
        "Each delivery with the latest twenty tries: headers sent, answer, latency.",
        told.Event,
    ),
    Operation(
        "POST", f"{EVENT}/redeliver", "redeliverEvent", EVENTS,
        "Hear one event again",
        "With the same id and body, whether it was heard or not, to the endpoints that you have now. Without any: 409. "
        "The body is empty.",
        told.Event, 202, problems=(409, 413, 415),
    ),
    Operation(
        "POST", "/v1/events/redeliver", "redeliverEvents", EVENTS,
        "Hear a range again",
        "All that failed in the range, a thousand events at most, oldest first; `any` takes what you heard too.",
        told.Resent, 202, ResendWish, problems=(409,),
    ),
    Operation(
        "GET", "/v1/webhook-endpoints", "listWebhookEndpoints", ENDPOINTS,
        "List your endpoints",
        "Never their secrets.",
        told.Endpoints,
    ),
    Operation(
        "POST", "/v1/webhook-endpoints", "addWebhookEndpoint", ENDPOINTS,
        "Add an endpoint",
        "Its secret stands in this answer and in no other. Ten are the most, and no two share an address (409).",
        told.NewEndpoint, 201, EndpointWish, problems=(409,),
    ),
    Operation(
        "GET", ENDPOINT, "readWebhookEndpoint", ENDPOINTS,
        "Read an endpoint",
        "Never its secret.",
        told.Endpoint,
    ),
    Operation(
        "PATCH", ENDPOINT, "changeWebhookEndpoint", ENDPOINTS,
        "Change an endpoint",
        "What you do not name stays as it is. What happens while it is switched off waits for it.",
        told.Endpoint, body=EndpointChange, problems=(409,),
    ),
    Operation(
        "DELETE", ENDPOINT, "deleteWebhookEndpoint", ENDPOINTS,
        "Delete an endpoint",
        "It is called no more; what waited for it is held.",
        None, 204,
    ),
    Operation(
        "POST", f"{ENDPOINT}/rotate-secret", "rotateWebhookSecret", ENDPOINTS,
        "Change an endpoint's secret",
        "The new one stands in this answer and in no other; for a day both sign. Within that day again: 409, unless "
        "`again` says that the older one may stop.",
        told.NewEndpoint, body=RotateWish, body_needed=False, problems=(409,),
    ),
    Operation(
        "POST", "/v1/webhook-keys/rotate", "rotateWebhookKey", ENDPOINTS,
        "Change your Ed25519 key",
        "One key signs for all endpoints with `v1a`. For a day both sign, and both are at `public_keys_url`. Within "
        "that day again: 409, unless `again` says that the older one may stop; 409 also where no endpoint has `v1a`.",
        told.SigningKeys, body=RotateWish, body_needed=False, problems=(409,),
    ),
    Operation(
        "POST", f"{ENDPOINT}/enable", "enableWebhookEndpoint", ENDPOINTS,
        "Switch an endpoint on again",
        "After a 410, or when it was switched off. It hears all that it missed; with `since` also what we gave up on.",
        told.EnabledEndpoint, body=EnableWish, body_needed=False,
    ),
    Operation(
        "POST", f"{ENDPOINT}/test", "testWebhookEndpoint", ENDPOINTS,
        "Send a test event",
        "At once and once: the answer holds what your server said. Ten a minute. The body is empty.",
        told.Event, problems=(409, 413, 415),
    ),
    Operation(
        "GET", "/v1/api-keys", "listApiKeys", KEYS,
        "List your API keys",
        "Never the keys themselves.",
        told.ApiKeys,
    ),
    Operation(
        "POST", "/v1/api-keys", "addApiKey", KEYS,
        "Make an API key",
        "The key stands in this answer and in no other. It may do at most what the key does that you call with. Two "
        "live keys with the same scopes are the most (409).",
        told.NewApiKey, 201, KeyWish, problems=(409,),
    ),
    Operation(
        "DELETE", "/v1/api-keys/<key_id>", "revokeApiKey", KEYS,
        "Revoke an API key",
        "It is refused from the next call on. Your last key that may make others stays (409).",
        None, 204, problems=(409,),
    ),
)  # fmt: skip
