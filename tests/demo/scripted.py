"""A checkout that answers as its script says, and Bo, who shops at the demo shop."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from standardwebhooks import Webhook
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from demo_shop import create_demo_shop
from tests.wsgi import session_to

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
API = "https://pay.example"
NOW = 1_772_366_400.0


class Checkout:
    """The part of the public API that the shop uses; says what a test tells it to."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.says: ResponseReturnValue | None = None
        self.reads = 0
        self.app = Flask("checkout")
        self.app.add_url_rule("/v1/checkout-sessions", view_func=self.create, methods=["POST"])
        self.app.add_url_rule("/v1/checkout-sessions/<session_id>", view_func=self.read)

    def create(self) -> ResponseReturnValue:
        assert request.headers["Authorization"] == "Bearer sk_bo"
        key, order = request.headers["Idempotency-Key"], request.get_json()
        self.heard.append((key, order))
        if self.says is not None:
            return self.says
        session_id = f"cs_{len(self.sessions)}"
        same = [session for session in self.sessions.values() if session["reference"] == key]
        session = same[0] if same else order | {"id": session_id, "status": "open", "review": False}
        session["url"] = f"{API}/pay/{session['id']}"
        self.sessions[session["id"]] = session
        return jsonify(session), 201

    def read(self, session_id: str) -> ResponseReturnValue:
        self.reads += 1
        return jsonify(self.sessions[session_id])


class Bo:
    """A merchant's engineer with a browser, and with the secret when a test lends it."""

    def __init__(self, checkout: Checkout, state: Path) -> None:
        self.checkout = checkout
        self.shop = create_demo_shop(
            api_url=API,
            api_key="sk_bo",
            webhook_secret=SECRET,
            public_url="https://shop.example/demo",
            state=str(state),
            http=session_to(checkout.app),
            clock=lambda: NOW,
        )
        self.browser = Client(DispatcherMiddleware(Flask("root"), {"/demo": self.shop}))

    def orders(self, **form: str) -> TestResponse:
        return self.browser.post("/demo/orders", data=form)

    def order(self) -> dict[str, Any]:
        """Place one and give its session as the checkout has it."""
        assert self.orders(jasmine="1").status_code == 303
        return list(self.checkout.sessions.values())[-1]

    def hears(
        self, session: dict[str, Any], version: int, webhook_id: str, kind: str = "checkout_session.paid"
    ) -> TestResponse:
        body = json.dumps({"type": kind, "timestamp": "2026-03-01T12:00:00Z", "data": session | {"version": version}})
        return self.browser.post("/demo/webhook", data=body, headers=signed(webhook_id, body))

    def thanks(self, number: str, **query: str) -> TestResponse:
        return self.browser.get(f"/demo/orders/{number}/thanks?{urlencode(query)}")

    def status(self, number: str) -> str:
        page = self.browser.get("/demo/orders").text
        found = re.search(rf'data-order="{number}" data-order-status="(\w+)"', page)
        assert found
        return found[1]


def signed(webhook_id: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(webhook_id, now, body),
    }


def returned(session: dict[str, Any], status: str, *, secret: str = SECRET, at: float = NOW) -> dict[str, str]:
    text = f"{session['id']}.{session['reference']}.{status}.{int(at)}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return {
        "session_id": session["id"],
        "reference": session["reference"],
        "status": status,
        "timestamp": str(int(at)),
        "signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
    }


@pytest.fixture
def checkout() -> Checkout:
    return Checkout()


@pytest.fixture
def bo(checkout: Checkout, tmp_path: Path) -> Bo:
    return Bo(checkout, tmp_path / "shop.db")
