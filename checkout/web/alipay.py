"""Inside Alipay's own app: what the page needs to ask silently who pays, and where Alipay's answer arrives."""

from flask import Blueprint, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from checkout.domain.devices import Device, device_of
from checkout.domain.errors import NotAuthentic
from checkout.domain.stages import Stage
from checkout.gateway.alipay import Alipay
from checkout.services import inside_alipay
from checkout.services.inside_alipay import CALLBACK, WALLET, State
from checkout.store.pages import PageRow
from checkout.web import headers, language
from checkout.web.context import db, now, parts
from checkout.web.pages import Page

bp = Blueprint("alipay", __name__)

LONGEST = 256  # characters of a state or code: many more than any that is genuine


def has_bridge() -> bool:
    """Whether this page may find the wallet's bridge, and ask Alipay who pays."""
    return parts().alipay is not None and device_of(request.user_agent.string) is Device.IN_WALLET


def bridge_for(row: PageRow, page: Page) -> dict[str, str | None] | None:
    """What show.html needs to draw the script that asks who pays, which the policy then allows; None: nothing to ask.

    A frame is not asked for: Alipay's own page would refuse to be shown in it, and has no sheet there.
    """
    if not has_bridge() or request.headers.get("Sec-Fetch-Dest") == "iframe":
        return None
    authorise = authorise_url(row, page)
    if authorise is None and not parts().assets.pretends:
        return None
    headers.allow_script(parts().assets.bridge_source)
    return {"authorise": authorise}


def authorise_url(row: PageRow, page: Page) -> str | None:
    """Where to ask who pays: on the first visit of a session that nobody has tried to pay yet, and never again."""
    alipay = parts().alipay
    untried = page.stage is Stage.CHOOSE and row.attempt_id is None and row.alipay_answered_at is None
    if alipay is None or not untried or WALLET not in {code for code, *_ in page.wallets}:
        return None
    lang = language.asked_for().get("lang", "")
    return inside_alipay.authorise_url(alipay, parts().vault, parts().terms, row.id, lang=lang, now=now())


@bp.get(CALLBACK)
def callback() -> ResponseReturnValue:
    """Alipay's answer (qfpay.md 3.7). A state that we sealed is what makes this GET more than a look."""
    joined = parts()
    if joined.alipay is None:
        abort(404)
    if request.method != "GET" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return "", 204  # nobody has come, somebody looks ahead
    try:
        state, auth_code = _answer(joined.alipay)
    except NotAuthentic:
        text = render_template(
            "pay/strange_answer.html", lang=language.choose(None), assets=joined.assets, support_code=None
        )
        return text, 400
    inside_alipay.arrive(
        db(), joined.gateways, joined.terms, joined.alipay, state, auth_code=auth_code, clock=joined.clock
    )
    return redirect(f"/pay/{state.session_id}" + (f"?lang={state.lang}" if state.lang else ""), 303)


def _answer(alipay: Alipay) -> tuple[State, str]:
    """Raises NotAuthentic unless we asked this, and it is our app that was asked for."""
    state = State.open(parts().vault, _once("state"))
    if _once("app_id") not in ("", alipay.app_id):
        raise NotAuthentic("app id")
    return state, _once("auth_code")


def _once(name: str) -> str:
    """Raises NotAuthentic for an argument that is repeated or endless."""
    values = request.args.getlist(name)
    if len(values) > 1 or any(len(value) > LONGEST for value in values):
        raise NotAuthentic(name)
    return values[0] if values else ""
