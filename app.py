"""The composition root: everything is built and joined here, and only here."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import requests
from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from checkout import cli, logs
from checkout.domain import rsa2
from checkout.domain.vault import Vault
from checkout.gateway.accounts import Gateways
from checkout.gateway.alipay import Alipay
from checkout.gateway.alipay import App as AlipayApp
from checkout.gateway.transport import Transport
from checkout.services.inside_alipay import CALLBACK
from checkout.services.terms import Terms
from checkout.services.webhooks import WebhookSender
from checkout.store.clock import DatabaseClock
from checkout.store.engine import make_engine, reading_engine, writing_sessions
from checkout.web import (
    alipay,
    back_office,
    context,
    denying,
    docs,
    embed,
    endpoints_api,
    errors,
    events_api,
    filters,
    guards,
    headers,
    keys_api,
    language,
    limits,
    links,
    merchant_api,
    metrics,
    notify,
    platform,
    request_ids,
    scanning,
    shopper,
    signed_links,
    statement,
)
from checkout.web.assets import load_assets
from config import ROOT, Config

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VIEWS = (
    shopper,
    alipay,
    merchant_api,
    docs,
    metrics,
    notify,
    platform,
    signed_links,
    links,
    events_api,
    endpoints_api,
    keys_api,
    embed,
    scanning,
    statement,
)


def create_app(
    config: Config | None = None,
    *,
    gateway_http: requests.Session | None = None,
    clock: Callable[[], datetime] | None = None,
    sender: WebhookSender | None = None,
) -> Flask:
    """Build the web application; tests hand in their own clock and roads to the gateway and to merchants."""
    config = config or Config.from_env()
    logs.set_up(json_lines=config.production, level=config.LOG_LEVEL)
    app = Flask(__name__, root_path=str(ROOT), static_folder=None)  # shopper pages fetch nothing beside themselves
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.config["MAX_FORM_PARTS"] = 50
    app.config["SECRET_KEY"] = config.SECRET_KEY[0]
    app.config["DEBUG"] = config.DEBUG
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["sampan"] = _join(config, gateway_http, clock, sender)

    language.install(app)
    filters.install(app)
    errors.install(app)
    headers.install(app)
    metrics.install(app)
    request_ids.install(app)
    app.before_request(guards.refuse_foreign_hosts)
    app.before_request(guards.refuse_nul)
    limits.install(app)
    denying.install(app)
    app.teardown_appcontext(context.close_db)
    for view in VIEWS:
        app.register_blueprint(view.bp)
    back_office.install(app)
    cli.install(app)
    _mount(app, config)
    if config.PROXY_HOPS:
        hops = config.PROXY_HOPS
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _join(
    config: Config,
    gateway_http: requests.Session | None,
    clock: Callable[[], datetime] | None,
    sender: WebhookSender | None,
) -> context.Parts:
    if config.on_sqlite:
        (ROOT / "instance").mkdir(exist_ok=True)
    engine = make_engine(config.DATABASE_URL)
    vault = Vault(config.SECRET_KEY)
    transport = Transport(gateway_http)
    return context.Parts(
        config=config,
        engine=engine,
        reading=reading_engine(engine),
        sessions=writing_sessions(engine),
        clock=clock or DatabaseClock(engine),
        vault=vault,
        gateways=Gateways(
            vault,
            transport,
            pay_url_hosts=config.PAY_URL_HOSTS,
            sandbox_url=f"{config.sandbox_url}/" if config.SANDBOX else None,
            loopback=not config.production,
            strict_signatures=config.GATEWAY_STRICT_SIGNATURE,
        ),
        sender=sender or WebhookSender(loopback_allowed=not config.production),
        terms=Terms(config.PUBLIC_URL, not config.production, config.GATEWAY_RATE_PER_MINUTE),
        assets=load_assets(pretend_bridge=ROOT / "sandbox" / "bridge.js" if config.SANDBOX else None),
        alipay=_alipay(config, transport),
    )


def _alipay_key(config: Config) -> rsa2.PrivateKey | None:
    return rsa2.read_private_key(config.ALIPAY_PRIVATE_KEY) if config.ALIPAY_APP_ID else None


def _alipay(config: Config, transport: Transport) -> Alipay | None:
    if (key := _alipay_key(config)) is None:
        return None
    return Alipay(
        AlipayApp(
            app_id=config.ALIPAY_APP_ID,
            key=key,
            auth_url=config.ALIPAY_AUTH_URL,
            gateway_url=config.ALIPAY_GATEWAY_URL,
            alipay_key=rsa2.read_public_key(config.ALIPAY_PUBLIC_KEY) if config.ALIPAY_PUBLIC_KEY else None,
        ),
        transport,
    )


def _mount(app: Flask, config: Config) -> None:
    """In development the pretend gateway and shop stand beside us; in production they are not even imported."""
    mounts: dict[str, WSGIApplication] = {}
    if config.SANDBOX:
        from sandbox import AlipayApp as PretendApp
        from sandbox import Credential, Platform, create_sandbox

        app_key = _alipay_key(config)
        apps = {config.ALIPAY_APP_ID: PretendApp(app_key.public_key(), config.PUBLIC_URL + CALLBACK)} if app_key else {}
        mounts["/sandbox"] = create_sandbox(
            ledger=config.SANDBOX_LEDGER,
            public_url=config.sandbox_url,
            credentials={config.QFPAY_APP_CODE: Credential(config.QFPAY_CLIENT_KEY)},
            refund_pause=config.SANDBOX_REFUND_PAUSE,
            alipay=Platform(apps),
        )
    if config.DEMO_SHOP:
        from demo_shop import create_demo_shop

        mounts["/demo"] = create_demo_shop(
            api_url=f"http://127.0.0.1:{config.PORT}",
            api_key=config.DEMO_API_KEY,
            webhook_secret=config.DEMO_WEBHOOK_SECRET,
            public_url=f"{config.PUBLIC_URL}/demo",
            state=config.DEMO_STATE,
        )
    if mounts:
        named = {path: _named(mounted, config.PUBLIC_URL) for path, mounted in mounts.items()}
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, named)  # type: ignore[method-assign]


def _named(mounted: "WSGIApplication", public_url: str) -> "WSGIApplication":
    """It knows our own address alone: where a slash is missing it leads there, by whatever name it was asked."""
    scheme, _, host = public_url.partition("://")

    def asked(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return mounted(environ | {"HTTP_HOST": host, "wsgi.url_scheme": scheme}, start_response)

    return asked
