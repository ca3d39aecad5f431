"""Commands about merchants: adding and checking one, its keys, its webhook; and the merchant of the environment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.domain.errors import GatewayError, GatewayRefused, Invalid, NotFound, Refused
from checkout.domain.ids import new_trade_no
from checkout.domain.shops import Shop
from checkout.domain.wallets import DESKTOP_SWITCHES, WALLETS
from checkout.gateway.codes import Class, look_up
from checkout.services import endpoints, merchants
from checkout.services.chronicle import OPERATOR
from checkout.services.endpoints import Errand
from checkout.services.merchants import Introduction
from checkout.store.models import Merchant
from checkout.web.context import parts

merchant = AppGroup("merchant", help="Merchants.")

WALLET_HELP = (
    f"{', '.join(WALLETS)}; only for some currencies as alipay:HKD+USD. Repeat it, in the order to offer them."
)


def _options(**given: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}


@merchant.command("add")
@click.option("--name", required=True)
@click.option("--app-code", required=True, help="As QFPay issued it.")
@click.option("--client-key", required=True, help="As QFPay issued it; stored encrypted.")
@click.option("--base-url", default="https://openapi-hk.qfapi.com", show_default=True)
@click.option("--mchid", help="Only if QFPay issued one.")
@click.option("--sign-type", type=click.Choice(["sha256", "md5"]), default="sha256", show_default=True)
@click.option("--wallet", "wallets", multiple=True, help=WALLET_HELP)
@click.option("--return-origin", "return_origins", multiple=True, help="Where shoppers may be sent back to.")
@click.option("--webhook-url")
@click.option("--desktop-pay-type", "pay_types", multiple=True, type=click.Choice(DESKTOP_SWITCHES),
              help="801501: AlipayHK's own QR on desktops instead of 801514.")  # fmt: skip
@click.option("--frame", multiple=True, type=click.Choice(list(WALLETS)), help="Show this wallet's page in an iframe.")
@click.option("--limit-pay", type=click.Choice(["no_credit"]))
@click.option("--udid", help="A device name shown in QFPay's portal, at most 40 characters.")
@click.option("--code-minutes", type=click.IntRange(5, 120), help="How long a code may be paid; default 30.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else on stdout.")
@with_appcontext
def add(
    *, as_json: bool, pay_types: Any, frame: Any, limit_pay: Any, udid: Any, code_minutes: Any, **shop: Any
) -> None:
    """Add a merchant; prints its keys once."""
    logs.to_stderr()
    joined = parts()
    options = _options(pay_types=pay_types, frame=frame, limit_pay=limit_pay, udid=udid, code_minutes=code_minutes)
    with joined.sessions() as db:
        try:
            shop_told = Shop(options=options, **shop)
            told = merchants.add_merchant(db, joined.vault, joined.terms, shop_told, now=joined.clock())
        except Invalid as error:
            raise click.ClickException("; ".join(f"--{name} {text}" for name, text in error.errors.items())) from None
    if as_json:
        click.echo(json.dumps(told.as_dict()))
    else:
        introduce(told)


def introduce(told: Introduction, *, hide_key: bool = False, hide_secret: bool = False) -> None:
    click.echo(f"merchant_id     {told.merchant_id}")
    if not hide_key:
        click.echo(f"api_key         {told.api_key}   (shown once)")
    if not hide_secret:
        click.echo(f"webhook_secret  {told.webhook_secret}   (shown once)")
    click.echo(f"notify_url      {told.notify_url}   (QFPay registers it by e-mail: technical.support@qfpay.com)")


@merchant.command("check")
@click.argument("merchant_id")
@with_appcontext
def check(merchant_id: str) -> None:
    """Ask the gateway about a number that does not exist: its answer tells whether the credentials work."""
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        found = db.get(Merchant, merchant_id)
        if found is None:
            raise click.ClickException(f"There is no merchant {merchant_id}.")
        gateway = joined.gateways.of(found)
    try:
        gateway.enquire([new_trade_no()], None)
    except GatewayRefused as error:
        if look_up(error.code).klass is not Class.CONF:
            raise click.ClickException(
                f"{found.base_url} answers {error}. Nothing is known of the credentials."
            ) from None
        raise click.ClickException(
            f"QFPay refuses these credentials: {error.code}, {look_up(error.code).text}."
        ) from None
    except GatewayError as error:
        raise click.ClickException(f"{found.base_url} gave no usable answer: {error}. Nothing is known yet.") from None
    click.echo(f"The credentials of {found.name} work at {found.base_url}.")


@contextmanager
def in_plain_words(merchant_id: str, not_found: str = "") -> Iterator[None]:
    logs.to_stderr()
    try:
        yield
    except NotFound:
        raise click.ClickException(not_found or f"There is no merchant {merchant_id}.") from None
    except Refused as error:
        raise click.ClickException(f"{error}.") from None
    except Invalid as error:
        raise click.ClickException("; ".join(f"--{name} {text}" for name, text in error.errors.items())) from None


@merchant.command("rotate-secret")
@click.argument("merchant_id")
@click.option(
    "--again", is_flag=True, help="Also within a day of the last rotation: the secret before it stops signing."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else on stdout.")
@with_appcontext
def rotate_secret(merchant_id: str, again: bool, as_json: bool) -> None:
    """Make a new webhook secret; prints it once. For 24 hours the old one signs webhooks too."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        errand = Errand(merchant_id, OPERATOR, joined.clock())
        secret = endpoints.rotate_secret(db, joined.vault, errand, again=again)
    if as_json:
        click.echo(json.dumps({"merchant_id": merchant_id, "webhook_secret": secret}))
        return
    click.echo(f"webhook_secret  {secret}   (shown once)")
    click.echo("For 24 hours webhooks carry both signatures. The way back to the shop is signed with the new one now.")


@merchant.command("replace-key")
@click.argument("merchant_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else on stdout.")
@with_appcontext
def replace_key(merchant_id: str, as_json: bool) -> None:
    """Make a new main API key; prints it once. The old one is refused from now on; further keys stay as they are."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        api_key = merchants.replace_key(db, merchant_id, now=joined.clock())
    if as_json:
        click.echo(json.dumps({"merchant_id": merchant_id, "api_key": api_key}))
    else:
        click.echo(f"api_key         {api_key}   (shown once)")


@merchant.command("enable-webhook")
@click.argument("merchant_id")
@click.option("--url", help="Where the endpoint has moved to.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
              help="Send again also what we gave up on, of events since then (UTC).")  # fmt: skip
@with_appcontext
def enable_webhook(merchant_id: str, url: str | None, since: datetime | None) -> None:
    """Call the endpoint again, and send it all that it has not heard, oldest first."""
    joined = parts()
    since = since.replace(tzinfo=UTC) if since else None
    with in_plain_words(merchant_id), joined.sessions() as db:
        queued = endpoints.enable_webhook(db, joined.terms, merchant_id, url=url, since=since, now=joined.clock())
    click.echo(f"The webhook is enabled; {queued} deliveries are queued for it.")
