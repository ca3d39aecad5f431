"""From a row to a page, within a request: language, device, the way back, and what the CSP must allow for it."""

from flask import request

from checkout.domain.devices import device_of
from checkout.domain.lifecycle import RefundStatus
from checkout.domain.stages import FINAL, Stage
from checkout.domain.wallets import WALLETS
from checkout.services.merchants import WEBHOOK_SECRET
from checkout.store.pages import PageRow, read_payments, read_returned, read_told
from checkout.web import headers, language
from checkout.web.context import now, parts
from checkout.web.pages import Page, Surroundings, build_page, return_link, stage_for

Payments = tuple[tuple[str, str, str, int], ...]
Returned = tuple[tuple[str, int, bool], ...]


def present(row: PageRow) -> Page:
    """Everything that the templates draw. Reads our database only."""
    joined, moment = parts(), now()
    stage = stage_for(row, moment)
    payments, told, returned = _money(row, stage)
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
    page = build_page(row, around, return_href=_way_back(row, stage), payments=payments, told=told, returned=returned)
    framed = page.attempt is not None and page.attempt.framed
    headers.allow_wallets(joined.gateways.links_of(row.base_url).sources(), framed=framed)
    return page


def _money(row: PageRow, stage: Stage) -> tuple[Payments, bool | None, Returned]:
    """What moved, for the screens that speak of it."""
    if stage not in FINAL:
        return (), None, ()
    with parts().reading.connect() as connection:
        refunds = read_returned(connection, row.id)
        returned = tuple((one.cause, one.amount, one.status is RefundStatus.SUCCEEDED) for one in refunds)
        if stage is not Stage.PAID:
            return (), None, returned
        payments = tuple(
            (WALLETS[paid.wallet].label, paid.syssn, paid.out_trade_no, paid.amount)
            for paid in read_payments(connection, row.id)
        )
        return payments, read_told(connection, row.id), returned


def _way_back(row: PageRow, stage: Stage) -> str | None:
    """Signed, with the status as it is; while there is a way to pay, a shopper who leaves may still come back."""
    if stage not in FINAL | {Stage.CLOSING, Stage.REVIEW}:
        return None
    owner = f"merchant/{row.merchant_id}/{WEBHOOK_SECRET}"
    secret = parts().vault.open(row.webhook_secret_sealed, owner=owner).decode()
    return return_link(row, secret, now())
