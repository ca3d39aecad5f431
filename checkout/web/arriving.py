"""How a page meets the shopper where they are: out of apps that open no wallet, with the time that is left, in time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from checkout.domain import schedule
from checkout.domain.devices import Agent, App, Device
from checkout.domain.stages import Stage
from checkout.services.renewing import may_extend
from checkout.store.pages import PageRow

# What a stage needs of static/pay/extra/ beside the core: no more, because a page's scripts must fit in 3 KB.
SCRIPTS: dict[Stage, tuple[str, ...]] = {
    Stage.CHOOSE: ("share",),
    Stage.FAILED: ("share",),
    Stage.SCAN: ("share", "larger"),
    Stage.WALLET: ("share",),
    Stage.PAID: ("leave",),
}
TIMED = frozenset({Stage.CHOOSE, Stage.FAILED, Stage.SCAN, Stage.WALLET})
SHOWN_EARLY = timedelta(seconds=20)  # the countdown's script arrives with a poll before it has to start
NOTICED = timedelta(seconds=20)  # until then an open page has asked again, and taken away what is offered no more


@dataclass(frozen=True)
class Out:
    """How to leave the app that shows this page; `href` is None where only the app's own menu leads out."""

    name: str
    corner: str
    href: str | None


def way_out(agent: Agent, address: str) -> Out | None:
    """For apps that keep wallets from opening. `address` is the page's own, absolute."""
    way = agent.way_out
    if way is None:
        return None
    corner = way.android_corner if agent.android else way.ios_corner
    if way.by == "line":
        return Out(way.name, corner, f"{address}?openExternalBrowser=1")
    if way.by == "intent" and agent.android:
        return Out(way.name, corner, intent_link(address))
    return Out(way.name, corner, None)


def intent_link(address: str) -> str:
    """Android's link to the default browser (developer.chrome.com/docs/android/intents), which falls back to itself."""
    parts = urlsplit(address)
    fallback = quote(address, safe="")
    view = "action=android.intent.action.VIEW;category=android.intent.category.BROWSABLE"
    return (
        f"intent://{parts.netloc}{parts.path}#Intent;scheme={parts.scheme};{view};S.browser_fallback_url={fallback};end"
    )


def ending(row: PageRow, stage: Stage, now: datetime) -> dict[str, Any]:
    """The two clocks: the code's and the session's; which ends first, and whether a press puts it off."""
    if stage not in TIMED:
        return {"ends_in": max(int((row.expires_at - now).total_seconds()), 0)}
    session_ends = row.expires_at
    ends, softer = session_ends, may_extend(row.late_payment, row.renewals)
    renewable = False
    if stage in (Stage.SCAN, Stage.WALLET):
        ends = min(session_ends, row.attempt_created_at + timedelta(minutes=row.attempt_code_minutes))
        # As it will be when the warning shows; and no longer when a press might come too late (renewing.worn).
        warned = max(now, ends - schedule.WARNING)
        renewable = softer or session_ends - warned > schedule.WARNING + NOTICED
    left = ends - now
    return {
        "ends_in": max(int(left.total_seconds()), 0),
        "ends_soon": left <= schedule.WARNING + SHOWN_EARLY,
        "renewable": renewable,
    }


def scripts_for(stage: Stage, agent: Agent, *, ends_soon: bool) -> tuple[str, ...]:
    """By name, in the order in which they run."""
    chosen = SCRIPTS.get(stage, ())
    if ends_soon and stage in TIMED:
        return ("deadline", *(name for name in chosen if name == "larger"))
    if stage is Stage.SCAN and agent.device is Device.DESKTOP:
        return (*chosen, "touch")
    # A tap that should open the wallet, from outside it; apps that keep it from opening have their way out lying open.
    taps = stage is Stage.WALLET or (agent.jumps and stage in (Stage.CHOOSE, Stage.FAILED))
    taps = taps and agent.app is not App.ALIPAY
    return (*chosen, "stuck") if taps and agent.way_out is None else chosen
