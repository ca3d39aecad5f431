"""Every example of the document, as the application really answers it: one story of Bo's, told to the API."""

import json
import re
from typing import Any, cast

from tests.stories.cast import Merchant, World

SECRET = re.compile(r"(sk|whsec|whpk)_[A-Za-z0-9_+/=-]{8,}")
ID = re.compile(r"\b(cs|at|py|rf|evt|dlv|we|wk|ep|ak|key|m|req|tst|ept)_[A-Za-z0-9]{16,}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Telling:
    """Calls the API and notes, under the operation's id, what was sent and what came back."""

    def __init__(self, bo: Merchant) -> None:
        self.bo = bo
        self.noted: dict[str, dict[str, Any]] = {"problems": {}, "webhooks": {}}

    def __call__(self, operation: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        answer = self.bo.api(method, path, body, **headers)
        assert answer.status_code < 300, (operation, answer.text)
        self.noted[operation] = {"path": path}
        if body is not None:
            self.noted[operation]["request"] = body
        if answer.data:
            self.noted[operation]["answer"] = answer.json
        return answer.json if answer.data else None

    def refused(self, status: int, method: str, path: str, body: object = None, **headers: str) -> None:
        answer = self.bo.api(method, path, body, **headers)
        assert answer.status_code == status, answer.text
        self.noted["problems"][str(status)] = answer.json


def collect(world: World, telling: type[Telling] = Telling) -> dict[str, Any]:
    """The whole story, as the document shows it: readable, and without a single secret."""
    bo = world.merchant("Bo's Tea")
    tell = telling(bo)
    for chapter in (_a_session_is_paid, _money_goes_back, _keys_and_endpoints, _news_is_heard_again, _refusals):
        chapter(tell)
    for heard in bo.heard():
        tell.noted["webhooks"].setdefault(heard["type"], heard)
    return cast(dict[str, Any], json.loads(SECRET.sub(r"\1_…", json.dumps(tell.noted, ensure_ascii=False))))


def _a_session_is_paid(tell: Telling) -> None:
    order = {
        "amount": 8800, "currency": "HKD", "reference": "A-1001", "description": "Oolong, 150 g",
        "return_url": "https://shop.example/thanks", "metadata": {"table": "7"},
    }  # fmt: skip
    session = tell("openCheckoutSession", "POST", "/v1/checkout-sessions", order, Idempotency_Key="order-A-1001")
    world = tell.bo.world
    world.shopper(session).picks("alipay_hk")
    world.pays(session)
    world.notifies()
    world.passes(5)
    tell("readCheckoutSession", "GET", f"/v1/checkout-sessions/{session['id']}")
    tell("listCheckoutSessions", "GET", "/v1/checkout-sessions?reference=A-1001&limit=1")
    other = tell.bo.opens(reference="A-1002")
    tell("cancelCheckoutSession", "POST", f"/v1/checkout-sessions/{other['id']}/cancel")
    world.passes(2)


def _money_goes_back(tell: Telling) -> None:
    session = tell.noted["readCheckoutSession"]["answer"]
    wish = {"amount": 800, "amount_left": 8800, "reason": "one cup was broken"}
    path = f"/v1/checkout-sessions/{session['id']}/refunds"
    refund = tell("refundCheckoutSession", "POST", path, wish, Idempotency_Key="refund-A-1001-1")
    tell.bo.world.passes(10)
    tell("readRefund", "GET", f"/v1/refunds/{refund['id']}")
    tell("listRefunds", "GET", f"/v1/refunds?session={session['id']}")


def _keys_and_endpoints(tell: Telling) -> None:
    place = "/v1/webhook-endpoints"
    wish = {"url": f"{tell.bo.world.hooks.url}/accounting", "types": ["refund.succeeded"]}
    added = tell("addWebhookEndpoint", "POST", place, wish)
    here = f"{place}/{added['id']}"
    tell("listWebhookEndpoints", "GET", place)
    tell("readWebhookEndpoint", "GET", here)
    tell("changeWebhookEndpoint", "PATCH", here, {"types": ["refund.succeeded", "refund.failed"]})
    tell("rotateWebhookSecret", "POST", f"{here}/rotate-secret", {})
    tell("changeWebhookEndpoint", "PATCH", here, {"signatures": ["v1", "v1a"]})
    tell("rotateWebhookKey", "POST", "/v1/webhook-keys/rotate", {})
    tell("enableWebhookEndpoint", "POST", f"{here}/enable", {})
    tell("testWebhookEndpoint", "POST", f"{here}/test")
    tell("deleteWebhookEndpoint", "DELETE", here)
    made = tell("addApiKey", "POST", "/v1/api-keys", {"name": "till", "scopes": ["read", "write"], "expires_in": 90})
    tell("listApiKeys", "GET", "/v1/api-keys")
    tell("revokeApiKey", "DELETE", f"/v1/api-keys/{made['id']}")


def _news_is_heard_again(tell: Telling) -> None:
    session = tell.noted["readCheckoutSession"]["answer"]
    found = tell("listEvents", "GET", f"/v1/events?session={session['id']}&type=checkout_session.paid")
    here = f"/v1/events/{found['data'][0]['id']}"
    tell("readEvent", "GET", here)
    tell("redeliverEvent", "POST", f"{here}/redeliver")
    tell("redeliverEvents", "POST", "/v1/events/redeliver", {"created_after": "2026-03-10T00:00:00Z"})


def _refusals(tell: Telling) -> None:
    sessions = "/v1/checkout-sessions"
    paid = f"{sessions}/{tell.noted['readCheckoutSession']['answer']['id']}/refunds"
    unpaid = f"{sessions}/{tell.bo.opens(reference='A-1003')['id']}/refunds"
    tell.refused(400, "POST", sessions, {"amount": "88.00", "currency": "HKD", "colour": "red"})
    tell.refused(401, "GET", sessions, Authorization="Bearer sk_wrong")
    tell.refused(404, "GET", f"{sessions}/cs_unknown")
    tell.refused(409, "POST", unpaid, {}, Idempotency_Key="refund-A-1003-1")
    tell.refused(412, "POST", paid, {"amount_left": 8800}, Idempotency_Key="refund-A-1001-2")
    tell.refused(422, "POST", paid, {"amount": 9000}, Idempotency_Key="refund-A-1001-3")


def alike(story: object) -> object:
    """The story without what differs from run to run: ids, numbers, times, ports, how long something took."""
    text = TIME.sub("TIME", json.dumps(story, ensure_ascii=False, sort_keys=True))
    for pattern, said in (
        (ID, r"\1_ID"),
        (re.compile(r'"(out_trade_no|syssn|support_code|webhook-timestamp|webhook-signature)": "[^"]*"'), r'"\1": "*"'),
        (re.compile(r'"latency_ms": \d+'), '"latency_ms": 0'),
        (re.compile(r"127\.0\.0\.1:\d+(/\d+)?"), "HOOKS"),
        (re.compile(r'"hint": "[^"]*"'), '"hint": "*"'),
        (re.compile(r'"webhook-id": "[^"]*"'), '"webhook-id": "*"'),
    ):
        text = pattern.sub(said, text)
    return json.loads(text)
