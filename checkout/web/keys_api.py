"""The merchant's API: its own API keys."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from checkout.domain.api_keys import KeyWish, Scope
from checkout.services import api_keys
from checkout.web import bodies, guards
from checkout.web.context import db, now, reading_db

bp = Blueprint("keys_api", __name__, url_prefix="/v1/api-keys")


@bp.before_request
def _guard() -> None:
    guards.limit_json()


@bp.get("")
def list_keys() -> ResponseReturnValue:
    """The newest first, those that were revoked included. No answer ever holds a key again."""
    merchant = guards.merchant_by_key(Scope.ADMIN)
    found = api_keys.keys_of(reading_db(), merchant.id)
    return jsonify(data=[api_keys.as_dict(key, now()) for key in found], next_cursor=None)


@bp.post("")
def create() -> ResponseReturnValue:
    """Make one. `key` stands in this answer and in no other."""
    holder = guards.holder_by_key(Scope.ADMIN)
    errand = guards.errand_of(holder)
    wish = KeyWish.read(bodies.json_body())
    key, plain = api_keys.add_key(
        db(), errand.merchant_id, wish, actor=errand.actor, granted=holder.key.scopes, now=errand.now
    )
    return jsonify(api_keys.as_dict(key, errand.now) | {"key": plain}), 201


@bp.delete("/<key_id>")
def revoke(key_id: str) -> ResponseReturnValue:
    """Refuse it from the next call on. Once is enough."""
    errand = guards.errand(Scope.ADMIN)
    api_keys.revoke_key(db(), errand.merchant_id, key_id, actor=errand.actor, now=errand.now)
    return "", 204
