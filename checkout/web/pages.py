"""What a shopper's page shows: rows in, one frozen value for the templates out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from markupsafe import Markup

from checkout.domain import schedule
from checkout.domain.bridge import stored_trade_number
from checkout.domain.devices import Agent
from checkout.domain.lifecycle import FINAL_SESSION, AttemptStatus, SessionStatus, public_status
from checkout.domain.signing import sign_return
from checkout.domain.stages import FINAL, Stage, Try, stage_of
from checkout.domain.text import plain
from checkout.domain.wallets import PAY_TYPES, WALLETS, WalletChoice, offered
from checkout.domain.weather import Weather
from checkout.store.pages import PageRow
from checkout.web.arriving import Out, ending, scripts_for, way_out
from checkout.web.looks import Look
from checkout.web.receipts import Receipt

# A module should be 4 CSS px or more where the screen allows: three sizes of box, by modules.
QR_SIZES = ((61, "s"), (78, "m"))
SILENT_AFTER = timedelta(seconds=75)  # several questions at any pace of schedule.py, and one time-out
CLEAR = Weather()
OFFERING = frozenset({Stage.CHOOSE, Stage.SCAN, Stage.WALLET, Stage.UNKNOWN, Stage.FAILED})


@dataclass(frozen=True)
class AttemptView:
    wallet: str
    label: str
    qr: Markup | None
    qr_modules: int
    qr_size: str
    link: str | None
    link_is_page: bool
    framed: bool
    asked_seconds_ago: int | None
    silent: bool  # nobody has answered our questions for a while
    failure: str | None
    trade: str | None = None  # what the wallet's own bridge opens, instead of a link


@dataclass(frozen=True)
class Page:
    """Everything the templates of pay/ draw. Amounts are minor units; moments are aware UTC."""

    stage: Stage
    status: str
    review: bool
    version: int
    final: bool
    agent: str
    mobile: bool
    sandbox: bool
    lang: str
    languages: tuple[tuple[str, str, str, bool], ...]
    shop: str
    amount: int
    currency: str
    description: str
    items: tuple[tuple[str, int, int], ...]
    reference: str
    support_code: str
    address: str
    url: str
    status_url: str
    check_url: str
    cancel_url: str
    receipt_url: str
    return_href: str | None
    return_host: str
    wallets: tuple[tuple[str, str, str], ...]
    attempt: AttemptView | None
    expires_in: int
    next_poll_ms: int
    refresh_seconds: int
    paid_at: datetime | None
    closing_as: str | None
    merchant_told: bool | None
    returned: tuple[tuple[str, int, bool], ...] = ()  # cause (surplus, late), amount, whether it has arrived
    elsewhere_url: str = ""
    picture_url: str = ""
    ends_in: int = 0  # seconds until the code or the session ends, whichever comes first
    ends_soon: bool = False
    renewable: bool = False  # a press on the same wallet brings a fresh code, and more time
    way_out: Out | None = None
    scripts: tuple[str, ...] = ()  # of static/pay/extra
    look: Look | None = None  # the merchant's, if it has one of its own
    embed: str = ""  # origins of sites that may show this page in a frame
    one_code: Markup | None = None  # for whichever wallet's app scans it
    receipt: Receipt | None = None
    told_again_at: datetime | None = None  # in full minutes: when the shop hears of it once more
    told_in_vain: bool = False  # nobody tells it any more

    @property
    def telling(self) -> bool:
        """Whether this page still waits for the shop, though nothing will change about the payment."""
        return self.merchant_told is False and not self.told_in_vain

    @property
    def settled(self) -> bool:
        """Nothing on it will change any more."""
        return self.final and not self.telling


@dataclass(frozen=True)
class Surroundings:
    """What a page needs to know beside its rows."""

    now: datetime
    agent: Agent
    lang: str
    languages: tuple[tuple[str, str, str, bool], ...]
    public_url: str
    query: str  # `?lang=zh-HK` when the shopper chose it, else empty
    sandbox: bool
    look: Look | None = None
    weather: Weather = CLEAR


def stage_for(row: PageRow, now: datetime) -> Stage:
    latest = None
    if row.attempt_id is not None:
        latest = Try(
            status=AttemptStatus(row.attempt_status),
            has_code=row.attempt_target is not None,
            on_phone=bool(row.attempt_on_phone),
            ends_at=row.attempt_ends_at,
        )
    status = SessionStatus(row.status)
    return stage_of(status, latest, review=row.review is not None, expires_at=row.expires_at, now=now)


def build_page(
    row: PageRow,
    around: Surroundings,
    *,
    return_href: str | None,
    told: bool | None,
    returned: tuple[tuple[str, int, bool], ...] = (),
) -> Page:
    """Put one page together. Reads nothing, changes nothing."""
    stage = stage_for(row, around.now)
    return Page(
        stage=stage,
        status=public_status(SessionStatus(row.status)),
        review=row.review is not None,
        version=row.version,
        final=stage in FINAL or (stage is Stage.REVIEW and SessionStatus(row.status) in FINAL_SESSION),
        agent=str(around.agent),
        mobile=around.agent.jumps,
        sandbox=around.sandbox,
        lang=around.lang,
        languages=around.languages,
        return_href=return_href,
        wallets=_offers(row, around.weather) if stage in OFFERING else (),
        attempt=_attempt(row, stage, around.now),
        paid_at=row.paid_at,
        closing_as=row.closing_as or ("expired" if stage is Stage.CLOSING else None),
        merchant_told=told,
        returned=returned,
        look=around.look,
        embed=" ".join(row.embed_origins),
        **_arrival(row, stage, around),
        **_order(row, around.look),
        **_addresses(row, around),
    )


def _arrival(row: PageRow, stage: Stage, around: Surroundings) -> dict[str, Any]:
    """The clocks, and what meets the shopper where they are."""
    ends = ending(row, stage, around.now)
    age = (around.now - (row.attempt_created_at or row.created_at)).total_seconds()
    return ends | {
        "expires_in": max(int((row.expires_at - around.now).total_seconds()), 0),
        "next_poll_ms": schedule.next_poll_ms(age),
        "refresh_seconds": 3 if age < 300 else 10,
        "way_out": way_out(around.agent, f"{around.public_url}/pay/{row.id}") if stage in OFFERING else None,
        "scripts": scripts_for(stage, around.agent, ends_soon=ends.get("ends_soon", False)),
    }


def _order(row: PageRow, look: Look | None) -> dict[str, Any]:
    """What is paid, and to whom: words of strangers, made safe to stand beside our own."""
    return {
        "shop": plain((look and look.name) or row.shop),
        "amount": row.amount,
        "currency": row.currency,
        "description": plain(row.description),
        "items": tuple((plain(item["name"]), item["quantity"], item["amount"]) for item in row.items),
        "reference": plain(row.reference),
        "support_code": row.support_code,
    }


def _addresses(row: PageRow, around: Surroundings) -> dict[str, Any]:
    path = f"/pay/{row.id}"
    return {
        "address": around.public_url + path,
        "url": path + around.query,
        "status_url": f"{path}/status{around.query}",
        "check_url": f"{path}/check{around.query}",
        "cancel_url": f"{path}/cancel{around.query}",
        "receipt_url": f"{path}/receipt{around.query}",
        "elsewhere_url": f"{path}/elsewhere{around.query}",
        "picture_url": f"{path}/code.png",
        "return_host": urlsplit(row.return_url).hostname or "",
    }


def page_tag(page: Page, form: str) -> str:
    """What makes two answers of /status the same, for its ETag."""
    asked = page.attempt.asked_seconds_ago if page.attempt and page.stage is Stage.UNKNOWN else None
    age = "" if asked is None else min(asked // 20, 100)  # as coarse as the words that the page has for it
    silent = "silent" if page.attempt and page.attempt.silent else ""
    soon = ("soon" if page.ends_soon else "") + ("fresh" if page.renewable else "")
    agent = page.agent.replace(" ", "_")
    foul = "".join(code + trouble for code, _label, trouble in page.wallets if trouble)
    told = f"{page.merchant_told}{page.told_in_vain}" + (f"{page.told_again_at:%H%M}" if page.told_again_at else "")
    return f"{page.version}-{page.stage}-{page.lang}-{agent}-{told}-{age}-{silent}{soon}{foul}-{form}"


def _offers(row: PageRow, weather: Weather = CLEAR) -> tuple[tuple[str, str, str], ...]:
    """The wallets to offer, with a word on what to know of one before it is picked.

    After a failure the one that was just tried comes first; one that has trouble comes last, and is never hidden.
    """
    choices = [WalletChoice.parse(entry) for entry in row.merchant_wallets]
    wallets = offered(choices, currency=row.currency, amount=row.amount, narrowed=row.wallets)
    wallets.sort(key=lambda wallet: (wallet.code in weather.foul, wallet.code != row.attempt_wallet))
    return tuple((wallet.code, wallet.label, weather.of(wallet.code)) for wallet in wallets)


def only_wallet(row: PageRow) -> str | None:
    """The one wallet that can be picked, when there is no choice to make."""
    offers = _offers(row)
    return offers[0][0] if len(offers) == 1 else None


def _attempt(row: PageRow, stage: Stage, now: datetime) -> AttemptView | None:
    if row.attempt_id is None:
        return None
    pay_type = PAY_TYPES[row.attempt_pay_type]
    payable = stage in (Stage.SCAN, Stage.WALLET)
    framed = stage is Stage.SCAN and row.attempt_wallet in row.options.get("frame", ()) and pay_type.answer == "pay_url"
    shows_link = payable and (framed or pay_type.is_page or stage is Stage.WALLET)
    modules = row.attempt_qr_modules or 0
    failure = row.attempt_failure or ("expired" if stage is Stage.FAILED else None)
    asked = row.attempt_asked_at
    return AttemptView(
        wallet=row.attempt_wallet,
        label=WALLETS[row.attempt_wallet].label,
        qr=Markup(row.attempt_qr_svg) if payable and row.attempt_qr_svg else None,  # noqa: S704 - our own drawing
        qr_modules=modules,
        qr_size=next((size for up_to, size in QR_SIZES if modules <= up_to), "l"),
        link=row.attempt_target if shows_link and not pay_type.needs_openid else None,
        link_is_page=pay_type.is_page,
        framed=framed,
        asked_seconds_ago=max(int((now - asked).total_seconds()), 0) if asked else None,
        silent=payable and now - (row.attempt_answered_at or row.attempt_created_at) > SILENT_AFTER,
        failure=failure if stage is Stage.FAILED else None,
        trade=stored_trade_number(row.attempt_target) if shows_link and pay_type.needs_openid else None,
    )


def return_link(row: PageRow, webhook_secret: str, now: datetime) -> str:
    """The signed way back to the shop (interface.md section 4). Its signature tells the shop whom to believe."""
    status = public_status(SessionStatus(row.status))
    gives_up = status == "open" and row.closing_as == "cancelled"  # which stays written when it is paid all the same
    without_paying = gives_up or status in ("expired", "cancelled")
    target = urlsplit(row.cancel_url if row.cancel_url and without_paying else row.return_url)
    timestamp = int(now.timestamp())
    signature = sign_return(
        webhook_secret, session_id=row.id, reference=row.reference, status=status, timestamp=timestamp
    )
    added = urlencode({
        "session_id": row.id, "reference": row.reference, "status": status,
        "timestamp": timestamp, "signature": signature,
    })  # fmt: skip
    return str(urlunsplit(target._replace(query=f"{target.query}&{added}" if target.query else added)))
