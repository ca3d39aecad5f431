"""Commands about reusable links, and about what is wrong with a signed one."""

import json
from datetime import UTC, datetime
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.domain.errors import Invalid, NotFound
from checkout.domain.link_checking import query_of
from checkout.domain.link_wishes import LinkWish
from checkout.domain.money import CURRENCIES, parse_amount, to_text
from checkout.domain.wallets import WALLETS
from checkout.services import links, signed_links
from checkout.services.chronicle import OPERATOR
from checkout.store.links import Link
from checkout.store.models import Merchant
from checkout.web.context import parts

link = AppGroup("link", help="Links that open sessions.")


def told(row: Link, paid: int = 0) -> dict[str, Any]:
    address = f"{parts().config.PUBLIC_URL}/l/{row.token}"
    return {
        "id": row.id,
        "url": address,
        "poster": f"{address}/poster",
        "name": row.name,
        "amount": row.amount,
        "currency": row.currency,
        "active": row.active,
        "opened": row.opened,
        "paid": paid,
    }


@link.command("add")
@click.argument("merchant_id")
@click.option("--name", required=True, help="For the merchant's own list; shoppers do not see it.")
@click.option("--currency", type=click.Choice(sorted(CURRENCIES)), default="HKD", show_default=True)
@click.option("--amount", help="As people write it: 88.00. Without it the shopper enters the amount.")
@click.option("--least", help="The least that a shopper may enter.")
@click.option("--most", help="The most that a shopper may enter.")
@click.option("--description", default="", help="What is bought; shoppers see it.")
@click.option("--prefix", default="LINK-", show_default=True, help="Of the order numbers: LINK-1, LINK-2 …")
@click.option("--wallet", "wallets", multiple=True, type=click.Choice(list(WALLETS)))
@click.option("--return-url", help="Where shoppers go back to; without it they stay on our page.")
@click.option("--max-paid", type=int, help="1 for a link that can be paid once.")
@click.option("--expires-at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="In UTC.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object and nothing else on stdout.")
@with_appcontext
def add(merchant_id: str, *, as_json: bool, wallets: tuple[str, ...], expires_at: datetime | None, **said: Any) -> None:
    """Make a reusable link."""
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        merchant = db.get(Merchant, merchant_id)
        if merchant is None:
            raise click.ClickException(f"There is no merchant {merchant_id}.")
        try:
            asked = _asked(said) | {"wallets": list(wallets)}
            wish = LinkWish.read(asked | ({"expires_at": expires_at.replace(tzinfo=UTC)} if expires_at else {}))
            row = links.make_link(db, joined.terms, merchant, wish, actor=OPERATOR, now=joined.clock())
        except Invalid as error:
            raise click.ClickException("; ".join(f"--{name} {text}" for name, text in error.errors.items())) from None
    click.echo(json.dumps(told(row)) if as_json else f"{row.id}   {told(row)['url']}")


def _asked(said: dict[str, Any]) -> dict[str, Any]:
    """Amounts as minor units; what was not said is left out."""
    asked = {name: value for name, value in said.items() if value is not None}
    for name in ("amount", "least", "most"):
        if name in asked:
            try:
                asked[name] = parse_amount(asked[name], asked["currency"])
            except ValueError as error:
                raise Invalid({name: str(error)}) from None
    return asked


@link.command("list")
@click.argument("merchant_id")
@with_appcontext
def list_links(merchant_id: str) -> None:
    """The links of a merchant, newest first: one JSON object a line."""
    logs.to_stderr()
    with parts().sessions() as db:
        rows = links.links_of(db, merchant_id)
        paid = links.takings_of(db, [row.id for row in rows])
    for row in rows:
        click.echo(json.dumps(told(row, paid.get(row.id, 0)), ensure_ascii=False))


@link.command("enable")
@click.argument("link_id")
@with_appcontext
def enable(link_id: str) -> None:
    """Let a link be used again."""
    _switch(link_id, active=True)


@link.command("disable")
@click.argument("link_id")
@with_appcontext
def disable(link_id: str) -> None:
    """Take a link out of use; sessions that it has opened go on."""
    _switch(link_id, active=False)


def _switch(link_id: str, *, active: bool) -> None:
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        try:
            row = links.switch_link(db, link_id, active=active, actor=OPERATOR, now=joined.clock())
        except NotFound:
            raise click.ClickException(f"There is no link {link_id}.") from None
    amount = f"{row.currency} {to_text(row.amount, row.currency)}" if row.amount else f"any {row.currency}"
    click.echo(f"{row.name} ({amount}) is {'in use' if row.active else 'out of use'}.")


@link.command("check")
@click.argument("merchant_id")
@click.argument("url")
@with_appcontext
def check(merchant_id: str, url: str) -> None:
    """Say what is wrong with a signed link of this merchant; exit 0 when nothing is."""
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        merchant = db.get(Merchant, merchant_id)
        if merchant is None:
            raise click.ClickException(f"There is no merchant {merchant_id}.")
        checked = signed_links.check(
            db, joined.vault, joined.terms, query_of(url), merchant=merchant, now=joined.clock()
        )
    foreign = () if signed_links.names(query_of(url), merchant) else ("The appcode is not that of this merchant.",)
    for said in (
        *foreign,
        *map(str, checked.problems),
        *(mistake.words % {"name": mistake.name} for mistake in checked.mistakes),
    ):
        click.echo(f"- {said}")
    click.echo(f"we sign: {checked.signed}")
    verdict = {None: "none to check", True: "right", False: "wrong"}[checked.right]
    if checked.locked:
        verdict = "not checked, for the client key cannot be opened with this SECRET_KEY"
    click.echo(f"signature: {verdict}")
    if foreign or checked.problems or not checked.right:
        raise SystemExit(1)
