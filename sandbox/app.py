"""A pretend QFPay: the same wire, its own ledger, a wallet page, and scenarios that go wrong on request."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import requests
from flask import Flask, Response, g
from markupsafe import Markup

from . import admin, wallet, wire
from . import alipay as alipay_app
from .alipay_books import Platform
from .context import Credential, Sandbox
from .ledger import Ledger, real_time
from .line import Line
from .notifier import Notifier

STYLE = Path(__file__).with_name("templates") / "sandbox.css"
LONGEST_BODY = 64 * 1024


def create_sandbox(  # noqa: PLR0913 - the one place where everything is chosen
    *,
    ledger: str,
    public_url: str,
    credentials: Mapping[str, Credential],
    notify_speed: float = 1.0,
    clock: Callable[[], datetime] | None = None,
    http: requests.Session | None = None,
    run_notifier: bool = True,
    calls_per_minute: int | None = 400,
    refund_pause: bool = True,
    pause: Callable[[float], None] = time.sleep,
    alipay: Platform | None = None,
) -> Flask:
    """Build a pretend QFPay for the given credentials (app code to `Credential`).

    `ledger` is an SQLite path, or ":memory:". `public_url` is where the app stands. `notify_speed` divides the waits
    between notifications, which `http` carries. `calls_per_minute=None` lifts the limits, `refund_pause=False` allows
    refunds at midnight in Hong Kong, `pause` is called instead of sleeping, `alipay` has the apps that Alipay knows.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    app.extensions["sandbox"] = Sandbox(
        ledger=Ledger(ledger, clock or real_time),
        public_url=public_url.rstrip("/"),
        credentials=credentials,
        notify_speed=notify_speed,
        http=http or _direct(),
        calls_per_minute=calls_per_minute,
        refund_pause=refund_pause,
        platform=alipay or Platform({}),
    )
    for part in (wire, wallet, alipay_app, admin):
        app.register_blueprint(part.bp)
    _dress(app)
    if run_notifier:
        notifier = Notifier(app)
        app.before_request(notifier.begin)
    app.wsgi_app = Line(app.wsgi_app, pause)  # type: ignore[method-assign]
    return app


def _direct() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # the merchant's side is on this machine, never behind a proxy
    return session


def _dress(app: Flask) -> None:
    """Give pages their style, and a policy that allows this style and nothing else. Framing is allowed on purpose."""
    style = STYLE.read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    app.jinja_env.globals["style"] = Markup(style)  # noqa: S704 - our own file

    @app.after_request
    def secure(response: Response) -> Response:
        lead = f" {g.may_lead_to}" if "may_lead_to" in g else ""
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'self'{lead}"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response
