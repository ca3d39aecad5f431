"""The shopper's pages (interface.md section 3): one address, one screen per stage; no GET touches money."""

import json
import logging
from dataclasses import replace

from flask import Blueprint, abort, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from checkout.domain import qr
from checkout.domain.devices import Device, device_of, read_agent
from checkout.domain.errors import Invalid, SessionClosed
from checkout.domain.lifecycle import LIVE_ATTEMPT
from checkout.domain.locales import Lang
from checkout.domain.stages import WAITS, Stage
from checkout.domain.vault import CannotOpen
from checkout.domain.wallets import PAY_TYPES, WALLETS
from checkout.services import attempts, renewing, sessions, watching
from checkout.services.snapshots import rfc3339
from checkout.store.pages import PageRow, read_page
from checkout.web import alipay, guards, headers, language
from checkout.web.assets import source_of
from checkout.web.context import db, now, parts
from checkout.web.forms import ChooseWalletForm
from checkout.web.pages import OFFERING, only_wallet, page_tag, stage_for
from checkout.web.present import present
from checkout.web.receipts import receipt_of

log = logging.getLogger(__name__)

bp = Blueprint("shopper", __name__, url_prefix="/pay")

LONGEST_ID = 64
LANGS = ", ".join(f"'{lang}'" for lang in Lang)


@bp.before_request
def _guard() -> None:
    guards.limit_body(guards.FORM_BYTES)
    guards.refuse_foreign_origins()


@bp.get("/<session_id>")
def show(session_id: str) -> ResponseReturnValue:
    """The page, in the state that the session is in."""
    row = find_page(session_id)
    _sign_of_life(row)  # without JavaScript the page is fetched again instead of its status
    page = present(row)
    device = device_of(request.user_agent.string)
    chooses = page.stage is Stage.CHOOSE and device in (Device.DESKTOP, Device.TABLET, Device.UNKNOWN)
    auto = only_wallet(row) if chooses else None
    bridge = alipay.bridge_for(row, page)
    return render_template("pay/show.html", page=page, assets=parts().assets, auto=auto, bridge=bridge)


@bp.post("/<session_id>")
def choose(session_id: str) -> ResponseReturnValue:
    """Pick a wallet: to the code on a desktop, to the wallet on a phone. Twice is once."""
    row = find_page(session_id)
    form = ChooseWalletForm()
    once = all(len(request.form.getlist(name)) == 1 for name in request.form)
    if not form.validate_on_submit() or set(request.form) - {"wallet", "way"} or not once:
        raise Invalid({"wallet": "pick one of the wallets on the page"})
    device, lang = _device(form.way.data), language.asked_for().get("lang", "")
    renewing.extend_if_ending(db(), row.id, row.expires_at, now())
    try:
        attempt = attempts.start_attempt(
            db(), parts().gateways, parts().terms, row.id, form.wallet.data,
            device=device, clock=parts().clock, lang=lang,
        )  # fmt: skip
    except SessionClosed:
        return _to_page(session_id)
    except CannotOpen:  # SECRET_KEY was changed; nothing was written
        log.exception("the client key cannot be opened", extra={"merchant": row.merchant_id})
        return _unavailable(row, form.wallet.data)
    # Read again: while the gateway was answering the session may have ended, or a person may have to look.
    leads = attempt.on_phone and attempt.target and not PAY_TYPES[attempt.pay_type].needs_openid
    if leads and stage_for(find_page(session_id), now()) is Stage.WALLET:
        headers.allow_wallets(parts().gateways.links_of(row.base_url).sources(), framed=False)
        return redirect(str(attempt.target), 303)
    return _to_page(session_id)


@bp.get("/<session_id>/status")
def status(session_id: str) -> ResponseReturnValue:
    """What changed, read from our own database; never from the gateway."""
    row = find_page(session_id)
    _sign_of_life(row)
    as_html = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    page = present(row)
    tag = page_tag(page, "html" if as_html else "json")
    if request.if_none_match.contains_weak(tag):  # before anything is drawn: most polls end here
        answer = make_response("", 304)
    elif as_html:
        answer = make_response(render_template("pay/_main.html", page=page, assets=parts().assets, auto=None))
    else:
        answer = jsonify(
            status=page.status,
            version=page.version,
            final=page.final,
            expires_at=rfc3339(row.expires_at),
            next_poll_ms=page.next_poll_ms,
        )
    answer.set_etag(tag, weak=True)
    # What the tag leaves out, because it is another at each answer: a page takes it from here, body or not.
    answer.headers["Clocks"] = json.dumps({"endsIn": page.ends_in, "nextPollMs": page.next_poll_ms})
    answer.vary.update(("Accept", "Accept-Language", "User-Agent"))
    return answer


@bp.get("/<session_id>/return")
@bp.get(f"/<session_id>/return/<any({LANGS}):lang>")
def come_back(session_id: str, **_lang: str) -> ResponseReturnValue:  # web/language.py reads it
    """Where the wallet sends the shopper. Proves nothing; the question that it raises is asked at once."""
    return _ask_soon(session_id)


@bp.post("/<session_id>/check")
def check(session_id: str) -> ResponseReturnValue:
    """“I have paid”: makes an enquiry due."""
    return _ask_soon(session_id)


@bp.post("/<session_id>/cancel")
def cancel(session_id: str) -> ResponseReturnValue:
    """Give up. Safe when the payment has just gone through: then the page says paid."""
    row = find_page(session_id)
    sessions.cancel_session(db(), parts().terms, row.id, now())
    return _to_page(session_id)


@bp.get("/<session_id>/receipt")
def receipt(session_id: str) -> ResponseReturnValue:
    """Printable; there is none before there is a payment."""
    row = find_page(session_id)
    page = present(row)
    if page.stage is not Stage.PAID:
        return _to_page(session_id)
    headers.allow_style(source_of(parts().assets.some["receipt"]))
    return render_template("pay/receipt.html", page=replace(page, receipt=receipt_of(row.id)), assets=parts().assets)


@bp.get("/<session_id>/elsewhere")
def elsewhere(session_id: str) -> ResponseReturnValue:
    """To go on with another phone: the address of the page as a code to scan, to copy and to share."""
    row = find_page(session_id)
    page = present(row)
    if page.stage not in OFFERING:
        return _to_page(session_id)
    code = Markup(qr.draw(page.address, hook="data-page-qr").svg)  # noqa: S704 - our own drawing
    return render_template("pay/elsewhere.html", page=page, assets=parts().assets, code=code)


@bp.get("/<session_id>/code.png")
def picture(session_id: str) -> ResponseReturnValue:
    """The code as a picture to save: a wallet reads it from the album. Drawn on demand, because few ask for it."""
    row = find_page(session_id)
    page = present(row)
    if page.attempt is None or page.attempt.qr is None:
        return _to_page(session_id)
    answer = make_response(qr.picture(row.attempt_target))
    answer.mimetype = "image/png"
    answer.headers["Content-Disposition"] = f'attachment; filename="{page.attempt.wallet}-{page.support_code}.png"'
    return answer


def _unavailable(row: PageRow, code: str) -> ResponseReturnValue:
    wallet = (code, WALLETS[code].label)
    text = render_template("pay/unavailable.html", page=present(row), assets=parts().assets, wallet=wallet)
    return text, 503, {"Retry-After": "60"}


def _device(way: str | None) -> Device:
    """What the shopper says counts more than what the browser says."""
    device = read_agent(request.user_agent.string).device
    if way == "open":
        return device if device is Device.IN_WALLET else Device.MOBILE
    return Device.DESKTOP if way == "scan" else device


def find_page(session_id: str) -> PageRow:
    """The row, its language settled. Unknown, malformed and foreign ids: one and the same 404."""
    row = None
    if (
        session_id.startswith("cs_")
        and session_id.isascii()
        and session_id[3:].isalnum()
        and len(session_id) <= LONGEST_ID
    ):
        with parts().reading.connect() as connection:
            row = read_page(connection, session_id)
    if row is None:
        abort(404)
    language.choose(row.locale)
    headers.allow_embedding(row.embed_origins)
    return row


def _sign_of_life(row: PageRow) -> None:
    """Somebody waits at this page: note it, seldom, so that the gateway is asked at the lively pace."""
    waits = row.attempt_status in LIVE_ATTEMPT and stage_for(row, now()) in WAITS
    a_person = device_of(request.user_agent.string) is not Device.BOT
    if waits and a_person and watching.needs_sign_of_life(row.attempt_watched_until, now()):
        watching.sign_of_life(db(), row.attempt_id, now())


def _ask_soon(session_id: str) -> ResponseReturnValue:
    row = find_page(session_id)
    watching.ask_soon(db(), row.id, now())
    return _to_page(session_id)


def _to_page(session_id: str) -> ResponseReturnValue:
    return redirect(url_for("shopper.show", session_id=session_id, **language.asked_for()), 303)
