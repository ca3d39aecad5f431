"""Commands about a merchant's looks: its brand, the sites that may embed its checkout, one code for all wallets."""

import json
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from checkout.cli.merchants import in_plain_words, merchant
from checkout.services import branding
from checkout.services.chronicle import OPERATOR
from checkout.services.endpoints import Errand
from checkout.web.context import Parts, parts


def _errand(joined: Parts, merchant_id: str) -> Errand:
    return Errand(merchant_id, OPERATOR, joined.clock())


@merchant.command("brand")
@click.argument("merchant_id")
@click.option("--name", help="What shoppers read, instead of the merchant's name here.")
@click.option("--banner", help="The colour behind the order, such as #0b3a41.")
@click.option("--accent", "--colour", "accent", help="The colour of buttons and links.")
@click.option("--logo", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A PNG of 3 KB or less.")
@click.option("--no-logo", is_flag=True, help="Take the logo away.")
@with_appcontext
def brand(merchant_id: str, *, logo: Path | None, no_logo: bool, **given: Any) -> None:
    """Say how the checkout looks; what is not named stays, and an empty text takes it away.

    Colours that could not be read are made darker or lighter on the page, in light and in dark.
    """
    joined = parts()
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if logo or no_logo:
        said["logo"] = logo.read_bytes() if logo else b""
    with in_plain_words(merchant_id), joined.sessions() as db:
        changed = branding.put_brand(db, _errand(joined, merchant_id), said)
    click.echo(json.dumps(changed.as_dict() | {"logo": changed.logo is not None}, ensure_ascii=False))


@merchant.group("embed-origin")
def embed_origin() -> None:
    """Sites that may show the checkout inside their own pages."""


@embed_origin.command("add")
@click.argument("merchant_id")
@click.argument("origin")
@with_appcontext
def add(merchant_id: str, origin: str) -> None:
    """Let a site embed, such as https://shop.example."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        known = branding.add_embed_origin(db, joined.terms, _errand(joined, merchant_id), origin)
    click.echo("\n".join(known))


@embed_origin.command("remove")
@click.argument("merchant_id")
@click.argument("origin")
@with_appcontext
def remove(merchant_id: str, origin: str) -> None:
    """From its next page on this site may not embed any more."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        known = branding.remove_embed_origin(db, _errand(joined, merchant_id), origin)
    click.echo("\n".join(known) or "No site may embed.")


@merchant.command("one-code")
@click.argument("merchant_id")
@click.argument("offered", type=click.Choice(["on", "off"]))
@with_appcontext
def one_code(merchant_id: str, offered: str) -> None:
    """Show one code for all wallets beside the choice of wallets, on desktops."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        branding.offer_one_code(db, _errand(joined, merchant_id), offered=offered == "on")
    click.echo(f"One code for all wallets is {offered}.")
