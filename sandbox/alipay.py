"""Pretend Alipay: the silent authorise page, the token endpoint, and the payment sheet of its app (qfpay.md 3.7)."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Blueprint, Response, abort, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from .alipay_books import TOKEN_PATH, AlipayApp, Oddity, Visits
from .checks import CLOCK_SKEW, hong_kong, read_form
from .context import here
from .facts import PAY_TYPES, Carries, Refusal, money
from .line import Trouble, spoil
from .rows import Order

bp = Blueprint("alipay", __name__, url_prefix="/alipay")

STATE = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
ANSWER = "alipay_system_oauth_token_response"
FIXED = {
    "method": "alipay.system.oauth.token",
    "format": "JSON",
    "charset": "utf-8",
    "sign_type": "RSA2",
    "version": "1.0",
    "grant_type": "authorization_code",
}
FREE = frozenset({"app_id", "sign", "timestamp", "code"})


@bp.get("/authorize")
def authorize() -> ResponseReturnValue:
    """Silent: the shopper is sent back at once, with a code. 400 for a request that Alipay would not take."""
    asked = request.args.to_dict()
    app = here().platform.apps.get(asked.get("app_id", ""))
    if app is None or set(asked) != {"app_id", "scope", "redirect_uri", "state"} or len(request.args) != 4:
        abort(400, "app_id, scope, redirect_uri and state: each once, and an app that we know")
    if asked["scope"] != "auth_base" or asked["redirect_uri"] != app.redirect_uri:
        abort(400, "scope must be auth_base, redirect_uri the one that was registered")
    if not STATE.fullmatch(asked["state"]):
        abort(400, "state: at most 100 letters, digits, - and _")
    visits = Visits(here().ledger.store)
    oddity = visits.take_next()
    if oddity is Oddity.STAYS:
        abort(503, "Alipay is busy.")
    back = {"app_id": asked["app_id"], "source": "alipay_wallet", "scope": "auth_base", "state": asked["state"]}
    if oddity is Oddity.WRONG_STATE:
        back["state"] = back["state"][::-1]
    if oddity is not Oddity.REFUSES:
        back["auth_code"] = visits.give_code(asked["app_id"], oddity, here().now())
    return redirect(f"{app.redirect_uri}?{urlencode(back)}", 302)


@bp.post("/gateway.do")
def token() -> ResponseReturnValue:
    """alipay.system.oauth.token, as strict as the original about signature, clock and codes."""
    sandbox, now = here(), here().now()
    try:
        params = dict(read_form(request))
    except Refusal:
        params = {}
    app_id = params.get("app_id", "")
    noted, trouble = sandbox.ledger.note_call(TOKEN_PATH, app_id, params, now, per_minute=None)
    name, told, oddity = _refusal("20000", "isp.unknown-error")
    if trouble is None or trouble == Trouble.SLOW:
        name, told, oddity = _answer(params, now)
    sandbox.ledger.note_answer(noted, " ".join(filter(None, [str(told.get("sub_code", "")), trouble])))
    return spoil(_signed(name, told, oddity), trouble)


Answer = tuple[str, dict[str, str], Oddity | None]


def _answer(params: Mapping[str, str], now: datetime) -> Answer:
    app = here().platform.apps.get(params.get("app_id", ""))
    if app is None:
        return _refusal("40002", "isv.invalid-app-id")
    if params.keys() != FIXED.keys() | FREE or any(params[name] != value for name, value in FIXED.items()):
        return _refusal("40002", "isv.invalid-parameter")
    if not _fits(params, app):
        return _refusal("40002", "isv.invalid-signature")
    try:
        late = abs(hong_kong("timestamp", params["timestamp"]) - now) > CLOCK_SKEW
    except Refusal:
        late = True
    if late:
        return _refusal("40002", "isv.invalid-timestamp")
    taken = Visits(here().ledger.store).take_code(params["code"], params["app_id"], now)
    if taken is None or taken[1] is Oddity.NO_SUCH_CODE:
        return _refusal("40002", "isv.code-invalid")
    user_id, oddity = taken
    who = {"open_id": "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"}
    if oddity is not Oddity.OPEN_ID_ONLY:
        who = {"user_id": user_id, "alipay_user_id": "20881" + user_id[::-1]}
    return ANSWER, who | {"access_token": "authbseB" + params["code"], "expires_in": "1296000"}, oddity


def _refusal(code: str, sub_code: str) -> Answer:
    return "error_response", {"code": code, "msg": "Invalid Arguments", "sub_code": sub_code}, None


def _fits(params: Mapping[str, str], app: AlipayApp) -> bool:
    text = "&".join(f"{name}={params[name]}" for name in sorted(params.keys() - {"sign"}) if params[name])
    try:
        app.public_key.verify(base64.b64decode(params["sign"], validate=True), text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(name: str, told: Mapping[str, str], oddity: Oddity | None) -> Response:
    """Alipay signs the text of the inner object as it stands in the answer."""
    inner = json.dumps(told, separators=(",", ":"))
    key, sign = here().platform.key, ""
    if key:
        signed = inner + " " if oddity is Oddity.FALSE_SIGNATURE else inner
        sign = base64.b64encode(key.sign(signed.encode(), PKCS1v15(), SHA256())).decode()
    body = f'{{"{name}":{inner}' + (f',"sign":"{sign}"}}' if sign else "}")
    return Response(body, mimetype="application/json")


@bp.get("/sheet/<trade>")
def sheet(trade: str) -> ResponseReturnValue:
    """What the app's payment sheet says, for the pretend bridge."""
    order = _order(trade)
    return jsonify(amount=money(order.amount, order.currency), goods=order.goods_name)


@bp.post("/sheet/<trade>")
def act(trade: str) -> ResponseReturnValue:
    """The shopper pays or declines in the sheet; answers as the bridge does."""
    order = _order(trade)
    scan = here().ledger.scan(order.token)
    if scan is None or not scan.open:
        return jsonify(resultCode="4000")
    paid = request.form.get("action") == "pay"
    done = here().ledger.settle(scan.syssn) if paid else here().ledger.refuse(scan.syssn)
    return jsonify(resultCode="9000" if paid and done else "4000")


def _order(trade: str) -> Order:
    try:
        order = here().ledger.order_of(trade)
    except KeyError:
        abort(404)
    if PAY_TYPES[order.pay_type].carries != Carries.PAY_PARAMS:
        abort(404)
    return order
