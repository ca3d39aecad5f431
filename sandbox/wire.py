"""QFPay's endpoints: every call is written down, checked, carried out and answered as signed flat JSON."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

from flask import Blueprint, Response, request

from checkout.domain.signing import sign_notification

from . import enquiries, payments, withdrawals
from .checks import Call, authenticate
from .context import here
from .facts import TEXTS, Refusal
from .line import Trouble, spoil
from .scenarios import SPOILS_ANSWER, Scenario

bp = Blueprint("wire", __name__, url_prefix="/trade/v1")

Answer = tuple[dict[str, object], Scenario | None]


@bp.post("/payment")
def payment() -> Response:
    return _answer(payments.create)


@bp.post("/query")
def query() -> Response:
    return _answer(lambda call: (enquiries.find(call), None))


@bp.post("/refund")
def refund() -> Response:
    return _answer(withdrawals.refund)


@bp.post("/reversal")
def reversal() -> Response:
    return _answer(lambda call: (withdrawals.reverse(call), None))


@bp.post("/close")
def close() -> Response:
    return _answer(lambda call: (withdrawals.close(call), None))


def _answer(verb: Callable[[Call], Answer]) -> Response:
    """A trouble that awaits the call strikes before the verb, so without effect; a scenario's strikes after it."""
    sandbox, now = here(), here().now()
    path = f"{bp.url_prefix}/{request.path.rsplit('/', 1)[-1]}"
    app_code = request.headers.get("X-QF-APPCODE", "")
    params = dict(parse_qsl(request.get_data(as_text=True), keep_blank_values=True))
    noted, trouble = sandbox.ledger.note_call(path, app_code, params, now, per_minute=sandbox.calls_per_minute)
    fields: dict[str, object] = {}
    if trouble is None or trouble == Trouble.SLOW:
        fields, scenario = _carry_out(verb)
        trouble = trouble or (SPOILS_ANSWER.get(scenario) if scenario else None)
    sandbox.ledger.note_answer(noted, " ".join(filter(None, [str(fields.get("respcd", "")), trouble])))
    return spoil(_signed(fields, app_code), trouble)


def _carry_out(verb: Callable[[Call], Answer]) -> Answer:
    try:
        return verb(authenticate(request, here().credentials, here().now()))
    except Refusal as refusal:
        text = TEXTS.get(refusal.code, "")
        return {"respcd": refusal.code, "resperr": refusal.message or text, "respmsg": text}, None


def _signed(fields: dict[str, object], app_code: str) -> Response:
    """Python's default JSON, as QFPay writes it; signed over the raw body when the caller is known."""
    body = json.dumps(fields).encode()
    response = Response(body, mimetype="application/json")
    if credential := here().credentials.get(app_code):
        response.headers["X-QF-SIGN"] = sign_notification(body, credential.client_key)
    return response
