"""Commands about a merchant's API keys: listing, adding and revoking them."""

import json
from datetime import datetime

import click
from flask.cli import AppGroup, with_appcontext

from checkout.cli.merchants import in_plain_words, merchant
from checkout.domain.api_keys import ALL_SCOPES, KeyWish
from checkout.services import api_keys
from checkout.services.chronicle import OPERATOR
from checkout.web.context import parts

key = AppGroup("key", help="A merchant's API keys.")
merchant.add_command(key)

AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON and nothing else on stdout.")


@key.command("list")
@click.argument("merchant_id")
@AS_JSON
@with_appcontext
def list_keys(merchant_id: str, as_json: bool) -> None:
    """Show the keys, the newest first. A key itself is never shown again."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        found = [api_keys.as_dict(one, joined.clock()) for one in api_keys.keys_of(db, merchant_id)]
    if as_json:
        click.echo(json.dumps({"data": found}))
        return
    for one in found:
        state = "live" if one["live"] else "revoked" if one["revoked_at"] else "expired"
        used = _minute(one["last_used_at"]) if one["last_used_at"] else "never used"
        hint = f"…{one['hint']}" if one["hint"] else ""
        click.echo(f"{one['id']}  {state:7}  {hint:5}  {','.join(one['scopes']):24}  {used:20}  {one['name']}")


def _minute(moment: str) -> str:
    return f"used {datetime.fromisoformat(moment):%Y-%m-%d %H}h UTC"


@key.command("add")
@click.argument("merchant_id")
@click.option("--name", required=True, help="What it is for, such as 'till 2'.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(ALL_SCOPES), help="Repeat it; without: all.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it lives; without: until it is revoked.")
@AS_JSON
@with_appcontext
def add_key(merchant_id: str, name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make one more API key; prints it once."""
    joined = parts()
    with in_plain_words(merchant_id), joined.sessions() as db:
        wish = KeyWish.read({"name": name, "scopes": list(scopes or ALL_SCOPES), "expires_in": days})
        made, plain = api_keys.add_key(db, merchant_id, wish, actor=OPERATOR, granted=ALL_SCOPES, now=joined.clock())
    if as_json:
        click.echo(json.dumps({"merchant_id": merchant_id, "key_id": made.id, "api_key": plain}))
        return
    click.echo(f"key_id          {made.id}")
    click.echo(f"api_key         {plain}   (shown once)")


@key.command("revoke")
@click.argument("merchant_id")
@click.argument("key_id")
@with_appcontext
def revoke_key(merchant_id: str, key_id: str) -> None:
    """Refuse this key from now on, also if it is the merchant's last one."""
    joined = parts()
    with in_plain_words(merchant_id, f"There is no key {key_id} of merchant {merchant_id}."), joined.sessions() as db:
        api_keys.revoke_key(db, merchant_id, key_id, actor=OPERATOR, now=joined.clock(), may_lock_out=True)
    click.echo(f"{key_id} is refused from now on.")
