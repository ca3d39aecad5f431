"""What Bo's shop and its operator do in the faults of the merchant's side, and what is seen of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from werkzeug.wrappers import Request, Response

from checkout.services.webhooks import WebhookSender
from checkout.store.models import Delivery
from tests.stories.cast import GATEWAY, Merchant, World

OK = "HTTP/1.1 204 No Content\n\n"
DAY = 86_400


def command(world: World, *words: str) -> Any:
    result = world.app.test_cli_runner().invoke(args=["merchant", *words])
    assert result.exit_code == 0, result.output
    return result


def cancels(bo: Merchant, reference: str = "A-1001") -> dict[str, Any]:
    """The quickest news there is: a session is opened and cancelled."""
    session = bo.opens(reference=reference)
    assert bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel").status_code == 200
    return session


def moves_to(world: World, bo: Merchant, url: str) -> None:
    command(world, "enable-webhook", bo.told.merchant_id, "--url", url)


def from_environment(make_world: Callable[..., World], **changes: str) -> World:
    """A deployment whose one merchant stands in its settings, after its release phase."""
    settings = {
        "QFPAY_APP_CODE": "APP1", "QFPAY_CLIENT_KEY": "key-of-APP1", "QFPAY_BASE_URL": GATEWAY,
        "MERCHANT_API_KEY": "sk_of_the_environment", "MERCHANT_WEBHOOK_SECRET": "whsec_" + "B" * 43 + "=",
    }  # fmt: skip
    world = make_world(**(settings | changes))
    result = world.app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert result.exit_code == 0, result.output
    return world


def cancels_by_key(world: World, reference: str = "A-1001") -> None:
    """The same quick news, by the merchant of the environment."""
    client, sent = world.app.test_client(), {"Authorization": "Bearer sk_of_the_environment"}
    order = {"amount": 8800, "currency": "HKD", "reference": reference, "return_url": "https://shop.example/thanks"}
    session = client.post("/v1/checkout-sessions", json=order, headers=sent).get_json()
    assert client.post(f"/v1/checkout-sessions/{session['id']}/cancel", headers=sent).status_code == 200


def deliveries(world: World) -> list[Delivery]:
    with world.parts.sessions() as db:
        return list(db.scalars(select(Delivery).order_by(Delivery.id)))


def statuses(world: World) -> list[str]:
    return [delivery.status for delivery in deliveries(world)]


def path_of(world: World, bo: Merchant) -> str:
    return next(path for path, inbox in world.inboxes.items() if inbox is bo.inbox)


def answers_with(world: World, bo: Merchant, answer: Callable[[], Response]) -> list[datetime]:
    """Bo's server answers like this; when it was called, by the clock that stands still."""
    called: list[datetime] = []

    def endpoint(environ: Any, start_response: Any) -> Any:
        Request(environ).get_data()
        called.append(world.clock.now)
        return answer()(environ, start_response)

    world.inboxes[path_of(world, bo)] = endpoint  # type: ignore[assignment]
    return called


def in_a_hurry(world: World, **changes: Any) -> None:
    """The same worker, with less than 15 seconds for one try, or with another resolver."""
    options = {"loopback_allowed": True, "seconds": 0.4} | changes
    world.posting = replace(world.posting, sender=WebhookSender(**options))
