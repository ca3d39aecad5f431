"""The merchant's API: webhook endpoints, and the public keys that verify what we send them."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from checkout.domain.api_keys import Scope
from checkout.domain.endpoints import EnableWish, EndpointChange, EndpointWish, RotateWish
from checkout.domain.errors import NotFound
from checkout.services import endpoints, event_log, tries
from checkout.services.hearers import Hearer, hearers_of
from checkout.services.snapshots import rfc3339
from checkout.services.webhook_secrets import public_keys_of
from checkout.web import bodies, guards
from checkout.web.context import db, now, parts, reading_db

bp = Blueprint("endpoints_api", __name__)

PLACE = "/v1/webhook-endpoints"


@bp.before_request
def _guard() -> None:
    guards.limit_json()


@bp.get(PLACE)
def list_endpoints() -> ResponseReturnValue:
    errand = guards.errand(Scope.ADMIN)
    hearers = hearers_of(reading_db(), errand.merchant_id)
    return jsonify(data=[_shown(hearer, errand) for hearer in hearers], next_cursor=None)


@bp.post(PLACE)
def create() -> ResponseReturnValue:
    """Add one. Its secret stands in this answer and in no other."""
    errand, joined = guards.errand(Scope.ADMIN), parts()
    wish = EndpointWish.read(bodies.json_body())
    endpoint, secret = endpoints.add_endpoint(db(), joined.vault, joined.terms, errand, wish)
    headers = {"Location": f"{PLACE}/{endpoint.id}"}
    return jsonify(_shown(endpoint, errand) | {"secret": secret}), 201, headers


@bp.get(f"{PLACE}/<endpoint_id>")
def read(endpoint_id: str) -> ResponseReturnValue:
    errand = guards.errand(Scope.ADMIN)
    return jsonify(_shown(endpoints.endpoint_of(reading_db(), errand.merchant_id, endpoint_id), errand))


@bp.patch(f"{PLACE}/<endpoint_id>")
def change(endpoint_id: str) -> ResponseReturnValue:
    errand, joined = guards.errand(Scope.ADMIN), parts()
    wish = EndpointChange.read(bodies.json_body())
    hearer = endpoints.change_endpoint(db(), joined.vault, joined.terms, errand, wish, given=endpoint_id)
    return jsonify(_shown(hearer, errand))


@bp.delete(f"{PLACE}/<endpoint_id>")
def remove(endpoint_id: str) -> ResponseReturnValue:
    errand = guards.errand(Scope.ADMIN)
    endpoints.delete_endpoint(db(), errand, endpoint_id)
    return "", 204


@bp.post(f"{PLACE}/<endpoint_id>/rotate-secret")
def rotate_secret(endpoint_id: str) -> ResponseReturnValue:
    """A new secret, shown here only; for a day both sign."""
    errand = guards.errand(Scope.ADMIN)
    wish = RotateWish.read(bodies.json_body(optional=True))
    secret = endpoints.rotate_secret(db(), parts().vault, errand, again=wish.again, given=endpoint_id)
    hearer = endpoints.endpoint_of(db(), errand.merchant_id, endpoint_id)
    return jsonify(_shown(hearer, errand) | {"secret": secret})


@bp.post(f"{PLACE}/<endpoint_id>/enable")
def enable(endpoint_id: str) -> ResponseReturnValue:
    """Call it again, and send it what it has not heard; `queued` says how much that is."""
    errand = guards.errand(Scope.ADMIN)
    wish = EnableWish.read(bodies.json_body(optional=True))
    hearer, queued = endpoints.enable_endpoint(db(), errand, endpoint_id, since=wish.since)
    return jsonify(_shown(hearer, errand) | {"queued": queued})


@bp.post(f"{PLACE}/<endpoint_id>/test")
def test(endpoint_id: str) -> ResponseReturnValue:
    """Send an event `endpoint.test` at once, and answer with what the endpoint made of it."""
    errand, joined = guards.errand(Scope.ADMIN), parts()
    bodies.refuse_body()
    sent = tries.send_test(joined.sessions, joined.vault, joined.sender, errand, endpoint_id)
    return jsonify(event_log.event_of(reading_db(), errand.merchant_id, sent.id))


@bp.get("/.well-known/webhook-keys/<merchant_id>.json")
def public_keys(merchant_id: str) -> ResponseReturnValue:
    """Whatever verifies this merchant's `v1a` signatures. Public: it is only good for verifying."""
    if not (keys := _keys_of(merchant_id)):
        raise NotFound("signing key")
    response = jsonify(keys=keys)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@bp.post("/v1/webhook-keys/rotate")
def rotate_key() -> ResponseReturnValue:
    """A new Ed25519 key for all endpoints; for a day both sign, and both are at the well-known address."""
    errand = guards.errand(Scope.ADMIN)
    wish = RotateWish.read(bodies.json_body(optional=True))
    endpoints.rotate_key(db(), parts().vault, errand, again=wish.again)
    return jsonify(keys=_keys_of(errand.merchant_id), public_keys_url=_keys_url(errand.merchant_id))


def _keys_of(merchant_id: str) -> list[dict[str, object]]:
    """The current one first; `until` says when one that was rotated away stops signing."""
    return [
        {
            "id": key.id,
            "algorithm": "ed25519",
            "public_key": key.public_key,
            "created_at": rfc3339(key.created_at),
            "until": rfc3339(key.until),
        }
        for key in public_keys_of(reading_db(), merchant_id, now())
    ]


def _keys_url(merchant_id: str) -> str:
    return f"{parts().config.PUBLIC_URL}/.well-known/webhook-keys/{merchant_id}.json"


def _shown(hearer: Hearer, errand: endpoints.Errand) -> dict[str, object]:
    shown = endpoints.as_dict(hearer, errand.merchant_id, now())
    if "v1a" in hearer.webhook_signatures:
        shown["public_keys_url"] = _keys_url(errand.merchant_id)
    return shown
