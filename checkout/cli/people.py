"""Commands about people of the back office: letting one in, and a new link for one who cannot sign in."""

import os
from datetime import datetime

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import logs
from checkout.domain.errors import Invalid, NotFound
from checkout.domain.roles import StaffRole
from checkout.services import invitations, passkeys, people, second_factor
from checkout.services.chronicle import OPERATOR
from checkout.services.sign_ins import normal_email
from checkout.store.models import Merchant
from checkout.store.people import Person
from checkout.web.context import Parts, parts

person = AppGroup("person", help="People who sign in to the back office.")


@person.command("add")
@click.option("--email", required=True)
@click.option("--merchant", "merchant_id", help="Without it: the merchant of the environment.")
@click.option("--role", type=click.Choice([role.value for role in StaffRole]), default="owner", show_default=True)
@with_appcontext
def add(email: str, merchant_id: str | None, role: str) -> None:
    """Invite somebody to a shop; prints the link by which they accept, once."""
    logs.to_stderr()
    joined = parts()
    try:
        with joined.sessions() as db:
            shop = merchant_id or _its_own(joined)
            invited = people.add_person(db, shop, email, StaffRole(role), actor=OPERATOR, now=joined.clock())
    except NotFound:
        raise click.ClickException(f"There is no merchant {merchant_id}.") from None
    except Invalid as error:
        raise click.ClickException(f"--email {error.errors['email']}.") from None
    if invited.token is None:
        click.echo(f"{invited.person.email} works there already, from now on as {role}.")
        click.echo("If they forgot the password: flask --app app person invite --email …")
    else:
        _tell(joined, invited.token)


@person.command("invite")
@click.option("--email", required=True)
@click.option("--merchant", "merchant_id", help="The shop whose link was lost, if several have invited them.")
@with_appcontext
def invite(email: str, merchant_id: str | None) -> None:
    """A new link for somebody who forgot the password or lost the first link; older ones of the same kind end.

    Without --merchant: for another password, or for the one shop that waits for somebody who has none yet.
    """
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        known = _known(db, email)
        if merchant_id or known.password_digest is None:
            token = _invited_again(db, known, merchant_id or _shop_that_waits(db, known), joined.clock())
        else:
            token = people.password_link(db, known, actor=OPERATOR, now=joined.clock())
    _tell(joined, token)


@person.command("forget-second-factor")
@click.option("--email", required=True)
@with_appcontext
def forget_second_factor(email: str) -> None:
    """For somebody who lost the phone and the recovery codes: the next sign-in asks them to add another.

    Their passkeys end with it: a phone that is lost may hold them.
    """
    logs.to_stderr()
    joined = parts()
    with joined.sessions() as db:
        known = _known(db, email)
        gone = passkeys.remove_all(db, known, joined.clock(), actor=OPERATOR)
        second_factor.remove(db, known, joined.clock(), actor=OPERATOR)
    click.echo(f"{email} signs in with the password alone once, and then adds a second factor.")
    if gone:
        click.echo(f"Their passkeys open nothing any more: {', '.join(gone)}.")
    else:
        click.echo("They had no passkey.")


@person.command("demo", hidden=True)
@click.option("--email", required=True)
@with_appcontext
def demo(email: str) -> None:
    """For `make run`: an owner with the password of DEMO_OWNER_PASSWORD. Development only."""
    logs.to_stderr()
    joined = parts()
    if joined.config.production:
        raise click.ClickException("This is for development: ENV=production knows no password that stands in a file.")
    with joined.sessions() as db:
        merchant_id = _its_own(joined)
        invited = people.add_person(db, merchant_id, email, StaffRole.OWNER, actor=OPERATOR, now=joined.clock())
        if invited.token and invited.person.password_digest:
            invitations.accept(db, invited.token, invited.person, joined.clock())
        elif invited.token:
            people.accept_invitation(db, invited.token, os.environ["DEMO_OWNER_PASSWORD"], joined.clock())


def _known(db: Session, email: str) -> Person:
    found = db.scalar(select(Person).where(Person.email == normal_email(email)))
    if found is None:
        raise click.ClickException(f"There is nobody with the address {email}.")
    return found


def _invited_again(db: Session, known: Person, merchant_id: str, now: datetime) -> str:
    try:
        return people.invite_again(db, merchant_id, known.id, actor=OPERATOR, now=now).token or ""
    except NotFound:
        raise click.ClickException(f"{merchant_id} waits for nobody with the address {known.email}.") from None


def _shop_that_waits(db: Session, known: Person) -> str:
    shops = [one.merchant_id for one in invitations.waiting_for(db, known) if one.merchant_id]
    if not shops:
        raise click.ClickException("No shop has invited them: flask --app app person add --email …")
    if len(shops) > 1:
        raise click.ClickException(f"Several shops have invited them. Say which: --merchant {' or '.join(shops)}")
    return shops[0]


def _its_own(joined: Parts) -> str:
    with joined.sessions() as db:
        found = db.scalar(select(Merchant.id).where(Merchant.from_environment))
    if found is None:
        raise click.ClickException("Say which shop: --merchant m_…")
    return found


def _tell(joined: Parts, token: str) -> None:
    click.echo(f"{joined.config.PUBLIC_URL}/merchant/invitation/{token}   (works once, for a week)")
