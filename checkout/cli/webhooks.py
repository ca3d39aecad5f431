"""Commands about webhooks: why a signature fails, and sending a test."""

import sys
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

import click
from flask.cli import AppGroup, with_appcontext

from checkout import logs
from checkout.cli.merchants import in_plain_words
from checkout.domain.webhook_signing import judge
from checkout.services import endpoints, event_log, tries
from checkout.services.chronicle import OPERATOR
from checkout.services.endpoints import Errand
from checkout.services.hearers import FIRST, public_id
from checkout.services.webhook_secrets import public_keys_of
from checkout.web.context import parts, reading_session

webhook = AppGroup("webhook", help="What merchants hear.")


@webhook.command("verify")
@click.option("--body", type=click.File("rb"), required=True, help="The raw body as it was received; - is stdin.")
@click.option("--headers", type=click.File("r"), help="A file of header lines: `Webhook-Id: evt_…`.")
@click.option("--header", "lines", multiple=True, help="One header line; repeat it.")
@click.option("--secret", required=True, envvar="WEBHOOK_SECRET", help="whsec_… or whpk_…; or set WEBHOOK_SECRET.")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S"]), help="When it was received (UTC); without: now.")
@with_appcontext
def verify(body: BinaryIO, headers: TextIO | None, lines: tuple[str, ...], secret: str, at: datetime | None) -> None:
    """Say whether a receiver would accept this request, and if not, why. Exit 0 if it would."""
    logs.to_stderr()
    received = body.read()
    given = dict(_split(line) for line in [*lines, *(headers or ())] if ":" in line)
    moment = at.replace(tzinfo=UTC) if at else parts().clock()
    verdict = judge(given, received, secret, moment)
    click.echo(verdict.reason)
    if not verdict.ok:
        for line in _what_we_sent(next((v for k, v in given.items() if k.lower() == "webhook-id"), ""), received):
            click.echo(line)
    sys.exit(0 if verdict.ok else 1)


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _what_we_sent(event_id: str, received: bytes) -> list[str]:
    """What the books add: whether this event is ours, and whether the body is the one that we sent."""
    with reading_session(parts()) as db:
        body = event_log.body_of(db, event_id)
    if body is None:
        return [f"We know of no event {event_id or 'without an id'}."]
    sent = body.encode()
    if sent == received:
        return ["The body is the one that we sent, byte for byte: so it is the secret, or a header."]
    place = next(
        (n for n, (a, b) in enumerate(zip(sent, received, strict=False)) if a != b), min(len(sent), len(received))
    )
    return [
        f"The body is not the one that we sent: {len(received)} bytes instead of {len(sent)}, "
        f"and different from byte {place} on."
    ]


@webhook.command("test")
@click.argument("merchant_id")
@click.argument("endpoint_id", required=False)
@with_appcontext
def test(merchant_id: str, endpoint_id: str | None) -> None:
    """Send the event `endpoint.test`, and say how it was answered."""
    joined = parts()
    errand = Errand(merchant_id, OPERATOR, joined.clock())
    given = endpoint_id or public_id(merchant_id, FIRST)
    with in_plain_words(merchant_id, f"Merchant {merchant_id} has no such endpoint, or it has no address."):
        sent = tries.send_test(joined.sessions, joined.vault, joined.sender, errand, given)
        with reading_session(joined) as db:
            [told] = event_log.event_of(db, merchant_id, sent.id)["deliveries"]
    outcome = told["error"] or f"answered {told['answer_status']}"
    click.echo(f"{sent.id} to {told['url']}: {outcome}, after {told['latency_ms']} ms")
    sys.exit(0 if told["status"] == "delivered" else 1)


@webhook.command("rotate-key")
@click.argument("merchant_id")
@click.option("--again", is_flag=True, help="Also within a day of the last time: the older key stops signing.")
@with_appcontext
def rotate_key(merchant_id: str, *, again: bool) -> None:
    """Make a new Ed25519 key for a merchant's webhooks; for a day the old one signs too."""
    logs.to_stderr()
    joined = parts()
    errand = Errand(merchant_id, OPERATOR, joined.clock())
    with in_plain_words(merchant_id, f"There is no merchant {merchant_id}."), joined.sessions() as db:
        endpoints.rotate_key(db, joined.vault, errand, again=again)
        for key in public_keys_of(db, merchant_id, errand.now):
            signs = f"signs until {key.until:%Y-%m-%d %H:%M} UTC" if key.until else "new"
            click.echo(f"{key.public_key}   ({signs})")
