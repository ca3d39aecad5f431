"""From a row to a page, within a request: language, device, the way back, and what the CSP must allow for it."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, lru_cache

from flask import request, url_for
from markupsafe import Markup

from checkout.domain import qr
from checkout.domain.devices import Agent, Device, read_agent
from checkout.domain.lifecycle import RefundStatus
from checkout.domain.stages import FINAL, Stage
from checkout.domain.vault import CannotOpen
from checkout.domain.weather import Weather
from checkout.gateway.orders import budget_key
from checkout.services.weather import weather_of
from checkout.services.webhook_secrets import WEBHOOK_SECRET
from checkout.store.pages import PageRow, Told, read_returned, read_told
from checkout.web import headers, language
from checkout.web.assets import source_of
from checkout.web.context import now, parts
from checkout.web.looks import look_of
from checkout.web.pages import Page, Surroundings, build_page, return_link, stage_for

log = logging.getLogger(__name__)

PAGES = frozenset({"shopper.show", "shopper.receipt", "shopper.elsewhere"})  # each can be looked at by its address
BESIDE = frozenset({Device.DESKTOP, Device.TABLET, Device.UNKNOWN})
Returned = tuple[tuple[str, int, bool], ...]


def present(row: PageRow) -> Page:
    """Everything that the templates draw. Reads our database only."""
    joined, moment = parts(), now()
    stage = stage_for(row, moment)
    told, returned = _money(row, stage, moment)
    asked = language.asked_for()
    around = Surroundings(
        now=moment,
        agent=read_agent(request.user_agent.string),
        lang=language.current(),
        languages=language.switch(_own_address(row)),
        public_url=joined.config.PUBLIC_URL,
        query=f"?lang={asked['lang']}" if asked else "",
        sandbox=joined.config.SANDBOX and row.base_url.endswith("/sandbox"),
        look=look_of(row.branding) if row.branding else None,
        weather=_weather(row, stage, moment),
    )
    page = build_page(row, around, return_href=_way_back(row, stage), told=told.heard, returned=returned)
    page = replace(page, told_again_at=told.again_at, told_in_vain=told.in_vain)
    # Also before its wallet is picked: a refresh brings the frame into a document whose policy stays as it is.
    framed = bool(row.options.get("frame")) and not page.final
    headers.allow_wallets(joined.gateways.links_of(row.base_url).sources(), framed=framed)
    if page.look and page.look.source:
        headers.allow_style(page.look.source)
    if page.way_out:
        headers.allow_style(source_of(joined.assets.some["guide"]))
    return replace(page, one_code=_one_code(row, page, around.agent))


def _own_address(row: PageRow) -> str:
    """Where the same page stands in another language; for what is no page to look at, the payment's."""
    return url_for(request.endpoint if request.endpoint in PAGES else "shopper.show", session_id=row.id)


def _weather(row: PageRow, stage: Stage, moment: datetime) -> Weather:
    """Read only where there is a choice to make: everywhere else it comes too late."""
    if stage not in (Stage.CHOOSE, Stage.FAILED):
        return Weather()
    credential = budget_key(row.base_url, row.app_code)
    with parts().reading.connect() as connection:
        return weather_of(connection, row.merchant_id, credential=credential, now=moment)


def _one_code(row: PageRow, page: Page, agent: Agent) -> Markup | None:
    """For a screen beside the phone that has the wallet."""
    wanted = row.both_wallets_code and page.stage is Stage.CHOOSE and len(page.wallets) > 1
    return _code(f"{parts().config.PUBLIC_URL}/q/{row.id}") if wanted and agent.device in BESIDE else None


@lru_cache(maxsize=256)
def _code(text: str) -> Markup:
    return Markup(qr.draw(text).svg)  # noqa: S704 - our own drawing


def _money(row: PageRow, stage: Stage, moment: datetime) -> tuple[Told, Returned]:
    """Whether the shop has heard of it, and what goes back by itself, for the screens that speak of it."""
    if stage not in FINAL:
        return Told(), ()
    with parts().reading.connect() as connection:
        refunds = read_returned(connection, row.id)
        returned = tuple((one.cause, one.amount, one.status is RefundStatus.SUCCEEDED) for one in refunds)
        told = read_told(connection, row.id) if stage is Stage.PAID else Told()
    again_at = _next_minute(told.again_at) if told.again_at and told.again_at > moment else None
    return told._replace(again_at=again_at), returned


def _next_minute(moment: datetime) -> datetime:
    """As clocks show it: whoever looks again at that minute finds that it has happened."""
    return (moment + timedelta(minutes=1, microseconds=-1)).replace(second=0, microsecond=0)


def _way_back(row: PageRow, stage: Stage) -> str | None:
    """Signed, with the status as it is; while there is a way to pay, a shopper who leaves may still come back.

    None at all where it cannot be signed: the shop could not tell it from a forged one.
    """
    if stage not in FINAL | {Stage.CLOSING, Stage.REVIEW} or not row.return_url:  # a link's session may have no shop
        return None
    owner = f"merchant/{row.merchant_id}/{WEBHOOK_SECRET}"
    try:
        secret = parts().vault.open(row.webhook_secret_sealed, owner=owner).decode()
    except CannotOpen:  # SECRET_KEY was changed
        _tell_once(row.merchant_id)
        return None
    return return_link(row, secret, now())


@cache
def _tell_once(merchant_id: str) -> None:
    """Pages ask every few seconds, and who changes SECRET_KEY starts this process again."""
    log.error("the webhook secret cannot be opened", extra={"merchant": merchant_id})
