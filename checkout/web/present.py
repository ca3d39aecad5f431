"""From a row to a page, within a request: language, device, the way back, and what the CSP must allow for it."""

from flask import request

from checkout.domain.devices import device_of
from checkout.domain.stages import FINAL, Stage
from checkout.domain.wallets import WALLETS
from checkout.services.merchants import WEBHOOK_SECRET
from checkout.store.pages import PageRow, read_payments, read_told
from checkout.web import headers, language
from checkout.web.context import now, parts
from checkout.web.pages import Page, Surroundings, build_page, return_link, stage_for


def present(row: PageRow) -> Page:
    """Everything that the templates draw. Reads our database only."""
    joined, moment = parts(), now()
    stage = stage_for(row, moment)
    payments: tuple[tuple[str, str, str, int], ...] = ()
    told = None
    if stage is Stage.PAID:
        with joined.reading.connect() as connection:
            payments = tuple(
                (WALLETS[paid.wallet].label, paid.syssn, paid.out_trade_no, paid.amount)
                for paid in read_payments(connection, row.id)
            )
            told = read_told(connection, row.id)
    asked = language.asked_for()
    around = Surroundings(
        now=moment,
        device=device_of(request.user_agent.string),
        lang=language.current(),
        languages=language.switch(f"/pay/{row.id}"),
        public_url=joined.config.PUBLIC_URL,
        query=f"?lang={asked['lang']}" if asked else "",
        sandbox=joined.config.SANDBOX and row.base_url.endswith("/sandbox"),
    )
    page = build_page(row, around, return_href=_way_back(row, stage), payments=payments, told=told)
    framed = page.attempt is not None and page.attempt.framed
    headers.allow_wallets(joined.gateways.links_of(row.base_url).sources(), framed=framed)
    return page


def _way_back(row: PageRow, stage: Stage) -> str | None:
    """Signed, with the status as it is; while there is a way to pay, a shopper who leaves may still come back."""
    if stage not in FINAL | {Stage.CLOSING, Stage.REVIEW}:
        return None
    owner = f"merchant/{row.merchant_id}/{WEBHOOK_SECRET}"
    secret = parts().vault.open(row.webhook_secret_sealed, owner=owner).decode()
    return return_link(row, secret, now())
