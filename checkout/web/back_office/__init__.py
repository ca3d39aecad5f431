"""The back office at /merchant: what people of a shop see and do."""

from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException

from checkout.domain.errors import CheckoutError
from checkout.web.back_office import (
    account,
    branding,
    deliveries,
    endpoints,
    guard,
    invitations,
    keys,
    link_checks,
    links,
    look,
    passkeys,
    payments,
    reviews,
    settings,
    shop,
    signing_in,
    start,
    takings,
)

bp = Blueprint("office", __name__, url_prefix="/merchant")
for noun in (start, shop, branding, endpoints, keys):
    settings.bp.register_blueprint(noun.bp)
for noun in (
    signing_in,
    invitations,
    account,
    passkeys,
    payments,
    reviews,
    takings,
    deliveries,
    links,
    link_checks,
    settings,
    look,
):
    bp.register_blueprint(noun.bp)
bp.url_value_preprocessor(guard.take_shop)
bp.before_request(guard.guard)
bp.after_request(look.say)
bp.register_error_handler(HTTPException, look.refused)
bp.register_error_handler(CheckoutError, look.not_done)


def install(app: Flask) -> None:
    """Join the back office to the application: its address, its look, its cookie."""
    guard.install(app)
    look.install(app)
    app.register_blueprint(bp)
